"""How subscriptions stood when a replay begins, as events that say so, made from what the tables know today.

The tables hold today's state alone. What is known of a subscription that was simply active (or on trial) can be told as billing would have
told it: its plan, price and owner as they are today, and what was paid before. One in the midst of something (dunning, a scheduled end, a
pause, a refund) can't be put back to where it stood: it is left out, and counted.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from offramp_schemas import Envelope, Event
from offramp_schemas.account import SubscriptionRenewed, SubscriptionStarted
from offramp_schemas.payment import PaymentSucceeded
from services.console.database import Database, Row

_SOURCE = "//replay"
_FACTS = (
    "customer_id", "owner_id", "plan", "plan_name", "price_minor", "currency", "country", "consumer", "interval", "commitment_ends_at",
    "account_created_at", "marketing_consent", "reseller",
)  # fmt: skip


@dataclass(slots=True)
class Beginnings:
    """`envelopes` introduce the subscriptions that began before Kafka's memory; `left_out` counts those who can't be introduced, by why."""

    begin: datetime

    envelopes: list[Envelope] = field(default_factory=list)
    started: set[str] = field(default_factory=set)
    introduced: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)

    def hears(self, envelope: Envelope) -> bool:
        """Whether an event can be decided again: of a subscription whose start is among the events, even what was before the beginning."""
        return envelope.subject in self.started or (envelope.subject in self.introduced and envelope.time >= self.begin)


async def beginnings(database: Database, events: Iterable[Envelope], begin: datetime) -> Beginnings:
    """Of every subscription whose start is among the events, and of those that an event since `begin` is about."""
    found = Beginnings(begin)
    first_heard: dict[str, datetime] = {}
    periods: dict[str, datetime] = {}
    for each in sorted(events, key=lambda each: each.time):
        if each.time >= begin:
            first_heard.setdefault(each.subject, each.time)
        if isinstance(each.data, SubscriptionStarted):
            found.started.add(each.subject)
        if isinstance(each.data, SubscriptionRenewed) and each.time >= begin:
            periods.setdefault(each.subject, each.data.current_period_start)
    wanted = sorted(first_heard.keys() - found.started)
    moments = [first_heard[each] for each in wanted]
    known = {row["subscription_id"]: row for row in await database.rows("lifecycle", "stood", wanted, moments, begin)}
    paid = {row["subscription_id"]: row for row in await database.rows("refunds", "paid_before", wanted)}
    for subscription in wanted:
        why = _introduce(found, subscription, known.get(subscription), paid.get(subscription), periods.get(subscription))
        if why:
            found.left_out[why] += 1
    return found


def _introduce(found: Beginnings, subscription: str, row: Row | None, account: Row | None, period_end: datetime | None) -> str | None:
    """Adds what tells of the subscription; or says why it can't be told."""
    if row is None:
        return "not known to lifecycle"
    begin: datetime = row["at"]
    details, account_details = json.loads(row["details"]), json.loads(account["details"]) if account else {}
    if any(_moment(each["informed_at"]) < begin for each in account_details.get("refunds", {}).values()):
        return "with a refund before"
    trial_ends_at = details.get("trial_ends_at")
    if row["stood"] not in ("active", "trialing") or (row["stood"] == "trialing" and not trial_ends_at):
        return f"{row['stood'].replace('_', ' ') if row['stood'] else 'of unknown state'} at the beginning"
    facts = details["facts"]
    started_at = min(_moment(facts["contract_at"]), begin)
    picture: dict[str, Any] = {name: facts[name] for name in _FACTS if name in facts}
    picture["contact"] = {name: facts[name] for name in ("email", "name", "locale")}
    picture["current_period_end"] = period_end.isoformat() if period_end else facts.get("period_end")
    if method := facts.get("method"):
        picture |= {"payment_method_on_file": method["on_file"], "card_brand": method.get("brand"), "card_last4": method.get("last4")}
    picture["trial_ends_at"] = trial_ends_at if row["stood"] == "trialing" else None
    told: list[tuple[datetime, Event]] = [(started_at, SubscriptionStarted.model_validate_json(json.dumps(picture)))]
    payments = [(_moment(each["captured_at"]), each) for each in account_details.get("payments", {}).values()]
    told += [(max(captured_at, started_at), _payment(each)) for captured_at, each in payments if captured_at < begin]
    found.introduced.add(subscription)
    found.envelopes += [Envelope(f"{subscription}-{n}", _SOURCE, at, subscription, event) for n, (at, event) in enumerate(told)]
    return None


def _payment(known: dict[str, Any]) -> PaymentSucceeded:
    said = {name: known.get(name) for name in ("payment_id", "provider_payment_id", "currency", "period_end")}
    return PaymentSucceeded.model_validate_json(
        json.dumps(said | {"invoice_id": known["payment_id"], "amount_minor": known["captured_minor"]})
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
