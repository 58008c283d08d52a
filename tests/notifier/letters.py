"""Every mail there is, with the contract's golden examples in it: what the tests of rendering look at."""

from typing import Any

from offramp_schemas import FollowUp
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas.account import Reseller
from offramp_schemas.lifecycle_events import OpenBalance
from services.notifier.mails import Tell, choose
from tests.notifier.given import FACTS, NOW, example

OPEN = (OpenBalance(invoice_id="in_2605", amount_minor=4900, currency="EUR"),)


def _variants() -> list[FollowUp]:
    """Examples that reach the words which the golden ones don't."""
    ended = lifecycle.SubscriptionEnded
    rejected = lifecycle.CancellationRejected
    reseller = Reseller(reseller_id="res_1", name="Cloud Partners", contact="help@cloud-partners.example")
    return [
        *(example(kind) for kind in FACTS),
        example(lifecycle.CancellationScheduled, reason_given=False, open_balances=OPEN),
        example(rejected, rule="not_account_owner", requester_name="Sam Kask"),
        example(rejected, rule="not_account_owner", requester_name=None),
        example(rejected, rule="managed_by_reseller", reseller=reseller),
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
        example(refund.RefundIssued, arn=None),
        example(refund.RefundActionNeeded, action_url="https://example.com/act"),
        example(refund.RefundActionNeeded, action_url="https://elsewhere.example/act"),
        *(example(refund.RefundStatusReported, stage=stage, issued=False, raised_to_level=1) for stage in STAGES),
        example(refund.RefundStatusReported, stage="pending", issued=True, raised_to_level=0),
        example(refund.RefundFailed, deadline_at=None),
        example(refund.RefundReversed, deadline_at=None),
    ]


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
    "renewal_missing", "charged_after_cancellation", "payment_after_end", "mail_undeliverable", "something_new",
)  # fmt: skip

LETTERS: list[tuple[str, str, dict[str, Any]]] = [
    (f"{choice.template}-{number}", choice.template, {"fact": type(fact).__name__, "data": fact.model_dump(mode="json")})
    for number, fact in enumerate(_variants())
    if isinstance(choice := choose(fact), Tell)
] + [(f"alert-{cause}", "alert", _alert(cause, 20_000 if number else 1)) for number, cause in enumerate(CAUSES)]
"""A name, a template and the context of each."""
