"""Events decided again, in memory: the real rules of lifecycle and refunds in the shell's own fold. No database, no calls, nothing told.

Between two events the timers of lifecycle fire at their time. Those of refunds do not: they wait for answers of a payment provider that
nobody asks here, so a refund is followed as far as its decision.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from offramp_schemas import TOPIC_OF, Envelope, decode
from services.console.oddities import Policy
from services.lifecycle.decide import Lifecycle
from services.refunds.decide import Refunds
from services.runtime import policies
from services.runtime.fold import Emitted, Fold
from services.runtime.queues import Queues
from services.runtime.records import Heard, Record, unpack_headers

_NOT_COMPARED = {"version", "contact"}
_OURS = "//offramp/"


@dataclass(frozen=True, slots=True)
class Key:
    """What was decided about: the same under both policies. `which` tells repeats of the same thing apart."""

    subscription: str
    service: str
    what: str
    which: str


@dataclass(frozen=True, slots=True)
class Decided:
    """The answer: the state it led to, and what was told, without what always differs. `at` matters for timers alone."""

    state: str
    facts: tuple[tuple[str, Mapping[str, Any]], ...]
    at: datetime | None = None


class Replay:
    """One policy's run. What happened before `begin` is decided, too, but not kept."""

    def __init__(self, policy: Policy, begin: datetime) -> None:
        self._begin = begin
        self._queues: dict[str, Queues[Any]] = {
            "lifecycle": Queues(Fold("lifecycle", Lifecycle(policies.single(policy.lifecycle)), begin, {})),
            "refunds": Queues(Fold("refunds", Refunds(policies.single(policy.refunds)), begin, {})),
        }
        self._wakes: list[tuple[datetime, str]] = []
        self._repeats: Counter[tuple[str, str, str]] = Counter()
        self._told = dict.fromkeys(self._queues, 0)
        self._done = dict.fromkeys(self._queues, 0)
        self.decided: dict[Key, Decided] = {}

    def run(self, envelopes: Iterable[Envelope], until: datetime) -> dict[Key, Decided]:
        """Hears them in the order of their time, with all that follows until then."""
        for envelope in sorted(envelopes, key=lambda each: each.time):
            self._wake(envelope.time)
            self._hear(envelope, envelope.time)
        self._wake(until)
        return self.decided

    def _hear(self, envelope: Envelope, now: datetime) -> None:
        topic = TOPIC_OF[type(envelope.data)]
        for service in topic.consumers:
            if (queue := self._queues.get(service)) is None:
                continue
            queue.fold.now = now
            record = Record(topic.name, 0, 0, envelope.subject.encode(), None, (), now)
            queue.hear(Heard(record, envelope, now, b""))
            self._follow(service, now)

    def _wake(self, until: datetime) -> None:
        fold = self._queues["lifecycle"].fold
        while self._wakes and self._wakes[0][0] <= until:
            due_at, entity_id = heapq.heappop(self._wakes)
            if due_at == self._next(entity_id):  # else another timer took its place
                fold.now = due_at
                if fold.fire(entity_id, due_at):
                    self._follow("lifecycle", due_at)

    def _next(self, entity_id: str) -> datetime | None:
        fold = self._queues["lifecycle"].fold
        entity = fold.entities.get(entity_id)
        return min((timer.due_at for timer in fold.decider.timers(entity.state)), default=None) if entity else None

    def _follow(self, service: str, now: datetime) -> None:
        """Keeps what was just decided, and lets the other service hear what was told."""
        fold = self._queues[service].fold
        new, told = fold.transitions[self._done[service] :], [_read(each) for each in fold.emitted[self._told[service] :]]
        self._done[service], self._told[service] = len(fold.transitions), len(fold.emitted)
        for entity_id, _, source, id_, what, _, state, _ in new:
            facts = tuple(_fact(each) for each in told if each.causationid == id_ and each.subject == entity_id)
            self._keep(
                Key(entity_id, service, what, self._which(entity_id, service, what, source, id_)), Decided(state, facts), source, now
            )
        if service == "lifecycle":
            for entity_id in fold.changed:
                if (due_at := self._next(entity_id)) is not None and due_at > now:
                    heapq.heappush(self._wakes, (due_at, entity_id))
        fold.changed.clear()
        for envelope in told:
            self._hear(envelope, now)

    def _which(self, entity_id: str, service: str, what: str, source: str, id_: str) -> str:
        """Ids of others are the same in both runs; those of ours come from times that a policy changes, so they are counted."""
        if not source.startswith(_OURS):
            return f"{source} {id_}"
        self._repeats[entity_id, service, what] += 1
        return str(self._repeats[entity_id, service, what])

    def _keep(self, key: Key, decided: Decided, source: str, now: datetime) -> None:
        if now >= self._begin:
            at = now if source.endswith("/timer") else None
            self.decided[key] = Decided(decided.state, decided.facts, at)


def of_others(envelope: Envelope) -> bool:
    """Whether it came from outside: what our services told each other is told anew."""
    return not envelope.source.startswith((f"{_OURS}lifecycle", f"{_OURS}refunds", f"{_OURS}notifier"))


def _read(emitted: Emitted) -> Envelope:
    return decode(emitted.topic, emitted.key, emitted.payload, unpack_headers(emitted.headers))


def _fact(envelope: Envelope) -> tuple[str, Mapping[str, Any]]:
    return envelope.data.kebab(), {name: value for name, value in envelope.data if name not in _NOT_COMPARED}
