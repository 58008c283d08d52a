"""What the services state, in a few words for somebody who watches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from offramp_schemas import Event, refund_request
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas import retention_events as retention
from services.console.words import gist, money

_WHO = {1: "ops", 2: "ops on call", 3: "the manager"}


def day(moment: datetime) -> str:
    """`Wed 1 Apr`"""
    return f"{moment:%a} {moment.day} {moment:%b}"


def _hour(moment: datetime) -> str:
    return f"{day(moment)} {moment:%H:%M}"


def _amount(fact: Any) -> str:
    return money(fact.amount_minor, fact.currency)


_WORDS: Mapping[type[Event], Callable[[Any], str]] = {
    lifecycle.CancellationScheduled: lambda e: f"access until {day(e.ends_at)}, export by {day(e.export_by)}",
    lifecycle.SubscriptionEndingSoon: lambda e: f"access until {day(e.ends_at)}",
    lifecycle.SubscriptionEnded: lambda e: f"{e.end_reason.replace('_', ' ')}; export until {day(e.export_by)}",
    lifecycle.SubscriptionDeactivated: lambda e: f"not used for {e.inactive_days} days",
    lifecycle.DataExportDue: lambda e: f"export until {_hour(e.export_by)}",
    lifecycle.DataDeletionDue: lambda e: "asks whoever holds the data, daily",
    lifecycle.SubscriptionDataDeleted: lambda e: "nothing is left",
    lifecycle.PaymentPastDue: lambda e: f"{_amount(e)} open; gives up on {day(e.gives_up_at)}",
    lifecycle.PaymentRetryDue: lambda e: f"asks billing to charge again, step {e.step} of {e.steps}",
    lifecycle.CardUpdateDue: lambda e: f"a new card is needed, step {e.step} of {e.steps}",
    lifecycle.PaymentRecovered: lambda e: f"{_amount(e)} paid after step {e.after_step}",
    lifecycle.DunningExhausted: lambda e: f"{_amount(e)} unpaid after {e.steps} steps",
    lifecycle.InactivityWarned: lambda e: (
        f"{e.kind.replace('_', ' ')}: {e.inactive_days} days" + (f", deactivated on {day(e.deactivation_at)}" if e.deactivation_at else "")
    ),
    lifecycle.RenewalUpcoming: lambda e: f"{_amount(e)} on {day(e.charged_at)}",
    retention.FeedbackRecorded: lambda e: ", ".join(e.feedback).replace("_", " "),
    retention.RetentionOffered: lambda e: f"{e.offer.kind.replace('_', ' ')}, stands until {day(e.offer.expires_at)}",
    retention.RetentionOfferExpired: lambda e: f"{e.offer.kind.replace('_', ' ')}: nobody answered",
    refund_request.RefundRequested: lambda e: "to refunds, under the same reference",
    lifecycle.InactivityCleared: lambda e: "every warning is void",
    refund.RefundReceived: lambda e: f"{_amount(e)}, by right of {e.basis}",
    refund.RefundApproved: lambda e: f"by {e.approved_by}, issued by {day(e.told_due_at)}",
    refund.RefundIssued: lambda e: f"the provider has it; arrives by {day(e.arrives_by)}",
    refund.RefundArrived: lambda e: "the bank shows it",
    refund.RefundStalled: lambda e: f"level {e.level}, to {_WHO[e.level]}: {e.cause.replace('_', ' ')}",
    refund.RefundDelayed: lambda e: f"not {day(e.promised_at)} but {day(e.new_date)}",
    refund.RefundStatusReported: lambda e: f"{e.stage.replace('_', ' ')}, raised to level {e.raised_to_level}",
    refund.RefundFailed: lambda e: f"{e.reason.replace('_', ' ')}, tried {e.attempts} times",
    refund.RefundSettled: lambda e: f"by {e.method}, {e.settlement_ref}",
    refund.RefundClosed: lambda e: "watched for 30 days: nothing came back",
}


def told(fact: Event) -> str:
    """What it says, beside its name."""
    words = _WORDS.get(type(fact))
    return words(fact) if words else gist(fact)


def one_of_us(digest: str) -> str:
    """`ops:on_call:refund_stalled.provider_silent` is for `on call`."""
    return digest.split(":")[1].replace("_", " ")
