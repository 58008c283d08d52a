"""What one transaction will write: events fold into entities in order, in memory. No I/O, no clock."""

import uuid
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from offramp_schemas import TOPIC_OF, TYPE_OF, Envelope, Event, FollowUp, Reason, encode
from services.runtime.decision import (
    Call,
    CallAnswered,
    Decider,
    Decision,
    Ignored,
    Input,
    NotSeenYet,
    Outcome,
    Refused,
    TimerDue,
    When,
    id_of,
)
from services.runtime.records import DeadLetter, Record, pack_headers
from services.runtime.stored import Entity

State = TypeVar("State")
FOLLOW_UPS = uuid.UUID("7f1d5c0e-5b0f-5a3e-9a57-0ff4a3900001")
SHARDS = 16
MAX_FIRINGS = 1000  # of one entity in one transaction: a bound, not a rule
QUARANTINE = timedelta(days=1)


class Cause(NamedTuple):  # a tuple, as everything that is made for every event: a frozen dataclass takes four times as long
    """What made something happen: an event, a timer or an answer. Ids of follow-ups are derived from it."""

    source: str
    id: str
    name: str
    correlationid: str
    traceparent: str | None = None


class Emitted(NamedTuple):
    """A row of the outbox, in the order of the query's arrays."""

    shard: int
    id: str
    topic: str
    type: str
    key: bytes | None
    payload: bytes | None
    headers: bytes


def shard_of(key: bytes | None) -> int:
    """The relay's shard of a key: order holds within it."""
    return zlib.crc32(key or b"") % SHARDS


