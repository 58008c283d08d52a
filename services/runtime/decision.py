"""The types between the rules and the shell. Pure: nothing here knows Kafka, Postgres or a clock."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

from offramp_schemas import Event, FollowUp

State = TypeVar("State")


def id_of(space: UUID, name: str) -> str:
    """The UUID that `uuid.uuid5(space, name)` gives, as text, in a third of the time: the same name always has the same id."""
    digits = hashlib.sha1(space.bytes + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


@dataclass(frozen=True, slots=True)
class When:
    """The two moments a rule may ask for, both business time in UTC.

    `now` is when the event is decided; `at` is when it happened, never later than when it was received. "In time" is judged by `at`.
    """

    now: datetime
    at: datetime


class Timer(NamedTuple):  # a tuple, since every state is asked for all of its timers: a frozen dataclass takes four times as long
    """A moment at which the entity wakes. `name` is unique within the entity (`dunning:in_7:3`).

    One that takes something away waits until every input has been read past `due_at`.
    """

    name: str
    due_at: datetime
    takes_away: bool = False


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A timer of the entity has come due. Decided like any event."""

    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """Something asked of the outside. `kind` names the caller; the same `key` is never asked twice. `request` is JSON."""

    kind: str
    key: str
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """What became of a call, within a minute. Decided like any event.

    `answer` is the caller's JSON; or `trouble` says that there is none: `unreachable` (it was not done) or `unknown` (it may have been).
    """

    kind: str
    key: str
    answer: Mapping[str, Any] | None = None
    trouble: str | None = None


Input = Event | TimerDue | CallAnswered


@dataclass(frozen=True, slots=True)
class Decision(Generic[State]):
    """What one event changes: the new state, what the world is told, and what is asked of it."""

    state: State
    events: tuple[Event, ...] = ()
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """The event is understood and changes nothing, not even the version (older than what is known, not ours to judge)."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSeenYet:
    """It speaks of something not heard of yet: it is parked, and what comes later for the same entity behind it."""

    waits_for: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A mistake of whoever published it: dead-lettered, no effect. A customer's wish is never refused, it is rejected by an event.

    `reason` is a code of `offramp_schemas.Reason`; `message` has no personal data.
    """

    reason: str
    message: str


Outcome = Decision[State] | Ignored | NotSeenYet | Refused


class Decider(Protocol[State]):
    """The rules of one service. Every method is pure."""

    def route(self, event: Event, subject: str) -> tuple[str, ...]:
        """The entities that hear the event, mostly the subject's own; none: the service has no use for it."""
        ...

    def supplies(self, event: Event) -> frozenset[str]:
        """What the event makes known, in the words of `NotSeenYet.waits_for`."""
        ...

    def decide(self, entity_id: str, state: State | None, event: Input, when: When) -> Outcome[State]:
        """How the entity answers; `state` is None while nothing is known of it."""
        ...

    def timers(self, state: State) -> frozenset[Timer]:
        """When the entity wakes: never empty while it is open."""
        ...

    def name(self, state: State) -> str:
        """What people call the state the entity is in."""
        ...

    def identify(self, entity_id: str, state: State, fact: FollowUp) -> tuple[str, str]:
        """The id and the state's name of what a follow-up speaks of (a refund inside an account, say)."""
        ...
