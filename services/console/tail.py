"""`offramp tail`: topics as they are written, one line for each record."""

import contextlib
from typing import Any

from offramp_schemas import TOPICS
from services.console import kafka, screen, words
from services.console.kafka import Seen
from services.console.trouble import Trouble
from services.runtime.settings import Settings

_WAIT = 0.5  # seconds; only how often Ctrl-C and the limit are looked at


async def tail(settings: Settings, topics: tuple[str, ...], *, from_beginning: bool, as_json: bool, limit: int | None) -> None:
    """Prints until `limit` records came, or for ever. Raises Trouble."""
    chosen = [_topic(each) for each in topics] or [topic.name for topic in TOPICS]
    async with kafka.Reader.open(settings, chosen, from_beginning=from_beginning) as reader:
        printed = 0
        while limit is None or printed < limit:
            for seen in (await reader.read(_WAIT))[: None if limit is None else limit - printed]:
                printed += 1
                if as_json:
                    screen.as_json(document(seen))
                else:
                    screen.out.print(line(seen))


def _topic(name: str) -> str:
    """The topic of that name, which may be cut short: `payment` is subscription.payment.v1."""
    names = [topic.name for topic in TOPICS]
    found = [each for each in names if name in (each, each.removesuffix(".v1"))] or [each for each in names if name in each]
    if len(found) == 1:
        return found[0]
    known = ", ".join(found or names)
    raise Trouble(f"{name!r} is {'more than one topic' if found else 'no topic of ours'}: choose from {known}")


def line(seen: Seen) -> Any:
    """When, who, what, about whom, and its gist."""
    if seen.envelope is None:
        headers = {name: text.decode(errors="replace") for name, text in seen.headers if name.startswith("dlq.")}
        if "dlq.reason" in headers:
            origin = f"{headers.get('dlq.topic')}[{headers.get('dlq.partition')}]@{headers.get('dlq.offset')}"
            return screen.line(_day(headers), _who(seen), "dead letter", seen.key, f"{headers['dlq.reason']}  {origin}")
        return screen.line("", _who(seen), "unreadable", str(seen.place), str(seen.bad))
    envelope = seen.envelope
    return screen.line(words.moment(envelope.time), _who(seen), envelope.subject, type(envelope.data).kebab(), words.gist(envelope.data))


def document(seen: Seen) -> dict[str, Any]:
    """The record for programs."""
    found: dict[str, Any] = {"topic": seen.place.topic, "partition": seen.place.partition, "offset": seen.place.offset, "key": seen.key}
    if (envelope := seen.envelope) is not None:
        attributes = {name: value for name, value in envelope._asdict().items() if name != "data" and value is not None}
        return found | attributes | {"type": envelope.type, "data": envelope.data.model_dump(mode="json")}
    headers = dict(seen.headers)
    return found | {"headers": headers, "value": seen.value, "problem": str(seen.bad)}


def _who(seen: Seen) -> str:
    """The service that speaks, or the domain that is spoken of."""
    domain = seen.place.topic.partition(".")[0]
    if seen.place.topic.endswith((".events.v1", ".dead-letters.v1", ".alerts.v1")):
        return {"refund": "refunds", "notification": "notifier"}.get(domain, domain)
    return seen.place.topic.split(".")[1]


def _day(headers: dict[str, str]) -> str:
    with contextlib.suppress(KeyError, Trouble):
        return words.moment(words.when(headers["dlq.first-failed-at"]))
    return ""
