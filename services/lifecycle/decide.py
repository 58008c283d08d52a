"""How a subscription answers an event. Pure: no clock, no I/O. This file only routes; each conversation has its own, and its own table."""

from collections.abc import Callable
from typing import Any

from offramp_schemas import Event, FollowUp
from offramp_schemas.account import DataDeleted, PersonErased, SubscriptionChanged, SubscriptionRenewed, SubscriptionStarted
from offramp_schemas.activity import ActivityResumed, InactivityDetected
from offramp_schemas.payment import PaymentFailed, PaymentMethodUpdated, PaymentSucceeded
from offramp_schemas.refund_events import NothingToRefund, RefundApproved, RefundReceived, RefundRejected
from offramp_schemas.request import (
    CancellationRequested,
    CancellationWithdrawn,
    FeedbackSubmitted,
    PauseRequested,
    ReactivationRequested,
    ResumeRequested,
    RetentionOfferAnswered,
)
from services.lifecycle import (
    account,
    answering,
    cancellation,
    card,
    data,
    dunning,
    ending,
    feedback,
    forgetting,
    inactivity,
    offering,
    pausing,
    payment,
    refunding,
    reminding,
    renewal,
    resuming,
    returning,
    winning_back,
)
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Subscription
from services.lifecycle.timers import timers
from services.runtime.decision import Input, NotSeenYet, Outcome, Timer, TimerDue, When

Rule = Callable[[Any, Any, When, LifecyclePolicies], Outcome[Any]]

EVENTS: dict[type[Event], Rule] = {
    SubscriptionStarted: account.pictured,
    SubscriptionChanged: account.pictured,
    SubscriptionRenewed: account.renewed,
    DataDeleted: ending.data_deleted,
    PersonErased: forgetting.erased,
    CancellationRequested: cancellation.requested,
    CancellationWithdrawn: cancellation.withdrawn,
    RetentionOfferAnswered: answering.answered,
    FeedbackSubmitted: feedback.submitted,
    PauseRequested: pausing.requested,
    ResumeRequested: resuming.requested,
    ReactivationRequested: returning.requested,
    PaymentFailed: dunning.failed,
    PaymentSucceeded: payment.succeeded,
    PaymentMethodUpdated: card.updated,
    InactivityDetected: inactivity.detected,
    ActivityResumed: inactivity.resumed,
    RefundReceived: refunding.acknowledged,
    RefundRejected: refunding.acknowledged,
    NothingToRefund: refunding.acknowledged,
    RefundApproved: refunding.approved,
}
TIMERS: dict[str, Rule] = {  # by the name up to its first colon; a timer comes from its state, so the state is the right one
    "trial-end": ending.trial_lapsed,
    "renewal-missing": renewal.missing,
    "dunning": dunning.step_due,
    "give-up": dunning.exhausted,
    "inactivity": inactivity.step_due,
    "inactivity:deactivation": inactivity.deactivated,
    "ending-soon": ending.ending_soon,
    "end": ending.scheduled_end,
    "pause-reminder": resuming.reminded,
    "resume": resuming.due,
    "pause-expiry": resuming.expired,
    "return-reminder": returning.reminded,
    "return-expiry": returning.given_up,
    "export-reminder": data.export_reminder,
    "data-retained": data.retained,
    "data-deletion-reminder": data.deletion_soon,
    "data-deletion": data.deletion_due,
    "offer-expired": offering.expired,
    "survey": feedback.survey_due,
    "reminder": reminding.due,
    "win-back": winning_back.due,
    "refund-ack": refunding.unacknowledged,
}


class Lifecycle:
    """The rules of subscriptions, for the shell."""

    def __init__(self, policies: LifecyclePolicies) -> None:
        self.policies = policies

    def route(self, event: Event, subject: str) -> tuple[str, ...]:
        """To the subscription itself; of what refunds states, lifecycle has use for four facts only."""
        return (subject,) if type(event) in EVENTS else ()

    def supplies(self, event: Event) -> frozenset[str]:
        """A start makes the subscription known, a success its payment."""
        if isinstance(event, SubscriptionStarted):
            return frozenset({"subscription"})
        if isinstance(event, PaymentSucceeded):
            return frozenset({f"payment:{event.payment_id}"})
        return frozenset()

    def decide(self, entity_id: str, state: Subscription | None, event: Input, when: When) -> Outcome[Subscription]:
        """How the subscription answers. Raises TypeError for what is no input of lifecycle, or a timer that the state does not have."""
        if state is None:
            if isinstance(event, SubscriptionStarted):
                return account.introduced(event, when, self.policies)
            if type(event) in EVENTS:
                return NotSeenYet("subscription")
        elif (rule := EVENTS.get(type(event))) is not None:  # type: ignore[arg-type]  # a timer is simply not in there
            return rule(state, event, when, self.policies)
        elif isinstance(event, TimerDue) and any(timer.name == event.name for timer in timers(state)):
            rule = TIMERS.get(event.name) or TIMERS[event.name.partition(":")[0]]
            return rule(state, event, when, self.policies)
        raise TypeError(f"no rule for {type(event).__name__} in {type(state).__name__}")

    def timers(self, state: Subscription) -> frozenset[Timer]:
        """When the subscription wakes."""
        return timers(state)

    def name(self, state: Subscription) -> str:
        """The state's name in tables, events and mails."""
        return str(state.__struct_config__.tag)

    def identify(self, entity_id: str, state: Subscription, fact: FollowUp) -> tuple[str, str]:
        """Every follow-up of lifecycle is about the subscription itself."""
        return entity_id, self.name(state)
