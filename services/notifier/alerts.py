"""What people of ours have to look at."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from offramp_schemas import FollowUp
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas import retention_events as retention
from offramp_schemas.notification_events import AlertRaised, Audience


class Alert(NamedTuple):
    """Who has to look, and why. `about`: what they search for; none: the subscription itself."""

    audience: Audience
    cause: str
    about: str | None = None
    act_by: datetime | None = None

    def raised(self, subscription_id: str) -> AlertRaised:
        """As it is told."""
        return AlertRaised(
            audience=self.audience,
            cause=self.cause,
            about=self.about or subscription_id,
            subscription_id=subscription_id,
            act_by=self.act_by,
        )


STALLED: Mapping[int, Audience] = {1: "ops", 2: "on_call", 3: "manager"}


def alert_for(event: FollowUp) -> Alert | None:
    """The alert that the event raises, if any."""
    return _about_refunds(event) or _about_subscriptions(event)


def _about_refunds(event: FollowUp) -> Alert | None:
    match event:
        case refund.RefundStalled():
            return Alert(STALLED[event.level], f"refund_stalled.{event.cause}", event.refund_id, event.next_action_at)
        case refund.RefundReviewNeeded():
            why = ".appeal" if event.appeal else ".second_approval" if event.approved_by else ""
            return Alert("ops", f"refund_review_needed{why}", event.refund_id, event.deadline_at)
        case refund.RefundFailed():
            return Alert("finance" if event.owner == "finance" else "ops", "refund_failed", event.refund_id, event.deadline_at)
        case refund.RefundReversed():
            return Alert("ops", "refund_reversed", event.refund_id, event.deadline_at)
        case refund.ForeignRefundSeen():
            return Alert("finance", "foreign_refund", event.provider_refund_id, event.act_by)
    return None


def _about_subscriptions(event: FollowUp) -> Alert | None:
    match event:
        case lifecycle.RenewalMissing():
            return Alert("ops", "renewal_missing")
        case lifecycle.LiveDataDeleted():
            return Alert("ops", "data_deleted_in_use")
        case lifecycle.ChargedAfterCancellation():
            return Alert("finance", "charged_after_cancellation", event.payment_id)
        case lifecycle.PaymentAfterEnd():
            return Alert("finance", "payment_after_end", event.payment_id)
        case lifecycle.RefundUnacknowledged():
            return Alert("ops", "refund_unacknowledged", event.request_ref)
        case retention.PersonalOutreachRequested():
            return Alert("ops", "personal_outreach", act_by=event.act_by)
        case retention.RetentionOfferApplied() if event.offer.kind == "success_session":
            return Alert("ops", "success_session")
    return None
