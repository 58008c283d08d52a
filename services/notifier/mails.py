"""Which follow-up becomes which mail, and why another becomes none."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from offramp_schemas import FollowUp
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas import refund_events as refund
from offramp_schemas import retention_events as retention
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
    "data_deleted_in_use": "proof",
    "retention_offer_applied": "proof",
    "retention_offer_expired": "proof",
    "retention_offer_rejected": "proof",
    "paused": "proof",
    "pause_rejected": "proof",
    "resumed": "proof",
    "resume_rejected": "proof",
    "reactivated": "proof",
    "reactivation_rejected": "proof",
    "payment_after_end": "proof",
    "refund_received": "proof",
    "refund_approved": "proof",
    "refund_rejected": "proof",
    "refund_nothing_paid": "proof",
    "refund_issued": "proof",
    "refund_action_needed": "proof",
    "refund_delayed": "proof",
    "refund_status": "proof",
    "refund_failed": "proof",
    "refund_reversed": "proof",
    "refund_settled": "proof",
    "refund_superseded": "proof",
    "refund_appeal_received": "proof",
    "refund_appeal_rejected": "proof",
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
    "data_deletion_reminder": "status",
    "feedback_technical": "status",
    "resuming_soon": "status",
    "resume_needs_card": "status",
    "reactivation_needs_card": "status",
    "renewal_reminder": "status",
    "price_change": "status",
    "trial_ending": "status",
    # marketing: held like status; only with consent, and with a way to end it in one click
    "retention_offer": "marketing",
    "survey": "marketing",
    "win_back": "marketing",
    "win_back_again": "marketing",
}


class Tell(NamedTuple):
    """The customer is written to. `cause` is what has to hold still when a mail leaves that is no proof."""

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


def _why(event: retention.FeedbackRecorded) -> Choice:
    if "technical_issues" in event.feedback:
        return Tell("feedback_technical", "feedback")
    return Skip("the answer is for us to read; only trouble that can be mended is followed up")


def _offer_is_over(event: retention.RetentionOfferExpired) -> Choice:
    if event.answered_late:
        return Tell("retention_offer_expired")
    return Skip("nobody wanted it, so nobody needs to hear that it is over")


def _unless_repeated(template: str) -> Callable[[refund.RefundReceived | refund.RefundRejected | refund.NothingToRefund], Choice]:
    return lambda event: Skip("lifecycle asked again for what the customer knows already") if event.repeat else Tell(template)


MAILS: Mapping[type[FollowUp], Rule] = {
    # of lifecycle
    lifecycle.CancellationScheduled: Tell("cancellation_scheduled"),
    lifecycle.CancellationRejected: _rejected,
    lifecycle.CancellationUndone: Tell("cancellation_undone"),
    lifecycle.SubscriptionEndingSoon: Tell("ending_soon", "cancellation"),
    lifecycle.SubscriptionEnded: _ended,
    lifecycle.SubscriptionDeactivated: Skip("SubscriptionEnded comes with it, and tells when the data goes too"),
    lifecycle.SubscriptionActivated: Skip("good news that billing's receipt tells"),
    lifecycle.DataExportDue: Tell("data_export_reminder", "data"),
    lifecycle.DataRetained: Skip("for the owner of the data; the customer was told with the end or the pause"),
    lifecycle.DataDeletionSoon: Tell("data_deletion_reminder", "data"),
    lifecycle.DataDeletionDue: Skip("for the owner of the data; the customer was told the date"),
    lifecycle.SubscriptionDataDeleted: Tell("data_deleted"),
    lifecycle.LiveDataDeleted: Tell("data_deleted_in_use"),
    lifecycle.PersonForgotten: Skip("who asked to be forgotten is not written to"),
    lifecycle.PaymentPastDue: lambda e: Tell("payment_failed" if e.kind == "soft" else "payment_failed_card", f"invoice:{e.invoice_id}"),
    lifecycle.PaymentRetryDue: _retry,
    lifecycle.CardUpdateDue: lambda e: Tell(
        "payment_card_reminder" if e.step < e.steps else "payment_last_notice", f"invoice:{e.invoice_id}"
    ),
    lifecycle.PaymentRecovered: Tell("payment_recovered", "recovery"),
    lifecycle.DunningExhausted: Skip("the end that comes with it is told"),
    lifecycle.DunningStopped: Skip("the confirmation of the cancellation names the open invoice"),
    lifecycle.InactivityWarned: _inactive,
    lifecycle.InactivityCleared: Skip("the customer is back and knows it"),
    lifecycle.RenewalUpcoming: lambda e: Tell("renewal_reminder" if e.kind == "renewal" else e.kind, "renewal"),
    lifecycle.RenewalMissing: Skip("for ops: nothing has changed for the customer"),
    lifecycle.ChargedAfterCancellation: Skip("for finance; the customer hears of the refund that comes with it"),
    lifecycle.PaymentAfterEnd: Tell("payment_after_end"),
    lifecycle.RefundUnacknowledged: Skip("for ops: the customer has no use for our plumbing"),
    # of lifecycle, about staying and returning
    retention.RetentionOffered: Tell("retention_offer", "offer"),
    retention.RetentionOfferApplied: lambda e: (
        Skip("SubscriptionPaused comes with it, and says more") if e.offer.kind == "pause" else Tell("retention_offer_applied")
    ),
    retention.RetentionOfferDeclined: Skip("the customer said no and need not hear it back; the cancellation was confirmed"),
    retention.RetentionOfferExpired: _offer_is_over,
    retention.RetentionOfferRejected: Tell("retention_offer_rejected"),
    retention.FeedbackRecorded: _why,
    retention.SurveyDue: Tell("survey", "survey"),
    retention.PersonalOutreachRequested: Skip("a person writes instead"),
    retention.WinBackDue: lambda e: Tell("win_back" if e.step == 1 else "win_back_again", "win_back"),
    # of lifecycle, about pauses and ways back
    pause.SubscriptionPaused: Tell("paused"),
    pause.PauseRejected: Tell("pause_rejected"),
    pause.ResumingSoon: Tell("resuming_soon", "pause"),
    pause.SubscriptionResumed: Tell("resumed"),
    pause.ResumeRejected: Tell("resume_rejected"),
    pause.PaymentMethodNeeded: lambda e: Tell(f"{e.purpose}_needs_card", "return"),
    pause.ReactivationChargeDue: Skip("for billing; the customer hears whether it worked"),
    pause.SubscriptionReactivated: Tell("reactivated"),
    pause.ReactivationRejected: Tell("reactivation_rejected"),
    # of refunds
    refund.RefundReceived: _unless_repeated("refund_received"),
    refund.RefundReviewNeeded: Skip("for ops; RefundReceived tells the customer that a person decides, and by when"),
    refund.RefundApproved: Tell("refund_approved"),
    refund.RefundRejected: _unless_repeated("refund_rejected"),
    refund.NothingToRefund: _unless_repeated("refund_nothing_paid"),
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
    refund.RefundAppealReceived: Tell("refund_appeal_received"),
    refund.RefundAppealRejected: Tell("refund_appeal_rejected"),
    refund.RefundSuperseded: Tell("refund_superseded"),
    refund.ForeignRefundSeen: Skip("for finance: it is nobody's request"),
    refund.ForeignRefundClosed: Skip("for finance: it is nobody's request"),
}


def choose(event: FollowUp) -> Choice:
    """The mail that the event asks for, or why there is none. KeyError for a follow-up that nobody has thought of."""
    rule = MAILS[type(event)]
    return rule if isinstance(rule, (Tell, Skip)) else rule(event)
