"""`offramp audit`: what must never be, looked for from outside. Every check is a query, or a comparison, whose result must be empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from services.console import audit_kafka, audit_provider, screen
from services.console.database import QUERIES, SERVICES, Database
from services.console.violation import Violation
from services.runtime.settings import Settings

EXAMPLES = 3
BOUND = timedelta(minutes=5)
Found = Mapping[str, Sequence[Violation]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """What always holds. `checks`: queries of audit.sql and the services they are run in. `outside`: the option that looks further."""

    number: str
    says: str
    checks: Mapping[str, Sequence[str]] = field(repr=False)
    outside: str | None = None


_LIFECYCLE, _REFUNDS, _NOTIFIER = ("lifecycle",), ("refunds",), ("notifier",)
INVARIANTS = (
    Invariant(
        "I1", "every record has exactly one disposition, and the counts add up",
        {
            "counted_below_nothing": SERVICES, "parked_is_not_what_was_counted": SERVICES, "more_disposed_of_than_counted": SERVICES,
            "parked_in_one_place_only": SERVICES, "dead_without_a_letter": SERVICES, "two_dispositions": SERVICES,
            "let_go_and_never_taken": SERVICES,
        }, "--read-back",
    ),
    Invariant("I2", "an event is applied at most once", {"applied_twice": SERVICES, "conflict_with_an_effect": SERVICES}),
    Invariant(
        "I3", "versions have no gap, and every applied event has its transition",
        {
            "versions_with_a_gap": SERVICES, "version_without_its_transition": SERVICES, "applied_without_a_transition": SERVICES,
            "effect_without_an_event": SERVICES,
        },
    ),
    Invariant(
        "I4", "nothing that is open is forgotten",
        {
            "case_of_nobody": SERVICES, "mail_of_nobody": _NOTIFIER, "subscription_asleep": _LIFECYCLE, "dunning_asleep": _LIFECYCLE,
            "refund_never_acknowledged": _LIFECYCLE, "refund_asleep": _REFUNDS, "account_sleeps_too_long": _REFUNDS,
            "foreign_refund_asleep": _REFUNDS, "foreign_refund_not_counted": _REFUNDS, "wish_never_answered": _REFUNDS,
            "question_that_nobody_asks": _REFUNDS, "mail_asleep": _NOTIFIER, "correspondence_asleep": _NOTIFIER,
        },
    ),
    Invariant(
        "I5", "timers fire once, and in time",
        {"overdue": SERVICES, "fired_twice": SERVICES, "fired_early": SERVICES, "call_that_nobody_makes": SERVICES},
    ),
    Invariant("I6", "never more back than was captured", {"more_back_than_captured": _REFUNDS, "another_currency": _REFUNDS}),
    Invariant("I7", "whatever was told is on Kafka, in order, and nothing else", {"told_and_never_sent": SERVICES}, "--read-back"),
    Invariant(
        "I8", "one mail for each fact, template and recipient", {"two_mails_of_one_fact": _NOTIFIER, "two_mails_of_one_name": _NOTIFIER}
    ),
    Invariant(
        "I9", "one refund at the provider for each key, and one open attempt for each refund",
        {"two_open_attempts": _REFUNDS, "attempts_of_one_key": _REFUNDS, "paid_by_no_attempt": _REFUNDS}, "--provider",
    ),
)  # fmt: skip


async def violations(
    database: Database, *, read_back: Settings | None = None, provider: str | None = None, bound: timedelta = BOUND
) -> Found:
    """What violates each invariant, by its number. `read_back` leads to Kafka, `provider` to its list of refunds. Raises Trouble."""
    found: dict[str, list[Violation]] = {}
    for invariant in INVARIANTS:
        found[invariant.number] = [
            each for check, services in invariant.checks.items() for each in await _rows(database, check, services, bound)
        ]
    if read_back:
        for number, differences in (await audit_kafka.differences(database, read_back)).items():
            found[number] += differences
    if provider:
        found["I9"] += await audit_provider.differences(database, provider)
    return found


async def _rows(database: Database, check: str, services: Sequence[str], bound: timedelta) -> list[Violation]:
    known = {"$1": await database.now(), "$2": bound}
    arguments = [value for mark, value in known.items() if mark in QUERIES[check]]
    by_service = [(service, await database.rows(service, check, *arguments)) for service in services]
    return [Violation(check, service, meaning(check), rows) for service, rows in by_service if rows]


def meaning(check: str) -> str:
    """What a row of a query is: the comment below its name."""
    return QUERIES[check].partition("\n")[0].removeprefix("-- ")


def report(found: Found, looked: Sequence[str]) -> None:
    """Prints a line for each invariant, and what violates it. `looked`: the options that looked further."""
    for invariant in INVARIANTS:
        here = found[invariant.number]
        further = f"({invariant.outside} looks further)" if invariant.outside and invariant.outside not in looked else ""
        screen.out.print(screen.verdict(not here, invariant.number, invariant.says, further))
        for violation in here:
            screen.out.print(f"     {violation.meaning}", screen.quiet(f"  {violation.service}, {len(violation.rows)}"), sep="")
            for row in violation.rows[:EXAMPLES]:
                screen.out.print(screen.quiet("       " + "  ".join(f"{name} {value}" for name, value in row.items())))
    broken = sum(map(bool, found.values()))
    screen.out.print(f"{broken} of {len(found)} invariants are violated" if broken else "All of them hold.")


def document(found: Found) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {"invariant": each.number, "says": each.says, "holds": not found[each.number], "violations": [*map(_document, found[each.number])]}
        for each in INVARIANTS
    ]


def _document(violation: Violation) -> dict[str, Any]:
    return {
        "check": violation.check,
        "service": violation.service,
        "meaning": violation.meaning,
        "count": len(violation.rows),
        "examples": violation.rows[:EXAMPLES],
    }
