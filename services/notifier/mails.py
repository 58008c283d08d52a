"""Which follow-up becomes which mail, why another becomes none, what makes a mail untrue, and what people of ours have to look at."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from offramp_schemas import FollowUp
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas.notification_events import Audience
from services.notifier.states import MailClass

TEMPLATES: Mapping[str, MailClass] = {
    # proof: sent at once, never suppressed
    "cancellation_scheduled": "proof",
    "cancellation_by_somebody_else": "proof",
    "cancellation_managed_by_reseller": "proof",
    "cancellation_already_ended": "proof",
    "cancellation_undone": "proof",
    "withdrawal_too_late": "proof",
    "ended_at_once": "proof",
    "ended": "proof",
    "ended_unpaid": "proof",
    "ended_unused": "proof",
    "ended_refunded": "proof",
    "trial_ended": "proof",
    "data_deleted": "proof",
    "payment_after_end": "proof",
    "refund_received": "proof",
    "refund_approved": "proof",
    "refund_rejected": "proof",
    "refund_issued": "proof",
    "refund_action_needed": "proof",
    "refund_delayed": "proof",
    "refund_status": "proof",
    "refund_failed": "proof",
    "refund_reversed": "proof",
    "refund_settled": "proof",
    "alert": "proof",
    # status: held a few minutes; suppressed when its cause has gone by then
    "ending_soon": "status",
    "data_export_reminder": "status",
    "payment_failed": "status",
    "payment_failed_card": "status",
    "payment_retry": "status",
    "payment_card_reminder": "status",
    "payment_last_notice": "status",
    "payment_recovered": "status",
    "inactivity_warning": "status",
    "inactivity_last_day": "status",
    "paid_but_unused": "status",
}


class Tell(NamedTuple):
    """The customer is written to. `cause` is what has to hold still when a status mail leaves."""

    template: str
    cause: str = ""


class Skip(NamedTuple):
    """No mail to the customer, and why."""

    reason: str


Choice = Tell | Skip
Rule = Choice | Callable[[Any], Choice]


def _rejected(event: lifecycle.CancellationRejected) -> Choice:
    return Tell(
        {
            "not_account_owner": "cancellation_by_somebody_else",
            "managed_by_reseller": "cancellation_managed_by_reseller",
            "already_ended": "cancellation_already_ended",
            "too_late_to_withdraw": "withdrawal_too_late",
        }[event.rule]
    )


def _ended(event: lifecycle.SubscriptionEnded) -> Choice:
    if event.asked_now:
        return Tell("ended_at_once")
    by_reason = {
        "payment_failed": "ended_unpaid",
        "inactivity": "ended_unused",
        "trial_expired": "trial_ended",
        "refunded": "ended_refunded",
        "withdrawal": "ended_refunded",
    }
    return Tell(by_reason.get(event.end_reason, "ended"))


def _retry(event: lifecycle.PaymentRetryDue) -> Choice:
    if event.step == 0:
        return Skip("the customer has just replaced the card, and hears whether it worked")
    return Tell("payment_retry" if event.step < event.steps else "payment_last_notice", f"invoice:{event.invoice_id}")


def _inactive(event: lifecycle.InactivityWarned) -> Choice:
    templates = {"paid_but_unused": "paid_but_unused", "last_day": "inactivity_last_day"}
    return Tell(templates.get(event.kind, "inactivity_warning"), "inactivity")


def _unless_repeated(template: str) -> Callable[[refund.RefundReceived | refund.RefundRejected], Choice]:
    return lambda event: Skip("lifecycle asked again for what the customer knows already") if event.repeat else Tell(template)


MAILS: Mapping[type[FollowUp], Rule] = {
    # lifecycle
    lifecycle.CancellationScheduled: Tell("cancellation_scheduled"),
    lifecycle.CancellationRejected: _rejected,
    lifecycle.CancellationUndone: Tell("cancellation_undone"),
    lifecycle.SubscriptionEndingSoon: Tell("ending_soon", "cancellation"),
    lifecycle.SubscriptionEnded: _ended,
    lifecycle.SubscriptionDeactivated: Skip("SubscriptionEnded comes with it, and tells when the data goes too"),
    lifecycle.SubscriptionActivated: Skip("good news that billing's receipt tells"),
    lifecycle.DataExportDue: Tell("data_export_reminder", "data"),
    lifecycle.DataDeletionDue: Skip("for the owner of the data; the customer was told the date"),
    lifecycle.SubscriptionDataDeleted: Tell("data_deleted"),
    lifecycle.PaymentPastDue: lambda e: Tell("payment_failed" if e.kind == "soft" else "payment_failed_card", f"invoice:{e.invoice_id}"),
    lifecycle.PaymentRetryDue: _retry,
    lifecycle.CardUpdateDue: lambda e: Tell(
        "payment_card_reminder" if e.step < e.steps else "payment_last_notice", f"invoice:{e.invoice_id}"
    ),
    lifecycle.PaymentRecovered: Tell("payment_recovered"),
    lifecycle.DunningExhausted: Skip("the end that comes with it is told"),
    lifecycle.DunningStopped: Skip("the confirmation of the cancellation names the open invoice"),
    lifecycle.InactivityWarned: _inactive,
    lifecycle.InactivityCleared: Skip("the customer is back and knows it"),
    lifecycle.RenewalMissing: Skip("for ops: nothing has changed for the customer"),
    lifecycle.ChargedAfterCancellation: Skip("for finance; the customer hears of the refund that comes with it"),
    lifecycle.PaymentAfterEnd: Tell("payment_after_end"),
    lifecycle.RefundUnacknowledged: Skip("for ops: the customer has no use for our plumbing"),
    # refunds
    refund.RefundReceived: _unless_repeated("refund_received"),
    refund.RefundReviewNeeded: Skip("for ops; RefundReceived tells the customer that a person decides, and by when"),
    refund.RefundApproved: Tell("refund_approved"),
    refund.RefundRejected: _unless_repeated("refund_rejected"),
    refund.RefundIssued: Tell("refund_issued"),
    refund.RefundArrived: Skip("the bank shows it; RefundIssued named amount, date and reference"),
    refund.RefundActionNeeded: Tell("refund_action_needed"),
    refund.RefundStalled: Skip("for ops; RefundDelayed tells the customer when the date changes"),
    refund.RefundDelayed: Tell("refund_delayed"),
    refund.RefundStatusReported: Tell("refund_status"),
    refund.RefundFailed: Tell("refund_failed"),
    refund.RefundReversed: Tell("refund_reversed"),
    refund.RefundSettled: Tell("refund_settled"),
    refund.RefundClosed: Skip("our watch is over; the customer has had the money for a month"),
}


def choose(event: FollowUp) -> Choice:
    """The mail that the event asks for, or why there is none. KeyError for a follow-up that nobody has thought of."""
    rule = MAILS[type(event)]
    return rule if isinstance(rule, (Tell, Skip)) else rule(event)


def voided_by(event: FollowUp) -> Mapping[str, str]:
    """Causes that no longer hold, with the reason to count; `invoice` stands for every invoice."""
    match event:
        case lifecycle.PaymentRecovered(invoice_id=invoice):
            return {f"invoice:{invoice}": "recovered"}
        case lifecycle.PaymentPastDue() | lifecycle.PaymentRetryDue() | lifecycle.CardUpdateDue() | lifecycle.DunningExhausted():
            return {f"invoice:{event.invoice_id}": "outdated"}
        case lifecycle.DunningStopped():
            return {"invoice": "ended"}
        case lifecycle.CancellationScheduled():
            return {"inactivity": "outdated"}
        case lifecycle.CancellationUndone():
            return {"cancellation": "withdrawn"}
        case lifecycle.SubscriptionEnded():
            return {"invoice": "ended", "cancellation": "ended", "inactivity": "ended"}
        case lifecycle.InactivityWarned():
            return {"inactivity": "outdated"}
        case lifecycle.InactivityCleared():
            return {"inactivity": "cleared"}
        case lifecycle.SubscriptionDataDeleted():
            return {"data": "outdated"}
    return {}


class Alert(NamedTuple):
    """What people of ours have to look at. `about`: what they search for; none: the subscription itself."""

    audience: Audience
    cause: str
    about: str | None = None
    act_by: datetime | None = None


STALLED: Mapping[int, Audience] = {1: "ops", 2: "on_call", 3: "manager"}


def alert_for(event: FollowUp) -> Alert | None:
    """The alert that the event raises, if any."""
    match event:
        case refund.RefundStalled():
            return Alert(STALLED[event.level], f"refund_stalled.{event.cause}", event.refund_id, event.next_action_at)
        case refund.RefundReviewNeeded():
            return Alert("ops", "refund_review_needed", event.refund_id, event.deadline_at)
        case refund.RefundFailed():
            return Alert("finance" if event.owner == "finance" else "ops", "refund_failed", event.refund_id, event.deadline_at)
        case refund.RefundReversed():
            return Alert("ops", "refund_reversed", event.refund_id, event.deadline_at)
        case lifecycle.RenewalMissing():
            return Alert("ops", "renewal_missing")
        case lifecycle.ChargedAfterCancellation():
            return Alert("finance", "charged_after_cancellation", event.payment_id)
        case lifecycle.PaymentAfterEnd():
            return Alert("finance", "payment_after_end", event.payment_id)
        case lifecycle.RefundUnacknowledged():
            return Alert("ops", "refund_unacknowledged", event.request_ref)
    return None
