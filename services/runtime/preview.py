"""What events would do, without their being done: the same fold over the same rules, of which nothing is written.

The transaction is read-only and takes no lock: Postgres itself refuses whatever would change something, and nobody waits for a preview.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from offramp_schemas import EVENT_OF, TOPIC_OF, Envelope, Topic
from services.runtime import queues
from services.runtime.apply import QUERIES, Shell
from services.runtime.clock import BusinessClock
from services.runtime.decision import Decision, Ignored, NotSeenYet, Refused, Timer
from services.runtime.fold import Emitted, Fold
from services.runtime.queues import Queues, Tally
from services.runtime.reading import read
from services.runtime.records import Heard, Record, unpack_headers
from services.runtime.stored import Entity

State = TypeVar("State")
SOURCE = "//offramp/preview"
MOST = 100  # events of one preview
STRUCTURED = [("content-type", b"application/cloudevents+json")]
_ATTRIBUTES = ("id", "source", "type", "time", "subject", "correlationid", "causationid")


class BadPreview(Exception):
    """What was sent is no event that this service reads; the message says why."""


class _Remembering(Fold[State]):
    """Keeps what each event was answered, which a real transaction has no use for."""

    def __init__(self, service: str, decider: Any, now: datetime, entities: dict[str, Entity[State]]) -> None:
        super().__init__(service, decider, now, entities)
        self.outcomes: dict[str, Decision[State] | Ignored | NotSeenYet | Refused] = {}

    def hear(self, envelope: Envelope, received_at: datetime) -> Decision[State] | Ignored | NotSeenYet | Refused:
        """As it is, and remembered."""
        outcome = self.outcomes[envelope.id] = super().hear(envelope, received_at)
        return outcome


async def preview(shell: Shell[State], inputs: Sequence[Topic], body: object) -> dict[str, Any]:
    """What the event, or the events in their order, would do now. Ids are not looked up: each counts as new. Raises BadPreview."""
    async with shell.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        now = await shell.clock.now(connection)
        heard = [_heard(each, inputs, shell.clock, now) for each in _events(body)]
        wanted = sorted({each for one in heard for each in shell.decider.route(one.envelope.data, one.envelope.subject)})
        entities = await shell.tables.load(connection, wanted, lock=False) if wanted else {}
        before = {entity_id: (entity.version, entity.state) for entity_id, entity in entities.items()}
        fold = _Remembering(shell.service, shell.decider, now, entities)
        waiting = Queues(fold)
        for row in await connection.fetch(QUERIES["queues"], wanted):
            waiting.waiting[row["entity_id"]].append(queues.from_row(row))
    dispositions = [waiting.hear(each) for each in heard]
    return {
        "service": shell.service,
        "now": now.isoformat(),
        "events": [_told(one, disposition, fold, waiting) for one, disposition in zip(heard, dispositions, strict=True)],
        "entities": [_changed(shell, entity, before.get(entity_id)) for entity_id, entity in fold.changed.items()],
        "told": [_cloudevent(each) for each in fold.emitted],
        "asked": [{"entity": entity, "kind": call.kind, "key": call.key, "request": call.request} for entity, call, _ in fold.calls],
    }


def _events(body: object) -> list[Mapping[str, Any]]:
    events: list[Any] = body if isinstance(body, list) else [body]
    if not 1 <= len(events) <= MOST or not all(isinstance(each, dict) for each in events):
        raise BadPreview(f'send a CloudEvent, {{"type": "…", "subject": "<subscription>", "data": {{…}}}}, or a list of up to {MOST}')
    return events


def _heard(event: Mapping[str, Any], inputs: Sequence[Topic], clock: BusinessClock, now: datetime) -> Heard:
    """As a consumer reads it, only that id, source and time may be left out: it would be published now."""
    kind = EVENT_OF.get(str(event.get("type")))
    if kind is None or TOPIC_OF[kind] not in inputs:
        names = ", ".join(topic.name for topic in inputs)
        raise BadPreview(f"{event.get('type') or 'an event without a type'} is not on a topic that this service reads: {names}")
    given = {name: value for name, value in event.items() if value is not None}
    whole = {"specversion": "1.0", "id": f"preview-{uuid.uuid4()}", "source": SOURCE, "time": now.isoformat(), **given}
    value = json.dumps(whole).encode()
    record = Record(TOPIC_OF[kind].name, 0, 0, str(whole.get("subject", "")).encode(), value, STRUCTURED, now)
    heard, letters = read([record], now, Tally(), clock)
    for letter in letters:
        raise BadPreview(f"{letter.reason}: {letter.message}")
    return heard[0]


def _told(heard: Heard, disposition: str, fold: _Remembering[Any], waiting: Queues[Any]) -> dict[str, Any]:
    """What would become of the event, and the reason where that is nothing."""
    envelope, why = heard.envelope, None
    match fold.outcomes.get(envelope.id):
        case Ignored(reason):
            why = reason
        case NotSeenYet(waits_for):
            why = f"waits for the {waits_for}"
        case Refused(reason, message):
            why = f"{reason}: {message}"
        case None if disposition == "parked":
            why = "others before it still wait"
        case None:  # the rule failed
            why = next((letter.message for letter in waiting.letters if letter.event_id == envelope.id), "not for this service")
    return {"id": envelope.id, "type": envelope.type, "subject": envelope.subject, "disposition": disposition, "why": why}


def _changed(shell: Shell[State], entity: Entity[State], before: tuple[int, State] | None) -> dict[str, Any]:
    decider, earlier = shell.decider, frozenset[Timer]()
    if before:
        earlier = decider.timers(before[1])
    timers = decider.timers(entity.state)
    return {
        "entity": entity.entity_id,
        "before": _state(shell, *before) if before else None,
        "after": _state(shell, entity.version, entity.state),
        "timers": [_timer(each) | {"new": each not in earlier} for each in _by_time(timers)],
        "timers_gone": [_timer(each) for each in _by_time(earlier - timers)],
    }


def _state(shell: Shell[State], version: int, state: State) -> dict[str, Any]:
    return {"state": shell.decider.name(state), "version": version, "details": msgspec.to_builtins(state)}


def _by_time(timers: frozenset[Timer]) -> list[Timer]:
    return sorted(timers, key=lambda each: (each.due_at, each.name))


def _timer(timer: Timer) -> dict[str, Any]:
    return {"name": timer.name, "due_at": timer.due_at.isoformat(), "waits_for_inputs": timer.takes_away}


def _cloudevent(emitted: Emitted) -> dict[str, Any]:
    """In structured mode, so that it can be shown to the next service as it is."""
    headers = {name.removeprefix("ce_"): value.decode() for name, value in unpack_headers(emitted.headers)}
    attributes = {name: headers[name] for name in _ATTRIBUTES if name in headers}
    return {"specversion": "1.0", **attributes, "data": json.loads(emitted.payload or b"null")}
