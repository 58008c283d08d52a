"""Every mail there is, with the contract's golden examples in it: what the tests of rendering look at."""

from typing import Any

from offramp_schemas import FollowUp
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas import refund_events as refund
from offramp_schemas import retention_events as retention
from offramp_schemas.account import Reseller
from offramp_schemas.lifecycle_events import OpenBalance
from offramp_schemas.refund_request import SETTLED_BY
from offramp_schemas.retention_events import RetentionOffer
from services.notifier.mails import Tell, choose
from tests.notifier.given import FACTS, NOW, example

OPEN = (OpenBalance(invoice_id="in_2605", amount_minor=4900, currency="EUR"),)


def _variants() -> list[FollowUp]:
    """Examples that reach the words which the golden ones don't."""
    ended = lifecycle.SubscriptionEnded
    rejected = lifecycle.CancellationRejected
    return [
        *(example(kind) for kind in FACTS),
        example(lifecycle.CancellationScheduled, reason_given=False, open_balances=OPEN, data_retained=False),
        example(lifecycle.CancellationScheduled, refund_requested=True, data_retained=True, deletion_due_at=NOW),
        example(rejected, rule="not_account_owner", requester_name="Sam Kask"),
        example(rejected, rule="not_account_owner", requester_name=None),
        example(rejected, rule="managed_by_reseller", reseller=RESELLER),
        example(rejected, rule="managed_by_reseller", reseller=None),
        example(rejected, rule="already_ended", ended_at=NOW),
        example(rejected, rule="already_ended", ended_at=None),
        example(rejected, rule="too_late_to_withdraw", ended_at=NOW),
        example(rejected, rule="too_late_to_withdraw", ended_at=None),
        example(lifecycle.CancellationUndone, renews_at=None),
        example(ended, asked_now=True, refund_requested=True, reference="CAN-1"),
        example(ended, asked_now=True, refund_requested=False, reason_given=False, open_balances=OPEN, reference=None),
        example(ended, asked_now=True, refund_requested=True, end_reason="withdrawal"),
        *(example(ended, asked_now=False, end_reason=each, open_balances=OPEN) for each in ("requested", "payment_failed", "inactivity")),
        *(example(ended, asked_now=False, end_reason=each, reference=None) for each in ("trial_expired", "refunded", "pause_expired")),
        example(ended, asked_now=False, end_reason="payment_failed", card_last4="4242"),
        example(ended, asked_now=False, end_reason="payment_failed", card_last4=None),
        *(example(ended, asked_now=asked, end_reason="requested", data_stage=stage) for asked in YES_NO for stage in DATA_STAGES),
        example(ended, asked_now=True, data_retained=True),
        example(lifecycle.PaymentPastDue, kind="soft", card_brand=None, card_last4=None, next_attempt_at=None),
        example(lifecycle.PaymentPastDue, kind="hard", card_last4="4242"),
        example(lifecycle.PaymentPastDue, kind="hard", card_last4=None),
        *(example(lifecycle.PaymentRetryDue, step=step, steps=4) for step in (1, 2, 3, 4)),
        *(example(lifecycle.CardUpdateDue, step=step, steps=4) for step in (1, 2, 4)),
        example(lifecycle.CardUpdateDue, step=4, steps=4, card_last4=None),
        *(example(lifecycle.PaymentRecovered, still_open=count) for count in (0, 1, 2)),
        *(example(lifecycle.InactivityWarned, kind=kind) for kind in ("warning", "reminder", "last_day", "paid_but_unused")),
        example(lifecycle.InactivityWarned, kind="warning", deactivation_at=None, deactivates_after_days=None, inactive_days=1),
        example(lifecycle.InactivityWarned, kind="last_day", deactivation_at=None),
        *(example(refund.RefundReceived, basis=basis) for basis in ("withdrawal", "guarantee", "goodwill", "charged_in_error")),
        *(example(refund.RefundReceived, person_decides=decides) for decides in (True, False)),
        *(example(refund.RefundRejected, rule=rule) for rule in REJECTIONS),
        example(refund.RefundRejected, rule="outside_refund_window", window_days=None, window_started_at=None, window_ended_at=None),
        example(refund.RefundRejected, rule="decided_by_person", note="You have used it\nevery day."),
        *(example(refund.RefundRejected, rule="outside_refund_window", appeal_by=until) for until in (NOW, None)),
        example(refund.RefundRejected, rule="decided_by_person", after_appeal=True, appeal_by=None),
        *(example(refund.RefundDelayed, state=state) for state in ("pending", "submitting")),
        *(example(refund.RefundSettled, method=method) for method in SETTLED_BY),
        example(refund.RefundIssued, arn=None),
        example(refund.RefundActionNeeded, action_url="https://example.com/act"),
        example(refund.RefundActionNeeded, action_url="https://elsewhere.example/act"),
        *(example(refund.RefundStatusReported, stage=stage, issued=False, raised_to_level=1) for stage in STAGES),
        example(refund.RefundStatusReported, stage="pending", issued=True, raised_to_level=0),
        example(refund.RefundFailed, deadline_at=None),
        example(refund.RefundReversed, deadline_at=None),
        *(
            example(refund.RefundAppealRejected, rule=rule, appeal_by=NOW)
            for rule in ("too_late", "appealed_before", "nothing_left_to_refund")
        ),
        example(refund.RefundAppealRejected, rule="too_late", appeal_by=None),
        example(refund.RefundSuperseded, dispute_id=None),
        *_about_staying(),
        *_about_pauses(),
        *_about_returning(),
    ]


