"""`offramp policy diff`: which numbers differ, and what would have been decided otherwise about the events of the last days. A dry run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from offramp_schemas import Envelope, inputs_of
from offramp_schemas.refund_provider import ProviderRefundUpdated
from services.console import kafka, policy, screen, words
from services.console.beginnings import Beginnings, beginnings
from services.console.database import Database
from services.console.oddities import Policy
from services.console.replay import Decided, Key, Replay, of_others
from services.runtime.settings import Settings

_REPLAYED = ("lifecycle", "refunds")
_MOST, _MOST_FIELDS = 100, 3
_BOOKKEEPING = {"state", "owner", "next_action_at", "deadline_at"}  # of a refund: whose turn it is follows from what was decided
_LIMITS = """\
Decided again: lifecycle with its timers, and refunds as far as their decision (nobody asks the payment provider). Not notifier: its
numbers change when and how mails leave. Subscriptions that began earlier stand as they are known today; those in the midst of something
are left out."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One decision, under both policies; None: not taken at all."""

    key: Key
    old: Decided | None
    new: Decided | None


async def diff(settings: Settings, old: Path, new: Path, days: int, as_json: bool) -> int:
    """Prints both; 1 if anything differs. Nothing is written. Raises Trouble."""
    before, after = policy.read(old)[1], policy.read(new)[1]
    numbers = policy.changes(before, after)
    async with Database(settings) as database:
        now = await database.now()
        kept, shortened = await _heard(settings)
        begin = max(now - timedelta(days=days), min((each.time for each in kept), default=now))
        heard = [each for each in kept if each.time >= begin]
        stood = await beginnings(database, kept, begin)
    told = stood.envelopes + [each for each in kept if stood.hears(each)]
    found = differences(before, after, told, begin, now)
    if as_json:
        screen.as_json(_document(numbers, found, heard, begin, stood))
    else:
        _show_numbers(numbers, old, new)
        _show_window(heard, begin, shortened, stood)
        _show(found)
    return 1 if numbers or found else 0


def differences(old: Policy, new: Policy, told: list[Envelope], begin: datetime, until: datetime) -> list[Difference]:
    """What is decided otherwise, in the order of what it is about."""
    before, after = (Replay(each, begin).run(told, until) for each in (old, new))
    keys = dict.fromkeys([*before, *after])
    found = [Difference(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]
    return sorted((each for each in found if _matters(each)), key=lambda each: each.key.subscription)


def _matters(each: Difference) -> bool:
    """What one run never came to, and the other only took note of, is a consequence of something that is listed."""
    return (each.old is not None and each.new is not None) or any(side.facts for side in (each.old, each.new) if side)


async def _heard(settings: Settings) -> tuple[list[Envelope], bool]:
    """What others said, each event once, as far as Kafka still has it; and whether the beginning has expired."""
    topics = {topic.name for service in _REPLAYED for topic in inputs_of(service) if set(topic.producers) - set(_REPLAYED)}
    found: dict[tuple[str, str], Envelope] = {}
    async with kafka.Reader.open(settings, sorted(topics), from_beginning=True) as reader:
        shortened = bool(await reader.shortened())
        async for batch in reader.to_the_end():
            for envelope in (seen.envelope for seen in batch if seen.envelope):
                about_provider = isinstance(envelope.data, ProviderRefundUpdated)
                if of_others(envelope) and not about_provider:
                    found.setdefault((envelope.source, envelope.id), envelope)
    return list(found.values()), shortened


def _show_numbers(numbers: list[policy.Change], old: Path, new: Path) -> None:
    if not numbers:
        screen.out.print("The numbers are the same.")
        return
    screen.table(("number", str(old), str(new)), numbers)
    screen.out.print()


def _show_window(heard: list[Envelope], begin: datetime, shortened: bool, stood: Beginnings) -> None:
    screen.out.print(
        f"{len(heard)} events since {words.moment(begin)}{' (Kafka has forgotten earlier ones)' if shortened else ''}:", end=" "
    )
    screen.out.print(f"{len(stood.started)} subscriptions from their start, {len(stood.introduced)} as they are known today")
    for why, count in stood.left_out.most_common():
        screen.out.print(screen.quiet(f"  {count} left out: {why}"))
    screen.out.print(screen.quiet(_LIMITS))
    screen.out.print()


def _show(found: list[Difference]) -> None:
    if not found:
        screen.out.print("Every decision would have been the same.")
        return
    times = Counter((each.key.subscription, each.key.what) for each in found)
    first = {(each.key.subscription, each.key.what): each for each in reversed(found)}  # what repeats itself is shown once
    rows = [_row(first[key], count) for key, count in times.items()]
    screen.table(("subscription", "event", "old decision", "new decision"), rows[:_MOST])
    if len(rows) > _MOST:
        screen.out.print(screen.quiet(f"and {len(rows) - _MOST} more; --json has them all"))
    screen.out.print()
    kinds = Counter((each.key.what.split(":")[0], _gist(each.old), _gist(each.new)) for each in found)
    screen.table(("count", "event", "old", "new"), [(str(count), *kind) for kind, count in kinds.most_common()], right=("count",))


def _row(each: Difference, times: int = 1) -> tuple[str, str, str, str]:
    repeats = f" ({times} times)" if times > 1 else ""
    return each.key.subscription, f"{each.key.what}{repeats}", said(each.old, each.new), said(each.new, each.old)


def said(decided: Decided | None, other: Decided | None) -> str:
    """A decision in a few words: what was told, and what of it differs from the other one."""
    if decided is None:
        return "-"
    facts = []
    theirs = dict(other.facts) if other else {}
    for kebab, data in decided.facts:
        facts.append(f"{kebab}{_fields(data, theirs.get(kebab))}")
    at = f"{words.moment(decided.at)} " if decided.at and (other is None or other.at != decided.at) else ""
    state = f" → {decided.state}" if other is None or other.state != decided.state else ""
    return f"{at}{', '.join(facts) or 'nothing told'}{state}"


def _fields(data: Mapping[str, Any], other: Mapping[str, Any] | None) -> str:
    if other is None:
        return ""
    names = [name for name, value in data.items() if value != other.get(name) and name not in _BOOKKEEPING]
    differing = [f"{name.replace('_', ' ')} {policy.said(data[name])}" for name in names[:_MOST_FIELDS]]
    return f" ({', '.join(differing)})" if differing else ""


def _gist(decided: Decided | None) -> str:
    return "-" if decided is None else ", ".join(kebab for kebab, _ in decided.facts) or "nothing told"


def _document(
    numbers: list[policy.Change], found: list[Difference], heard: list[Envelope], begin: datetime, stood: Beginnings
) -> dict[str, Any]:
    return {
        "numbers": [{"key": key, "old": old, "new": new} for key, old, new in numbers],
        "events": len(heard),
        "since": begin,
        "from_their_start": len(stood.started),
        "as_known_today": len(stood.introduced),
        "left_out": dict(stood.left_out),
        "decisions": [
            {"subscription": key.subscription, "service": key.service, "event": key.what, "old": old, "new": new}
            for each in found
            for key, (_, _, old, new) in ((each.key, _row(each)),)
        ],
    }
