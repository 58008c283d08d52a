"""`offramp show`: everything that is known of one subscription, refund or mail, on one line of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.console import screen, words
from services.console.database import SERVICES, Database, Row
from services.console.trouble import Trouble

_FACTS = (
    "plan_name", "plan", "customer_id", "owner_id", "email", "canceled_at", "ends_at", "ended_at", "end_reason", "current_period_end",
    "trial_ends_at", "resumes_at", "data_stage", "inactive_since", "deactivation_due_at", "payment_id", "request_ref", "basis",
    "informed_at", "promise_due_at", "legal_due_at", "told_due_at", "owner", "deadline_at", "approved_by", "comment", "settlement_ref",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, or will."""

    at: datetime
    who: str
    verb: str
    what: str
    detail: str = ""
    routine: bool = False


async def show(database: Database, id_: str, *, everything: bool, as_json: bool) -> None:
    """Prints the subscription, refund or mail of that id. Raises Trouble where there is none.

    Without `everything` the notifier is left out where its mails say the same.
    """
    if (mail := await database.row("notifier", "mail", id_)) is not None:
        return _mail(mail, as_json)
    refund = await database.row("refunds", "refund", id_)
    subscription_id = refund["subscription_id"] if refund else id_
    subscription = await database.subscription(subscription_id)
    refunds = [refund] if refund else await database.rows("refunds", "refunds_of", id_)
    moments = await _moments(database, subscription_id, refunds, subscription)
    if not (subscription or refunds or moments):
        raise Trouble(f"nobody knows {id_!r}: it is no subscription, refund, reference of a refund, or mail")
    now = await database.now()
    if as_json:
        timeline = [{"at": each.at, "who": each.who, "verb": each.verb, "what": each.what, "detail": each.detail} for each in moments]
        return screen.as_json({"now": now, "subscription": subscription, "refunds": refunds, "timeline": timeline})
    if subscription and not refund:
        _head("subscription", subscription_id, subscription, now)
    for each in refunds:
        _head("refund", str(each["refund_id"]), each, now)
    _timeline([each for each in moments if everything or not each.routine], now)
    return None


def _head(kind: str, id_: str, row: Row, now: datetime) -> None:
    amount = words.money(row["amount_minor"], row["currency"]) if "amount_minor" in row else ""
    screen.out.print(screen.heading(f"{kind} {id_}", "  ".join(part for part in (row.get("state", ""), amount) if part)))
    for name in _FACTS:
        if (value := row.get(name)) not in (None, "", []):
            shown = f"{words.moment(value)}  {words.away(value, now)}" if isinstance(value, datetime) else _plain(value)
            screen.out.print(screen.quiet(f"  {name.removesuffix('_at').replace('_', ' '):<20} "), shown, sep="")
    screen.out.print()


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else " ".join(str(value).split())


def _timeline(moments: Iterable[Moment], now: datetime) -> None:
    said_now = False
    for each in moments:
        if each.at > now and not said_now:
            said_now = True
            screen.out.print(screen.quiet(f"{words.moment(now):>19}  {'now ':─<40}"))
        screen.out.print(screen.line(words.moment(each.at), each.who, each.verb, each.what, each.detail))


async def _moments(database: Database, subscription_id: str, refunds: list[Row], subscription: Row | None) -> list[Moment]:
    found: list[Moment] = []
    for service in SERVICES:
        found += [_transition(service, row) for row in await database.rows(service, "transitions_about", subscription_id)]
        found += [_call(service, row) for row in await database.rows(service, "calls_about", subscription_id)]
        found += [_parked(service, row) for row in await database.rows(service, "parked_about", subscription_id)]
        found += [_dead(service, row) for row in await database.rows(service, "dead_letters_about", subscription_id)]
    found += [_mail_moment(row) for row in await database.rows("notifier", "mails_of", subscription_id)]
    found += _timers("lifecycle", subscription or {}, "the subscription")
    for refund in refunds:
        found += _timers("refunds", refund, f"refund {refund['refund_id']}")
    found += _timers("notifier", await database.row("notifier", "correspondence", subscription_id) or {}, "the correspondence")
    return sorted(found, key=lambda each: each.at)


def _transition(service: str, row: Row) -> Moment:
    before, after = row["from_state"], row["to_state"]
    states = after if before == after else f"{before or 'new'} → {after}"
    told = f"told {row['facts'].replace(',', ', ')}" if row["facts"] else ""
    return Moment(
        row["at"],
        service,
        "applied",
        row["event"],
        "  ".join(part for part in (states, f"v{row['version']}", told) if part),
        service == "notifier",
    )


def _call(service: str, row: Row) -> Moment:
    outcome = row["outcome"] or "under way"
    return Moment(
        row["asked_at"],
        service,
        "call",
        f"{row['kind']}: {outcome}",
        f"{row['idempotency_key']}, {_times(row['attempts'])}",
        service == "notifier" and row["outcome"] == "answered",
    )


def _times(number: int) -> str:
    return "1 try" if number == 1 else f"{number} tries"


def _parked(service: str, row: Row) -> Moment:
    detail = f"{row['event_id']}, until {words.moment(row['give_up_at'])}, then it is {row['owner']}'s"
    return Moment(row["parked_at"], service, "parked", f"waits for {row['waits_for']}", detail)


def _dead(service: str, row: Row) -> Moment:
    place = f"{row['topic']}[{row['part']}]@{row['off']}"
    return Moment(
        row["first_failed_at"], service, "dead letter", f"{row['reason']}: {row['message']}", f"{place} {row['resolution'] or 'open'}"
    )


def _mail_moment(row: Row) -> Moment:
    at: datetime = row["closed_at"] or row["send_after"]
    verb = {"sent": "mail sent", "queued": "mail waits"}.get(row["state"], str(row["state"]))
    return Moment(
        at, "notifier", verb, row["template"], "  ".join(part for part in (row["reason"], f"offramp show {row['mail_id']}") if part)
    )


def _timers(service: str, row: Row, what: str) -> list[Moment]:
    waking = (("wake_at", "wakes"), ("guarded_wake_at", "wakes, once every input is read"), ("next_action_at", "is looked at"))
    return [Moment(row[name], service, "timer", f"{what} {says}") for name, says in waking if row.get(name)]


def _mail(mail: Row, as_json: bool) -> None:
    if as_json:
        return screen.as_json(mail)
    screen.out.print(screen.heading(f"mail {mail['mail_id']}", f"{mail['state']}  {mail['reason'] or ''}"))
    facts: dict[str, Any] = {
        "template": f"{mail['template']} ({mail['class']}, {mail['locale']})",
        "about": f"{mail['entity_id']}, version {mail['version']}",
        "subscription": mail["subscription_id"],
        "closed" if mail["closed_at"] else "waits until": words.moment(mail["closed_at"] or mail["send_after"]),
        "message id": mail["message_id"],
    }
    for name, value in facts.items():
        screen.out.print(screen.quiet(f"  {name:<20} "), str(value), sep="")
    screen.out.print()
    missing = (
        "it is written when it leaves" if mail["state"] == "queued" else "its text is not kept: it was not sent, or more than 35 days ago"
    )
    screen.out.print(mail["rendered"] or screen.quiet(f"  {missing}"))
    return None