def _offer(kind: str, **changes: Any) -> RetentionOffer:
    shown = {"discount": {"discount_percent", "discount_periods", "price_minor", "currency", "interval"}}.get(kind, set())
    whole = example(retention.RetentionOffered).offer
    kept = {name: value for name, value in whole.model_dump().items() if name in {"offer_id", "expires_at"} | shown}
    return RetentionOffer.model_validate(kept | {"kind": kind} | changes)


def _offers() -> list[RetentionOffer]:
    return [
        _offer("discount", discount_periods=1),
        _offer("discount", discount_periods=2, interval="year"),
        _offer("discount", discount_periods=None, discount_percent=None),
        _offer("pause", pause_days=90),
        _offer("pause"),
        _offer("success_session"),
        _offer("trial_extension", extension_days=14),
        _offer("trial_extension"),
    ]


def _about_staying() -> list[FollowUp]:
    reminder = lifecycle.RenewalUpcoming
    return [
        *(example(retention.RetentionOffered, offer=offer) for offer in _offers()),
        *(example(retention.RetentionOfferApplied, offer=offer, trial_ends_at=NOW, renews_at=None) for offer in _offers()),
        example(retention.RetentionOfferExpired, answered_late=True),
        *(example(retention.RetentionOfferRejected, rule=rule) for rule in ("not_account_owner", "no_open_offer")),
        example(retention.FeedbackRecorded, feedback=("technical_issues",), comment=None, cancellation_ref=None),
        *(example(retention.WinBackDue, step=step, retained_until=until) for step in (1, 2) for until in (NOW, None)),
        *(example(reminder, kind=kind, card_last4=None) for kind in ("renewal", "price_change", "trial_ending")),
        *(example(reminder, kind=kind) for kind in ("renewal", "price_change", "trial_ending")),
        example(reminder, kind="price_change", previous_minor=None),
        *(example(lifecycle.DataDeletionSoon, data_retained=retained, state="ended") for retained in (True, False)),
        example(lifecycle.DataDeletionSoon, data_retained=False, state="paused"),
        example(lifecycle.SubscriptionDataDeleted, state="paused"),
    ]


