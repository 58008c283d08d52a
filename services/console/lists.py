"""`offramp refunds` and `offramp dead-letters`: what waits for somebody."""

from datetime import datetime
from typing import Any

import aiohttp

from services.console import clock, screen, words
from services.console.database import SERVICES, Database, Row
from services.console.kafka import Place
from services.console.trouble import Trouble
from services.runtime.settings import Settings

_MANY = 500


def url_of(settings: Settings, service: str) -> str:
    """Where a service's pages are."""
    found: str = getattr(settings, f"{service}_url")
    return found.rstrip("/")


async def refunds(database: Database, overdue: bool, as_json: bool) -> int:
    """Prints the open refunds; with `overdue` only the late ones, and 1 if there is any."""
    now = await database.now()
    rows = await database.rows("refunds", "open_refunds", _MANY)
    late = [row for row in rows if _late(row, now)]
    shown = late if overdue else rows
    if as_json:
        screen.as_json(shown)
        return 1 if overdue and late else 0
    if not shown:
        screen.out.print("No refund is overdue." if overdue else "No refund is open.")
        return 0
    screen.table(
        ("refund", "subscription", "state", "amount", "owner", "next action", "deadline", "age"),
        [
            (
                str(row["refund_id"]), row["subscription_id"], row["state"], words.money(row["amount_minor"], row["currency"]),
                row["owner"] or "-", words.away(row["next_action_at"], now), words.moment(row["deadline_at"]),
                words.span(now - row["informed_at"]),
            )
            for row in shown
        ],
        right=("amount", "age"),
        late=[at for at, row in enumerate(shown) if _late(row, now)],
    )  # fmt: skip
    screen.out.print(screen.quiet(f"{len(shown)} open, {len(late)} overdue at {words.moment(now)}"))
    return 1 if overdue and late else 0


def _late(row: Row, now: datetime) -> bool:
    return any(row[name] is not None and row[name] < now for name in ("next_action_at", "deadline_at"))


async def dead_letters(database: Database, everything: bool, as_json: bool) -> None:
    """Prints the open dead letters of every service, or all of them."""
    rows = await database.everywhere("dead_letters", everything, _MANY)
    if as_json:
        return screen.as_json([{"service": service} | row for service, row in rows])
    if not rows:
        screen.out.print("There are no dead letters." if everything else "No dead letter is open.")
        return None
    now = await database.now()
    screen.table(
        ("place", "service", "subscription", "reason", "act by", "message"),
        [
            (
                str(_place(row)), service, (row["key"] or b"").decode(errors="replace"), row["reason"],
                row["resolution"] or f"{row['owner']}, {words.away(row['next_action_at'], now)}", " ".join(row["message"].split()),
            )
            for service, row in rows
        ],
    )  # fmt: skip
    screen.out.print(screen.quiet("offramp dead-letters show|redrive|discard '<place>'"))
    return None


async def dead_letter(database: Database, text: str, as_json: bool) -> None:
    """Prints one dead letter with what it says. Raises Trouble where there is none."""
    for service, row in await _at(database, Place.parse(text)):
        if as_json:
            screen.as_json({"service": service} | row)
            continue
        screen.out.print(screen.heading(text, f"{service}  {row['reason']} ({row['error_class']})"))
        value = (row["value"] or b"").decode(errors="replace")
        state = f"{row['resolution']} at {words.moment(row['resolved_at'])}" if row["resolution"] else f"open, {row['owner']}'s"
        facts = {
            "message": row["message"], "state": state, "note": row["note"], "since": words.moment(row["first_failed_at"]),
            "act by": row["next_action_at"] and words.moment(row["next_action_at"]), "event": row["event_id"], "source": row["source"],
            "key": (row["key"] or b"").decode(errors="replace"), "masked": "a card number" if row["redacted"] else None, "value": value,
        }  # fmt: skip
        for name, said in facts.items():
            if said:
                screen.out.print(screen.quiet(f"  {name:<10} "), said, sep="")


async def resolve(database: Database, settings: Settings, text: str, what: str, note: str | None = None) -> None:
    """Has a dead letter redriven or discarded by the service that owns it. Raises Trouble where it can't be."""
    place = Place.parse(text)
    found = [service for service, row in await _at(database, place) if row["resolved_at"] is None]
    if not found:
        raise Trouble(f"the dead letter {text} was resolved before: `offramp dead-letters show '{text}'` tells how")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        for service in found:
            url = f"{url_of(settings, service)}/dead-letters/{place.topic}/{place.partition}/{place.offset}/{what}"
            became = await clock.request(session, "POST", url, {"note": note} if note else None)
            screen.out.print(f"{text} {became['became']}", screen.quiet(f" by {service}"), sep="")


async def _at(database: Database, place: Place) -> list[tuple[str, Row]]:
    found = await database.everywhere("dead_letter_at", place.topic, place.partition, place.offset)
    if not found:
        raise Trouble(f"there is no dead letter at {place}: `offramp dead-letters list --all` names them")
    return found


def _place(row: Row) -> Place:
    return Place(row["topic"], row["part"], row["off"])


async def clocks(settings: Settings, as_json: bool) -> None:
    """Prints every service's clock."""
    urls = [url_of(settings, service) for service in SERVICES]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        found = await clock.read(session, urls)
    if as_json:
        return screen.as_json([_clock_document(service, each) for service, each in zip(SERVICES, found, strict=True)])
    screen.table(
        ("service", "business time", "next timer", ""),
        [
            (
                service, words.moment(each.now) if each.now else "the wall's", words.moment(each.next_wake),
                "settled" if each.settled else ", ".join(each.why),
            )
            for service, each in zip(SERVICES, found, strict=True)
        ],
    )  # fmt: skip
    return None


def _clock_document(service: str, found: clock.Clock) -> dict[str, Any]:
    return {"service": service, "now": found.now, "next_wake": found.next_wake, "settled": found.settled, "why": found.why}
