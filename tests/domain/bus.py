"""A service in memory: its real rules in the shell's real fold and queues, with the contract's own wire on both sides.

No Kafka, no Postgres. What the shell's transaction would write stays in `Room`: entities, parked events, the inbox of what was heard.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from offramp_schemas import Event, decode, inputs_of
from services.runtime.decision import Call, CallAnswered, Decider
from services.runtime.fold import Cause, Fold
from services.runtime.queues import Queues
from services.runtime.records import Record, hear, unpack_headers


class Asked(NamedTuple):
    """A call that waits for its answer."""

    entity_id: str
    call: Call
    cause: Cause


@dataclass
class Happened:
    """What one step of a service led to: the entity it was about, before and after, and what it told and asked."""

    service: str
    entity_id: str
    what: Event | str
    before: Any
    after: Any
    told: list[Record] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


class Room:
    """One service. It reads one record, fires one entity's timers, or hears one answer, and says what came of it."""

    def __init__(self, name: str, decider: Decider[Any], now: datetime) -> None:
        self.name, self.decider = name, decider
        self.fold: Fold[Any] = Fold(name, decider, now, {})
        self.queues = Queues(self.fold)
        self.inboxes: dict[str, deque[Record]] = {topic.name: deque() for topic in inputs_of(name)}
        self.heard: set[tuple[str, str]] = set()
        self.down = False
        self._wakes: dict[str, datetime] = {}

    def state(self, entity_id: str) -> Any:
        """What it knows of an entity; None: nothing."""
        entity = self.fold.entities.get(entity_id)
        return entity.state if entity else None

    def unread(self) -> list[str]:
        """The topics that have something for it."""
        return [] if self.down else [topic for topic, records in self.inboxes.items() if records]

    def read(self, topic: str) -> Happened | None:
        """The next record of a topic; None: it was heard before."""
        record = self.inboxes[topic].popleft()
        heard = hear(record, record.appended_at)
        envelope = heard.envelope
        if (envelope.source, envelope.id) in self.heard:
            return None
        self.heard.add((envelope.source, envelope.id))
        entity_id = next(iter(self.decider.route(envelope.data, envelope.subject)), envelope.subject)
        before = self.state(entity_id)
        self.queues.hear(heard)
        return self._done(entity_id, envelope.data, before)

    def wakes(self) -> Iterator[tuple[datetime, str]]:
        """When which entity wakes by itself."""
        if not self.down:
            yield from ((at, entity_id) for entity_id, at in self._wakes.items())
            yield from ((queue[0].give_up_at, entity_id) for entity_id, queue in self.queues.waiting.items() if queue)

    def wake(self, entity_id: str) -> Happened:
        """Fires what is due, and buries what has waited in vain."""
        before = self.state(entity_id)
        self.fold.fire(entity_id, self.fold.now)  # everything was read, whatever it takes away
        self.queues.give_up(entity_id, self.fold.now)
        return self._done(entity_id, "timer", before)

    def answer(self, asked: Asked, answer: dict[str, Any] | None, trouble: str | None) -> Happened:
        """A call is answered, or there is no answer."""
        before = self.state(asked.entity_id)
        answered = CallAnswered(asked.call.kind, asked.call.key, answer, None if answer is not None else trouble)
        self.fold.answer(asked.entity_id, answered, asked.cause.correlationid, None)
        return self._done(asked.entity_id, f"answer to {asked.call.kind}", before)

    def _done(self, entity_id: str, what: Event | str, before: Any) -> Happened:
        fold = self.fold
        for changed in fold.changed.values():
            self._wakes.pop(changed.entity_id, None)
            if timers := self.decider.timers(changed.state):
                self._wakes[changed.entity_id] = min(timer.due_at for timer in timers)
        happened = Happened(self.name, entity_id, what, before, self.state(entity_id))
        happened.told = [Record(each.topic, 0, 0, each.key, each.payload, unpack_headers(each.headers), fold.now) for each in fold.emitted]
        happened.asked = [Asked(*each) for each in fold.calls]
        for written in (fold.changed, fold.emitted, fold.calls, fold.transitions):
            written.clear()
        return happened


def event_of(record: Record) -> Event:
    """What a record says."""
    return decode(record.topic, record.key, record.value, record.headers).data
