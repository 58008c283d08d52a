"""Kafka read back: every record that was read has its disposition, and whatever the services told is there, in order, and nothing else."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from offramp_schemas import TOPICS, Envelope
from offramp_schemas.topics import DEAD_LETTERS
from services.console import kafka
from services.console.database import SERVICES, Database, Row
from services.console.kafka import Place, Seen
from services.console.violation import Violation
from services.runtime.records import unpack_headers
from services.runtime.settings import Settings

KEPT = timedelta(days=6)  # what is older may have expired on Kafka
_CONSUMERS = {topic.name: topic.consumers for topic in TOPICS}
Cause = tuple[str, str]
"""An entity, and the id of what made it tell something."""


async def differences(database: Database, settings: Settings) -> dict[str, list[Violation]]:
    """What violates I1 and I7. Raises Trouble where Kafka does not answer."""
    compared = [_Service(service, database) for service in SERVICES]
    for each in compared:
        await each.expect()  # before Kafka is read, which may then have more and never less
    async with kafka.Reader.open(settings, _CONSUMERS, from_beginning=True) as reader:
        shortened = await reader.shortened()
        async for batch in reader.to_the_end():
            for each in compared:
                await each.hear(batch)
    found: dict[str, list[Violation]] = {"I1": [], "I7": []}
    for each in compared:
        found["I1"] += each.unaccounted(shortened)
        found["I7"] += await each.untold(shortened)
    return found


@dataclass
class _Service:
    """One service's tables beside what Kafka has. A repeat on Kafka counts once, where it came first."""

    name: str
    database: Database
    told: list[Row] = field(default_factory=list)
    letters: set[Place] = field(default_factory=set)
    marks: dict[tuple[str, int], Row] = field(default_factory=dict)
    on_its_way: set[Cause] = field(default_factory=set)
    records: Counter[tuple[str, int]] = field(default_factory=Counter)
    facts: dict[Cause, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    announced: set[Place] = field(default_factory=set)
    without_a_disposition: list[Row] = field(default_factory=list)
    out_of_order: list[Row] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _versions: dict[tuple[str, str], int] = field(default_factory=dict)

    async def expect(self) -> None:
        """What the tables say: what is on its way is read last, so that whatever was sent meanwhile is not missed."""
        self.marks = {(row["topic"], row["part"]): row for row in await self._rows("marks")}
        self.told = await self._rows("told")
        self.letters = {Place(row["topic"], row["part"], row["off"]) for row in await self._rows("letters")}
        self.on_its_way = {_cause_of(row) for row in await self._rows("unsent")}

    async def hear(self, batch: Sequence[Seen]) -> None:
        """Some records of any topics."""
        read = [seen for seen in batch if self.name in _CONSUMERS[seen.place.topic] and self._was_read(seen.place)]
        if read:
            self.records.update((seen.place.topic, seen.place.partition) for seen in read)
            columns = [list(column) for column in zip(*map(_identity, read), strict=True)]
            self.without_a_disposition += await self._rows("without_a_disposition", *columns)
        for seen in batch:
            if seen.place.topic == DEAD_LETTERS[self.name].name:
                self.announced.add(_origin(seen))
            elif seen.envelope and seen.envelope.source == f"//offramp/{self.name}":
                self._fact(seen, seen.envelope)

    def unaccounted(self, shortened: set[tuple[str, int]]) -> list[Violation]:
        """I1: the records and what became of them."""
        fewer = [
            {"topic": topic, "part": part, "records": count, "counted": self.marks[topic, part]["counted"]}
            for (topic, part), count in self.records.items()
            if (topic, part) not in shortened and self.marks[topic, part]["counted"] < count
        ]
        return [
            *self._violation("without_a_disposition", "a record that was read and left no trace", self.without_a_disposition),
            *self._violation("fewer_counted_than_read", "a partition with more records than were counted", fewer),
        ]

    async def untold(self, shortened: set[tuple[str, int]]) -> list[Violation]:
        """I7: the facts and dead letters, and what is on Kafka."""
        now = await self.database.now()
        recent = [row for row in self.told if not shortened or row["at"] > now - KEPT]
        missing = [each for row in recent if (each := self._missing(row)) and _cause(row) not in self.on_its_way]
        known = {_cause(row): Counter(row["facts"].split(",")) for row in await self._rows("told")}
        unknown = [_difference(cause, facts - known.get(cause, Counter())) for cause, facts in self.facts.items()]
        letters = [] if shortened or self.on_its_way else [{"place": str(place)} for place in self.letters - self.announced]
        return [
            *self._violation("missing_on_kafka", "something told that is not on Kafka", missing),
            *self._violation("unknown_on_kafka", "something on Kafka that nobody told", [row for row in unknown if row]),
            *self._violation("out_of_order", "a fact that is on Kafka behind a later one of the same key", self.out_of_order),
            *self._violation("letter_not_announced", "a dead letter that is not on Kafka", letters),
        ]

    def _fact(self, seen: Seen, envelope: Envelope) -> None:
        if envelope.id in self._ids:
            return
        self._ids.add(envelope.id)
        self.facts[envelope.subject, envelope.causationid or ""][type(envelope.data).kebab()] += 1
        version, conversation = getattr(envelope.data, "version", 0), (seen.place.topic, seen.key)
        before = self._versions.get(conversation, 0)
        if version < before and version:
            self.out_of_order.append({"place": str(seen.place), "key": seen.key, "version": version, "behind": before})
        self._versions[conversation] = max(version, before)

    def _missing(self, row: Row) -> Row | None:
        return _difference(_cause(row), Counter(row["facts"].split(",")) - self.facts.get(_cause(row), Counter()))

    def _was_read(self, place: Place) -> bool:
        mark = self.marks.get((place.topic, place.partition))
        return mark is not None and place.offset < mark["next_off"]

    def _violation(self, check: str, meaning: str, rows: Sequence[Row]) -> Iterable[Violation]:
        return [Violation(check, self.name, meaning, rows)] if rows else []

    async def _rows(self, query: str, *arguments: object) -> list[Row]:
        return await self.database.rows(self.name, query, *arguments)


def _cause(row: Row) -> Cause:
    return row["entity_id"], row["event_id"]


def _cause_of(row: Row) -> Cause:
    """Of a row on its way."""
    headers = dict(unpack_headers(row["headers"]))
    return (row["record_key"] or b"").decode(errors="replace"), headers.get("ce_causationid", b"").decode(errors="replace")


def _difference(cause: Cause, facts: Counter[str]) -> Row | None:
    return {"entity_id": cause[0], "cause": cause[1], "facts": ",".join(facts.elements())} if facts else None


def _identity(seen: Seen) -> tuple[str, int, int, str | None, str | None]:
    event = seen.envelope
    return seen.place.topic, seen.place.partition, seen.place.offset, event.source if event else None, event.id if event else None


def _origin(seen: Seen) -> Place:
    """Where a dead letter died."""
    headers = {name: value.decode(errors="replace") for name, value in seen.headers if name.startswith("dlq.")}
    return Place(headers.get("dlq.topic", ""), int(headers.get("dlq.partition", -1)), int(headers.get("dlq.offset", -1)))