class Fold(Generic[State]):
    """The working set of one transaction over a service's entities."""

    def __init__(self, service: str, decider: Decider[State], now: datetime, entities: dict[str, Entity[State]]) -> None:
        self.service, self.decider, self.now, self.entities = service, decider, now, entities
        self.changed: dict[str, Entity[State]] = {}
        self.transitions: list[tuple[str, int, str, str, str, str | None, str, str]] = []
        self.emitted: list[Emitted] = []
        self.calls: list[tuple[str, Call, Cause]] = []
        self.stuck: list[DeadLetter] = []

    def hear(self, envelope: Envelope, received_at: datetime) -> Decision[State] | Ignored | NotSeenYet | Refused:
        """Lets every entity the event is routed to answer it; all or none. An exception of a rule leaves no trace."""
        when = When(self.now, min(envelope.time, received_at))
        cause = Cause(
            envelope.source, envelope.id, type(envelope.data).kebab(), envelope.correlationid or envelope.id, envelope.traceparent
        )
        answers: list[tuple[str, Decision[State]]] = []
        ignored: Ignored | None = None
        for entity_id in self.decider.route(envelope.data, envelope.subject):
            outcome = self._decide(entity_id, envelope.data, when)
            if isinstance(outcome, Decision):
                answers.append((entity_id, outcome))
            elif isinstance(outcome, Ignored):
                ignored = outcome
            else:
                return outcome
        for position, (entity_id, decision) in enumerate(answers):
            self._take(entity_id, decision, cause, position)
        return answers[0][1] if answers else ignored or Ignored("not for this service")

    def fire(self, entity_id: str, seen_through: datetime | None) -> int:
        """Fires the timers that are due, each at most once; returns how many."""
        fired = 0
        while fired < MAX_FIRINGS and (entity := self.entities.get(entity_id)):
            due = [timer for timer in self.decider.timers(entity.state) if self._is_due(timer.due_at, timer.takes_away, seen_through)]
            if not due:
                return fired
            timer = min(due, key=lambda each: (each.due_at, each.name))
            name = f"{entity_id}:{timer.name}:{timer.due_at.isoformat()}"
            outcome = self._guarded(entity_id, TimerDue(timer.name, timer.due_at), When(self.now, timer.due_at), name)
            if outcome is None:
                return fired
            if not isinstance(outcome, Decision) or timer in self.decider.timers(outcome.state):
                self.quarantine(entity_id, name, "the timer is still due after it fired")
                return fired
            self._take(entity_id, outcome, Cause(f"//offramp/{self.service}/timer", name, f"timer {timer.name}", name), 0)
            fired += 1
        return fired

    def answer(self, entity_id: str, answered: CallAnswered, correlationid: str, traceparent: str | None) -> None:
        """Lets the entity hear what became of its call, in the name of what asked for it."""
        outcome = self._guarded(entity_id, answered, When(self.now, self.now), answered.key)
        if isinstance(outcome, Decision):
            cause = Cause(f"//offramp/{self.service}/call", answered.key, f"call {answered.kind}", correlationid, traceparent)
            self._take(entity_id, outcome, cause, 0)

    def entities_to_store(self) -> list[Entity[State]]:
        """The changed entities, with the wake-ups of their last state."""
        for entity in self.changed.values():
            timers = self.decider.timers(entity.state)
            entity.wake_at = min((timer.due_at for timer in timers if not timer.takes_away), default=None)
            entity.guarded_wake_at = min((timer.due_at for timer in timers if timer.takes_away), default=None)
        for letter in self.stuck:
            if (quarantined := self.changed.get(_text(letter.record.key))) is not None:
                quarantined.wake_at, quarantined.guarded_wake_at = self.now + QUARANTINE, None
        return list(self.changed.values())

    def quarantine(self, entity_id: str, name: str, message: str) -> None:
        """Lets the entity sleep for a day, because `name` does not work with it, and tells somebody."""
        value = msgspec.json.encode({"entity": entity_id, "what": name})
        offset = int(self.now.timestamp() * 1_000_000) + len(self.stuck)
        record = Record("timers", 0, offset, entity_id.encode(), value, (), self.now)
        self.stuck.append(DeadLetter(record, Reason.TIMER_STUCK, message, f"//offramp/{self.service}/timer", name))
        if entity := self.entities.get(entity_id):
            self.changed[entity_id] = entity

    def _decide(self, entity_id: str, event: Input, when: When) -> Outcome[State]:
        entity = self.entities.get(entity_id)
        return self.decider.decide(entity_id, entity.state if entity else None, event, when)

    def _guarded(self, entity_id: str, event: Input, when: When, name: str) -> Outcome[State] | None:
        """A rule that fails on a timer or an answer: the entity sleeps for a day and somebody is told."""
        try:
            return self._decide(entity_id, event, when)
        except Exception as error:  # noqa: BLE001 -- whatever a rule does wrong, one entity sleeps and the process goes on
            self.quarantine(entity_id, name, f"{type(error).__name__} in a rule")
            return None

    def _is_due(self, due_at: datetime, takes_away: bool, seen_through: datetime | None) -> bool:
        if due_at > self.now:
            return False
        return not takes_away or (seen_through is not None and due_at <= seen_through)

    def _take(self, entity_id: str, decision: Decision[State], cause: Cause, position: int) -> None:
        entity = self.entities.get(entity_id)
        version = entity.version + 1 if entity else 1
        emitted = [
            self._emit(entity_id, decision.state, event, version, cause, f"{position}.{n}") for n, event in enumerate(decision.events)
        ]
        from_state = self.decider.name(entity.state) if entity else None
        to_state = self.decider.name(decision.state)
        facts = ",".join([type(event).kebab() for event in decision.events])
        if entity is None:
            entity = self.entities[entity_id] = Entity(entity_id, 0, decision.state)
        entity.version, entity.state = version, decision.state
        self.changed[entity_id] = entity
        self.emitted += emitted
        self.calls += [(entity_id, call, cause) for call in decision.calls]
        self.transitions.append((entity_id, version, cause.source, cause.id, cause.name, from_state, to_state, facts))

    def _emit(self, entity_id: str, state: State, event: Event, version: int, cause: Cause, position: str) -> Emitted:
        if isinstance(event, FollowUp):
            _, name = self.decider.identify(entity_id, state, event)
            event.__dict__.update(version=version, state=name)  # it was made for us just now; a copy would take longer than writing it
        id_ = id_of(FOLLOW_UPS, f"{self.service}|{cause.source}|{cause.id}|{entity_id}|{position}")
        envelope = Envelope(id_, f"//offramp/{self.service}", self.now, entity_id, event, cause.correlationid, cause.id, cause.traceparent)
        key, payload, headers = encode(envelope)
        kind = type(event)
        return Emitted(shard_of(key), id_, TOPIC_OF[kind].name, TYPE_OF[kind], key, payload, pack_headers(headers))


def column(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows as columns, for `unnest`; empty columns when there is no row."""
    columns = [list(each) for each in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]


def _text(key: bytes | None) -> str:
    return (key or b"").decode()
