"""Parking: one queue per entity, in order of arrival, released by whatever was missing. In memory; apply writes it down."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from offramp_schemas import Reason, decode
from services.runtime.decision import Decision, NotSeenYet, Refused
from services.runtime.fold import Fold
from services.runtime.records import DeadLetter, Heard, Parked, Record, unpack_headers

State = TypeVar("State")
PATIENCE = timedelta(minutes=15)


@dataclass(slots=True)
class Tally:
    """What became of the records of one partition."""

    applied: int = 0
    duplicate: int = 0
    conflict: int = 0
    ignored: int = 0
    parked: int = 0
    dead: int = 0

    def add(self, disposition: str, count: int = 1) -> None:
        """Counts records under `applied`, `duplicate`, …"""
        setattr(self, disposition, getattr(self, disposition) + count)


@dataclass(slots=True)
class Queues(Generic[State]):
    """The queues of a transaction's entities over its fold; `letters`, `disposed` and `released` are what it has to write."""

    fold: Fold[State]
    waiting: dict[str, list[Parked]] = field(default_factory=lambda: defaultdict(list))
    letters: list[DeadLetter] = field(default_factory=list)
    disposed: list[tuple[Heard, str]] = field(default_factory=list)  # of events whose inbox row says something else so far
    released: list[tuple[Parked, str]] = field(default_factory=list)  # stored ones that left, and what became of them
    moved: list[str] = field(default_factory=list)  # what became of those that were parked and released in this very batch
    renamed: list[tuple[int, str]] = field(default_factory=list)  # stored heads that wait for something else now

    def hear(self, heard: Heard, *, release: bool = True) -> str:
        """Lets an event in, or behind the queue of its entity, and then what it makes known to the queue. Returns its disposition."""
        event, subject = heard.envelope.data, heard.envelope.subject
        decider = self.fold.decider
        blocked = [each for each in decider.route(event, subject) if self.waiting.get(each)]
        if blocked and not any(self.waiting[each][0].waits_for in decider.supplies(event) for each in blocked):
            self._park(heard, blocked[0], self.waiting[blocked[0]][0].waits_for)
            return "parked"
        disposition = self._answer(heard)
        for entity_id in blocked if release else ():
            self.release(entity_id)
        return disposition

    def release(self, entity_id: str) -> None:
        """Applies the queue from its head, as far as it goes."""
        while self.release_head(entity_id):
            pass

    def release_head(self, entity_id: str, refused: str | None = None) -> bool:
        """Applies the head, or buries it when it is known to be refused; False when there is none, or it still has to wait."""
        queue = self.waiting[entity_id]
        if not queue:
            return False
        head = queue.pop(0)
        if refused:
            self._bury(head.heard, Reason.NOT_STORABLE, f"the database refused it ({refused})")
            disposition = "dead"
        else:
            disposition = self._answer(head.heard, parked=head)
        if disposition == "parked":
            return self._release_supplier(queue)  # it was put back in front
        self._left(head, disposition)
        return True

    def _release_supplier(self, queue: list[Parked]) -> bool:
        """Applies what the head waits for, if that stands behind it: both may have come before what makes the entity known."""
        for place, parked in enumerate(queue):
            if place and queue[0].waits_for in self.fold.decider.supplies(parked.heard.envelope.data):
                del queue[place]
                disposition = self._answer(parked.heard, parked=parked)
                if disposition != "parked":
                    self._left(parked, disposition)
                    return True
                queue.insert(place, queue.pop(0))  # it has to wait itself: back to where it stood
        return False

    def _left(self, parked: Parked, disposition: str) -> None:
        if parked.arrival is None:
            self.moved.append(disposition)
        else:
            self.released.append((parked, disposition))

    def give_up(self, entity_id: str, until: datetime) -> None:
        """Buries the head whose missing piece never came, and lets the rest go on."""
        self.release(entity_id)
        queue = self.waiting[entity_id]
        while queue and queue[0].give_up_at <= until:
            head = queue.pop(0)
            self._bury(head.heard, Reason.NEVER_SEEN, f"nothing was heard of the {head.waits_for.partition(':')[0]} it speaks of")
            self.released.append((head, "dead"))
            self.release(entity_id)

    def dispositions(self) -> list[tuple[str, str, str]]:
        """(source, id, disposition) of every event whose inbox row has to be rewritten: it was claimed as applied, or parked before."""
        final: dict[tuple[str, str], str] = {}
        for heard, disposition in self.disposed:
            key = (heard.envelope.source, heard.envelope.id)
            if key in final or disposition != "applied" or not heard.sha256:
                final[key] = disposition
        return [(source, id_, disposition) for (source, id_), disposition in final.items()]

    def stay(self) -> list[Parked]:
        """New ones that are still waiting and have to be stored."""
        return [parked for queue in self.waiting.values() for parked in queue if parked.arrival is None]

    def recounts(self) -> list[tuple[str, int, int, int, int, int]]:
        """By partition, how the counts of stored ones that left move: how many of them, then as applied, ignored and dead."""
        moved: dict[tuple[str, int], Tally] = defaultdict(Tally)
        for parked, disposition in self.released:
            moved[parked.heard.record.topic, parked.heard.record.partition].add(disposition)
        return [(*place, t.applied + t.ignored + t.dead, t.applied, t.ignored, t.dead) for place, t in moved.items()]

    def _answer(self, heard: Heard, parked: Parked | None = None) -> str:
        try:
            outcome = self.fold.hear(heard.envelope, heard.received_at)
        except Exception as error:  # noqa: BLE001 -- a rule's bug kills one event, never the partition
            self._bury(heard, Reason.RULE_FAILED, f"{type(error).__name__} in the rule for {type(heard.envelope.data).kebab()}")
            return "dead"
        match outcome:
            case Decision():
                disposition = "applied"
            case NotSeenYet(waits_for):
                entity_id = parked.entity_id if parked else self.fold.decider.route(heard.envelope.data, heard.envelope.subject)[0]
                self._park(heard, entity_id, waits_for, parked)
                return "parked"
            case Refused(reason, message):
                self._bury(heard, Reason(reason), message)
                return "dead"
            case _:
                disposition = "ignored"
        self.disposed.append((heard, disposition))
        return disposition

    def _park(self, heard: Heard, entity_id: str, waits_for: str, again: Parked | None = None) -> None:
        if again is not None:
            self.waiting[entity_id].insert(0, replace(again, waits_for=waits_for))
            if again.arrival is not None and again.waits_for != waits_for:
                self.renamed.append((again.arrival, waits_for))
            return
        give_up_at = max(self.fold.now, min(heard.envelope.time, heard.received_at)) + PATIENCE
        self.waiting[entity_id].append(Parked(heard, entity_id, waits_for, give_up_at))
        self.disposed.append((heard, "parked"))

    def _bury(self, heard: Heard, reason: Reason, message: str) -> None:
        self.letters.append(letter_of(heard, reason, message))
        self.disposed.append((heard, "dead"))


def letter_of(heard: Heard, reason: Reason, message: str) -> DeadLetter:
    """The dead letter of an event."""
    return DeadLetter(heard.record, reason, message, heard.envelope.source, heard.envelope.id)


def from_row(row: Any) -> Parked:
    """A stored parked record; its value was good when it was parked."""
    headers = unpack_headers(row["headers"])
    record = Record(row["topic"], row["part"], row["off"], row["key"], row["value"], headers, row["received_at"])
    envelope = decode(record.topic, record.key, record.value, headers)
    return Parked(
        Heard(record, envelope, row["received_at"], sha256=b""), row["entity_id"], row["waits_for"], row["give_up_at"], row["arrival"]
    )
