"""Every topic, declared once: one conversation each, keyed by subscription id."""

from dataclasses import dataclass

from offramp_schemas import (
    account,
    activity,
    email_feedback,
    lifecycle_events,
    notification_events,
    pause_events,
    payment,
    refund_events,
    refund_provider,
    refund_request,
    request,
    retention_events,
)
from offramp_schemas.base import Event

DAY = 24 * 60 * 60
PARTITIONS = 6
MAX_MESSAGE_BYTES = 1024 * 1024
"""What a topic takes; an event itself may have `envelope.MAX_EVENT_BYTES`, so that its dead letter still fits."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One conversation. Retention is in seconds; the key of every record is the subscription id."""

    name: str
    events: tuple[type[Event], ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    about: str
    partitions: int = PARTITIONS
    retention_seconds: int = 7 * DAY

    @property
    def domain(self) -> str:
        """The second word of its events' types: `offramp.<domain>.<event>.v1`."""
        return self.name.partition(".")[0]

    def type_of(self, event: type[Event]) -> str:
        """`offramp.subscription.payment-failed.v1`"""
        return f"offramp.{self.domain}.{event.kebab()}.v{event.VERSION}"


ACCOUNT = Topic(
    "subscription.account.v1",
    (account.SubscriptionStarted, account.SubscriptionRenewed, account.SubscriptionChanged, account.DataDeleted, account.PersonErased),
    ("billing", "account"),
    ("lifecycle", "refunds"),
    "what billing and the account service know of a subscription",
)
REQUEST = Topic(
    "subscription.request.v1",
    (
        request.CancellationRequested,
        request.CancellationWithdrawn,
        request.RetentionOfferAnswered,
        request.FeedbackSubmitted,
        request.PauseRequested,
        request.ResumeRequested,
        request.ReactivationRequested,
    ),
    ("web", "support"),
    ("lifecycle",),
    "whatever a customer asks for",
)
PAYMENT = Topic(
    "subscription.payment.v1",
    (payment.PaymentFailed, payment.PaymentSucceeded, payment.PaymentMethodUpdated),
    ("billing",),
    ("lifecycle", "refunds"),
    "what happened to charges and cards",
)
ACTIVITY = Topic(
    "subscription.activity.v1",
    (activity.InactivityDetected, activity.ActivityResumed),
    ("usage",),
    ("lifecycle",),
    "whether the service is used",
)
REFUND_REQUEST = Topic(
    "refund.request.v1",
    (
        refund_request.RefundRequested,
        refund_request.RefundChased,
        refund_request.RefundDecided,
        refund_request.RefundRetried,
        refund_request.RefundSettledManually,
        refund_request.RefundAppealed,
        refund_request.ForeignRefundExplained,
    ),
    ("web", "support", "lifecycle", "ops"),
    ("refunds",),
    "what is asked about money",
)
REFUND_PROVIDER = Topic(
    "refund.provider.v1",
    (refund_provider.ProviderRefundUpdated,),
    ("refunds", "ops"),  # its own intake of webhooks
    ("refunds",),
    "that something happened to a refund at the payment provider",
)
EMAIL_FEEDBACK = Topic(
    "email.feedback.v1",
    (email_feedback.EmailBounced, email_feedback.EmailComplained, email_feedback.Unsubscribed, email_feedback.MailCaseResolved),
    ("mail provider", "web", "support"),
    ("notifier",),
    "what became of mails, and who wants no more",
)


def _facts(module: object, base: type[Event]) -> tuple[type[Event], ...]:
    found = (each for each in vars(module).values() if isinstance(each, type) and issubclass(each, base) and each is not base)
    return tuple(sorted(found, key=lambda each: each.__name__))


LIFECYCLE_EVENTS = Topic(
    "lifecycle.events.v1",
    (
        *_facts(lifecycle_events, lifecycle_events.LifecycleFact),
        *_facts(retention_events, lifecycle_events.LifecycleFact),
        *_facts(pause_events, lifecycle_events.LifecycleFact),
    ),
    ("lifecycle",),
    ("notifier",),
    "what lifecycle states about subscriptions",
)
REFUND_EVENTS = Topic(
    "refund.events.v1",
    (
        *_facts(refund_events, refund_events.RefundFact),
        refund_events.NothingToRefund,
        refund_events.ForeignRefundSeen,
        refund_events.ForeignRefundClosed,
    ),
    ("refunds",),
    ("notifier", "lifecycle"),
    "what refunds states about refunds",
)
NOTIFICATION_EVENTS = Topic(
    "notification.events.v1",
    (*_facts(notification_events, notification_events.MailFact), notification_events.MarketingOptedOut),
    ("notifier",),
    (),
    "what became of each mail, and who wants no more",
)
NOTIFICATION_ALERTS = Topic(
    "notification.alerts.v1",
    (notification_events.AlertRaised,),
    ("notifier",),
    ("notifier",),
    "what people of ours have to look at; counted by cause before it becomes a mail",
)
LIFECYCLE_DEAD_LETTERS = Topic(
    "lifecycle.dead-letters.v1", (), ("lifecycle",), (), "what lifecycle could not handle", retention_seconds=35 * DAY
)
REFUND_DEAD_LETTERS = Topic("refund.dead-letters.v1", (), ("refunds",), (), "what refunds could not handle", retention_seconds=35 * DAY)
NOTIFICATION_DEAD_LETTERS = Topic(
    "notification.dead-letters.v1", (), ("notifier",), (), "what notifier could not handle", retention_seconds=35 * DAY
)

TOPICS: tuple[Topic, ...] = (
    ACCOUNT, REQUEST, PAYMENT, ACTIVITY, REFUND_REQUEST, REFUND_PROVIDER, EMAIL_FEEDBACK, LIFECYCLE_EVENTS, REFUND_EVENTS,
    NOTIFICATION_EVENTS, NOTIFICATION_ALERTS, LIFECYCLE_DEAD_LETTERS, REFUND_DEAD_LETTERS, NOTIFICATION_DEAD_LETTERS,
)  # fmt: skip
DEAD_LETTERS = {"lifecycle": LIFECYCLE_DEAD_LETTERS, "refunds": REFUND_DEAD_LETTERS, "notifier": NOTIFICATION_DEAD_LETTERS}
PUBLISHED = tuple(topic for topic in TOPICS if not DEAD_LETTERS.keys() >= set(topic.producers))
"""What others than our services may write."""

TOPIC_OF: dict[type[Event], Topic] = {event: topic for topic in TOPICS for event in topic.events}
TYPE_OF: dict[type[Event], str] = {event: topic.type_of(event) for event, topic in TOPIC_OF.items()}
EVENT_OF: dict[str, type[Event]] = {type_: event for event, type_ in TYPE_OF.items()}
EVENT_BY_KEBAB: dict[str, type[Event]] = {event.kebab(): event for event in TOPIC_OF}


def inputs_of(service: str) -> tuple[Topic, ...]:
    """The topics a service reads."""
    return tuple(topic for topic in TOPICS if service in topic.consumers)


def outputs_of(service: str) -> tuple[Topic, ...]:
    """The topics a service writes, its dead letters among them."""
    return tuple(topic for topic in TOPICS if service in topic.producers)
