"""What is to have become of everybody, held against the database, the mailbox and the provider's books."""

from __future__ import annotations

import mailbox
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import asyncpg

from dev.demo.cast import ANNA, BEN, CARA, CAST, DAVE, EMMA, FINN, GINA, HUGO, IVY, Customer
from dev.system import System

_GOES = ("data_export_reminder", "data_deleted")
_STATES = """
select s.subscription_id, s.state, s.end_reason, s.ended_at, s.data_stage, r.state as refund, r.amount_minor, r.currency
from lifecycle.subscriptions s left join refunds.refunds r using (subscription_id)
"""
_MAILS = "select subscription_id, template, state, reason from notifier.mails where coalesce(reason, '') not like 'opted_out%'"
_PAID = """
select a.idempotency_key, a.provider_refund_id, r.amount_minor from refunds.refund_attempts a join refunds.refunds r using (refund_id)
where a.provider_refund_id is not null
"""
_LETTERS = "select key, reason from lifecycle.dead_letters union all select key, reason from refunds.dead_letters"
_WAITING = "select (select count(*) from lifecycle.parked) + (select count(*) from refunds.parked)"


@dataclass(frozen=True)
class End:
    """How it ends for one: the subscription, the refund if there was one, and every mail, in any order."""

    state: str
    mails: tuple[str, ...]
    end_reason: str | None = None
    refund: str | None = None
    data_stage: str | None = None


def _ended(reason: str, *mails: str, refund: str | None = None) -> End:
    return End("ended", (*mails, *_GOES), reason, refund, "deleted")


EXPECTED = {
    ANNA: _ended("requested", "cancellation_scheduled", "ending_soon", "ended"),
    BEN: _ended("withdrawal", "ended_at_once", "refund_received", "refund_approved", "refund_issued", refund="closed"),
    CARA: End("active", ("refund_received", "refund_approved", "refund_delayed", "refund_status", "refund_issued"), refund="closed"),
    DAVE: End("active", ("refund_received", "refund_approved", "refund_failed", "refund_settled"), refund="settled_manually"),
    EMMA: End("active", ("renewal_reminder", "payment_failed", "payment_retry", "payment_retry", "payment_recovered")),
    FINN: _ended("payment_failed", "payment_failed_card", *["payment_card_reminder"] * 3, "payment_last_notice", "ended_unpaid"),
    GINA: _ended("inactivity", "inactivity_warning", "inactivity_warning", "inactivity_last_day", "ended_unused"),
    HUGO: End("active", ("inactivity_warning",)),
    IVY: End("active", ("paid_but_unused",)),
}
ALERTED = ("ops@example.com", "on-call@example.com", "manager@example.com")
PAID_BACK = {"pi_ben_1": 4900, "pi_cara_1": 4000}
DEAD = [("sub_gina", "not_json")]


@dataclass(frozen=True)
class Found:
    """What there is. `mails`: the templates sent to each subscription; `boxes`: how many mails arrived for each address."""

    rows: dict[str, Any]
    mails: dict[str, Counter[str]]
    boxes: Counter[str]
    unsent: list[str]
    known_to_us: dict[str, int]
    known_to_provider: dict[str, int]
    provider_total: dict[str, int]
    letters: list[tuple[str, str]]
    parked: int


async def found(system: System) -> Found:
    """Reads all of it."""
    connection = await asyncpg.connect(system.admin_dsn)
    try:
        mails = await connection.fetch(_MAILS)
        rows = {row["subscription_id"]: row for row in await connection.fetch(_STATES)}
        paid = {row["provider_refund_id"]: row["amount_minor"] for row in await connection.fetch(_PAID)}
        letters = [(row["key"].decode(), row["reason"]) for row in await connection.fetch(_LETTERS)]
        parked = await connection.fetchval(_WAITING)
    finally:
        await connection.close()
    sent = [row for row in mails if row["state"] == "sent"]
    books = system.provider.ledger.all()
    totals: Counter[str] = Counter()
    for refund in books:
        totals[refund["payment_intent"]] += refund["amount"]
    return Found(
        rows,
        {
            customer.subscription_id: Counter(r["template"] for r in sent if r["subscription_id"] == customer.subscription_id)
            for customer in CAST
        },
        Counter(mail["X-RcptTo"] for mail in mailbox.Maildir(system.stack.maildir)),
        [f"{row['template']} to {row['subscription_id']} ({row['reason']})" for row in mails if row["state"] != "sent"],
        paid,
        {refund["id"]: refund["amount"] for refund in books},
        dict(totals),
        letters,
        parked,
    )


def surprises(what: Found) -> list[str]:
    """Whatever is not as it should be, a sentence each."""
    return [*_about_customers(what), *_about_the_rest(what)]


def _about_customers(what: Found) -> Iterable[str]:
    for customer, end in EXPECTED.items():
        row = what.rows.get(customer.subscription_id)
        if row is None:
            yield f"{customer.first}: lifecycle knows no {customer.subscription_id}."
            continue
        for column in ("state", "end_reason", "data_stage", "refund"):
            if row[column] != getattr(end, column):
                yield f"{customer.first}: {column} is {row[column]}, not {getattr(end, column)}."
        yield from _about_mails(customer, end, what)


def _about_mails(customer: Customer, end: End, what: Found) -> Iterable[str]:
    sent, wanted = what.mails[customer.subscription_id], Counter(end.mails)
    for template in sorted((sent - wanted) | (wanted - sent)):
        yield f"{customer.first}: {sent[template]} mails {template}, not {wanted[template]}."
    if what.boxes[customer.email] != wanted.total():
        yield f"{customer.first}: {what.boxes[customer.email]} mails in the mailbox, not {wanted.total()}."


def _about_the_rest(what: Found) -> Iterable[str]:
    if what.known_to_us != what.known_to_provider:
        yield f"The provider paid back {what.known_to_provider}, and we know of {what.known_to_us}."
    if what.provider_total != PAID_BACK:
        yield f"The provider paid back {what.provider_total}, not {PAID_BACK}."
    if what.letters != DEAD:
        yield f"The dead letters are {what.letters}, not {DEAD}."
    if what.parked:
        yield f"{what.parked} events still wait for something."
    if what.unsent:
        yield f"Not sent: {', '.join(what.unsent)}."
    for address in ALERTED:
        if not what.boxes[address]:
            yield f"{address} was not alerted."