def _about_pauses() -> list[FollowUp]:
    rejected = pause.PauseRejected
    return [
        *(example(pause.SubscriptionPaused, data_retained=kept, card_removed=removed) for kept in YES_NO for removed in YES_NO),
        example(pause.SubscriptionPaused, by_offer=True),
        *(example(rejected, rule=rule, reseller=RESELLER, possible_from=None, longest_days=None) for rule in PAUSE_REJECTIONS),
        example(rejected, rule="too_long", longest_days=365),
        example(rejected, rule="paused_recently", possible_from=NOW),
        *(example(kind, rule="managed_by_reseller", reseller=None) for kind in (rejected, pause.ResumeRejected)),
        *(example(pause.ResumingSoon, needs_payment_method=needed, data_deleted=needed) for needed in YES_NO),
        example(pause.SubscriptionResumed, reference=None, renews_at=None, card_last4=None, data_deleted=True),
        example(pause.SubscriptionResumed, reference="RES-1", renews_at=NOW, card_last4="4242"),
        *(
            example(pause.ResumeRejected, rule=rule, reseller=RESELLER, ended_at=ended)
            for rule in ("not_account_owner", "managed_by_reseller", "not_paused", "already_ended")
            for ended in (NOW, None)
        ),
    ]


def _about_returning() -> list[FollowUp]:
    needed = pause.PaymentMethodNeeded
    rules = ("not_account_owner", "managed_by_reseller", "not_ended", "data_deleted", "not_paid_in_time")
    return [
        *(example(needed, purpose=purpose, declined=no, data_deleted=no) for purpose in ("resume", "reactivation") for no in YES_NO),
        example(needed, purpose="resume", reference="RES-1", reminder=2),
        example(needed, purpose="reactivation", reference="REA-1"),
        *(example(pause.SubscriptionReactivated, at_once=at_once, data_deleted=not at_once) for at_once in YES_NO),
        example(pause.SubscriptionReactivated, renews_at=None, card_last4=None),
        *(example(pause.ReactivationRejected, rule=rule, reseller=RESELLER) for rule in rules),
        example(pause.ReactivationRejected, rule="managed_by_reseller", reseller=None),
    ]


YES_NO = (True, False)
DATA_STAGES = ("grace", "retained", "deletion_due", "deleted")
RESELLER = Reseller(reseller_id="res_1", name="Cloud Partners", contact="help@cloud-partners.example")
PAUSE_REJECTIONS = (
    "not_account_owner", "managed_by_reseller", "trialing", "past_due", "cancellation_scheduled", "already_paused", "already_ended",
    "paused_recently", "too_long", "date_in_the_past",
)  # fmt: skip


REJECTIONS = ("outside_refund_window", "nothing_left_to_refund", "exceeds_payment", "decided_by_person", "not_a_consumer_withdrawal")
STAGES = (
    "requested", "pending_review", "approved", "submitting", "unknown", "pending", "requires_action", "needs_attention",
    "succeeded", "reversed", "closed", "rejected", "settled_manually", "superseded",
)  # fmt: skip


def _alert(cause: str, count: int) -> dict[str, Any]:
    first = ["c0a8f6a2-6f0b-5d3e-9a41-7be1c1d7a2f4", "sub_4hT9kQ2m"]
    data = {"audience": "ops", "cause": cause, "count": count, "first": first[:count], "since": NOW.isoformat(), "until": NOW.isoformat()}
    return {"fact": None, "data": data}


CAUSES = (
    "refund_stalled.provider_silent", "refund_review_needed", "refund_failed", "refund_reversed", "refund_unacknowledged", "refunds_silent",
    "renewal_missing", "charged_after_cancellation", "payment_after_end", "mail_undeliverable", "mail_case_overdue", "complaint",
    "personal_outreach", "success_session", "data_deleted_in_use", "foreign_refund", "refund_review_needed.appeal",
    "refund_review_needed.second_approval", "refund_stalled.something_new", "something_new",
)  # fmt: skip

LETTERS: list[tuple[str, str, dict[str, Any]]] = [
    (f"{choice.template}-{number}", choice.template, {"fact": type(fact).__name__, "data": fact.model_dump(mode="json")})
    for number, fact in enumerate(_variants())
    if isinstance(choice := choose(fact), Tell)
] + [(f"alert-{cause}", "alert", _alert(cause, 20_000 if number else 1)) for number, cause in enumerate(CAUSES)]
"""A name, a template and the context of each."""
