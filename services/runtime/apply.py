"""The one transaction: claim the inbox, lock the entities, decide, store everything that follows. Knows nothing of Kafka."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from offramp_schemas import Reason
from services.runtime import dead_letters, queues, records, sql
from services.runtime.clock import BusinessClock
from services.runtime.decision import CallAnswered, Decider
from services.runtime.fold import Fold, column
from services.runtime.queues import Queues, Tally
from services.runtime.reading import read
from services.runtime.records import DeadLetter, Heard, Record, masked, pack_headers
from services.runtime.stored import Connection, Entity, Pool, Store

State = TypeVar("State")
QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
LOCK_BUCKETS = 256


@dataclass(slots=True)
class Shell(Generic[State]):
    """A service's rules and tables inside the one transaction. Safe to use from several tasks and processes at once."""

    service: str
    decider: Decider[State]
    tables: Store[State]
    clock: BusinessClock
    pool: Pool
    inputs: int = field(default=0)  # how many input partitions must have been seen before a guarded timer may fire

    async def hear(self, batch: Sequence[Record], group: str, *, release: bool = True) -> Tally:
        """Applies records of one partition, in order, and what they release unless told not to. All are disposed of, or none."""
        async with self.pool.acquire() as connection, connection.transaction():
            tally, _ = await self.hear_in(connection, batch, group, release=release)
            await self.mark(connection, batch[-1], tally)
        return tally

    async def hear_in(
        self, connection: Connection, batch: Sequence[Record], group: str, *, release: bool = True
    ) -> tuple[Tally, Sequence[DeadLetter]]:
        """The same in the caller's transaction, who marks how far it came; returns what became of the records, and why some died."""
        tally = Tally()
        now = await self.clock.now(connection)
        events, letters = read(batch, now, tally, self.clock)
        fresh = await self._claim(connection, events, letters, now, tally)
        queue = await self._load(connection, [each for heard in fresh for each in self._routes(heard)], now)
        queue.letters += letters
        for heard in fresh:
            tally.add(queue.hear(heard, release=release))
        for disposition in queue.moved:
            tally.add("parked", -1)
            tally.add(disposition)
        await self._write(connection, queue, group)
        return tally, queue.letters

    async def bury(self, record: Record, group: str, error: str) -> Tally:
        """Disposes of a record that the database refuses."""
        tally = Tally(dead=1)
        async with self.pool.acquire() as connection, connection.transaction():
            now = await self.clock.now(connection)
            events, letters = read([record], now, Tally(), self.clock)
            for heard in await self._claim(connection, events, letters, now, Tally()):
                letters.append(queues.letter_of(heard, Reason.NOT_STORABLE, f"the database refused it ({error})"))
                await connection.execute(QUERIES["dispose"], [heard.envelope.source], [heard.envelope.id], ["dead"])
            await dead_letters.bury(connection, self.service, group, letters, now)
            await self.mark(connection, record, tally)
        return tally

    async def due(self, limit: int) -> list[str]:
        """Entities whose timers may fire."""
        async with self.pool.acquire() as connection:
            return await self.tables.due(connection, await self.clock.now(connection), await self.seen_through(connection), limit)

    async def wake(self, limit: int = 500, only: Sequence[str] | None = None) -> int:
        """Fires what is due of up to `limit` entities, or of those named; returns how many timers."""
        async with self.pool.acquire() as connection, connection.transaction():
            now = await self.clock.now(connection)
            seen = await self.seen_through(connection)
            due = await self.tables.due(connection, now, seen, limit) if only is None else only
            if not due:
                return 0
            queue = await self._load(connection, due, now)
            fired = sum(queue.fold.fire(entity_id, seen) for entity_id in list(queue.fold.entities))
            await self._write(connection, queue, f"offramp.{self.service}.timers")
        return fired

    async def put_to_sleep(self, entity_id: str, error: str) -> None:
        """For a day, because what its timers do is refused; somebody is told."""
        async with self.pool.acquire() as connection, connection.transaction():
            queue = await self._load(connection, [entity_id], await self.clock.now(connection))
            queue.fold.quarantine(entity_id, entity_id, f"the database refused what its timers do ({error})")
            await self._write(connection, queue, f"offramp.{self.service}.timers")

    async def given_up(self) -> list[str]:
        """Entities whose first parked record has waited long enough: every input was read past its time."""
        async with self.pool.acquire() as connection:
            seen = await self.seen_through(connection)
            until = min(await self.clock.now(connection), seen) if seen else None
            return [row["entity_id"] for row in await connection.fetch(QUERIES["given_up"], until)] if until else []

    async def give_up(self, entity_id: str) -> None:
        """Buries the head of the entity's queue, unless it can go on by now, and lets the rest follow."""
        async with self.pool.acquire() as connection, connection.transaction():
            now = await self.clock.now(connection)
            queue = await self._load(connection, [entity_id], now)
            queue.give_up(entity_id, min(now, await self.seen_through(connection) or now))
            await self._write(connection, queue, f"offramp.{self.service}.parked")

    async def release_head(self, entity_id: str, group: str, refused: str | None = None) -> bool:
        """Applies one parked record, or buries it as refused; False when there is none, or it still has to wait."""
        async with self.pool.acquire() as connection, connection.transaction():
            queue = await self._load(connection, [entity_id], await self.clock.now(connection))
            going_on = queue.release_head(entity_id, refused)
            await self._write(connection, queue, group)
        return going_on

    async def answer(self, token: UUID, answers: Mapping[str, tuple[str, CallAnswered]], refused: str | None = None) -> None:
        """Ends leased calls: key → (entity id, outcome). An answer whose lease was lost is dropped: somebody else has asked again.

        With `refused` the entities hear nothing and sleep for a day: what they make of the answer can't be stored.
        """
        outcomes = [answered.trouble or "answered" for _, answered in answers.values()]
        async with self.pool.acquire() as connection, connection.transaction():
            now = await self.clock.now(connection)
            rows = await connection.fetch(QUERIES["finish_calls"], token, list(answers), outcomes)
            queue = await self._load(connection, [answers[key][0] for key, _, _ in rows], now)
            for key, correlationid, traceparent in rows:
                if refused:
                    queue.fold.quarantine(answers[key][0], key, f"the database refused what the answer leads to ({refused})")
                else:
                    queue.fold.answer(*answers[key], correlationid, traceparent)
            await self._write(connection, queue, f"offramp.{self.service}.calls")

    def entities_of(self, record: Record) -> tuple[str, ...]:
        """Who hears a record that is an event."""
        return self._routes(records.hear(record, record.appended_at))

    async def seen_through(self, connection: Connection) -> datetime | None:
        """Until when every input has been read; None while one has never been."""
        seen: datetime | None = await connection.fetchval(QUERIES["seen_through"], self.inputs)
        return seen

    def _routes(self, heard: Heard) -> tuple[str, ...]:
        return self.decider.route(heard.envelope.data, heard.envelope.subject)

    async def mark(self, connection: Connection, last: Record, tally: Tally) -> None:
        """Everything up to `last` is applied; the counts of its partition change by the tally."""
        await connection.execute(
            QUERIES["mark"], last.topic, last.partition, last.offset + 1,
            tally.applied, tally.duplicate, tally.conflict, tally.ignored, tally.parked, tally.dead,
        )  # fmt: skip

    async def _claim(
        self, connection: Connection, events: Sequence[Heard], letters: list[DeadLetter], now: datetime, tally: Tally
    ) -> list[Heard]:
        """The events of one partition that nobody applied before; repeats are counted, conflicts become dead letters."""
        if not events:
            return []
        first: dict[tuple[str, str], Heard] = {}
        later = [heard for heard in events if first.setdefault((heard.envelope.source, heard.envelope.id), heard) is not heard]
        rows = [
            (source, id_, heard.sha256, heard.record.offset, "applied" if self._routes(heard) else "ignored")
            for (source, id_), heard in first.items()
        ]
        place = events[0].record
        claimed = set(map(tuple, await connection.fetch(QUERIES["claim"], *column(rows, 5), place.topic, place.partition, now)))
        repeats = [heard for key, heard in first.items() if key not in claimed] + later
        if repeats:
            await self._judge_repeats(connection, repeats, letters, tally)
        fresh = [heard for key, heard in first.items() if key in claimed]
        useful = [heard for heard in fresh if self._routes(heard)]
        tally.ignored += len(fresh) - len(useful)
        return useful

    async def _judge_repeats(self, connection: Connection, repeats: Sequence[Heard], letters: list[DeadLetter], tally: Tally) -> None:
        keys = column(((heard.envelope.source, heard.envelope.id) for heard in repeats), 2)
        known = {(row[0], row[1]): row[2] for row in await connection.fetch(QUERIES["bodies"], *keys)}
        for heard in repeats:
            source, id_ = heard.envelope.source, heard.envelope.id
            if known.get((source, id_)) == heard.sha256:
                tally.duplicate += 1
            else:
                tally.conflict += 1
                letters.append(
                    DeadLetter(heard.record, Reason.CONFLICT, "the same source and id came before with another body", source, id_)
                )

    async def _load(self, connection: Connection, ids: Iterable[str], now: datetime) -> Queues[State]:
        """Locks and loads the entities and their queues. What is not known yet is locked by name first, so that nobody parks for
        something that another transaction is just making known."""
        wanted = sorted(set(ids))
        entities: dict[str, Entity[State]] = {}
        queue = Queues(Fold(self.service, self.decider, now, entities))
        if not wanted:
            return queue
        unknown = set(wanted) - await self.tables.known(connection, wanted)
        if unknown:
            buckets = sorted({zlib.crc32(each.encode()) % LOCK_BUCKETS for each in unknown})
            await connection.execute(QUERIES["lock_unknown"], zlib.crc32(self.service.encode()) & 0x7FFFFFFF, buckets)
        entities.update(await self.tables.load(connection, wanted))
        for row in await connection.fetch(QUERIES["queues"], wanted):
            queue.waiting[row["entity_id"]].append(queues.from_row(row))
        return queue

    async def _write(self, connection: Connection, queue: Queues[State], group: str) -> None:
        """Everything that follows, in one go: none of it without the rest."""
        fold = queue.fold
        if fold.changed:
            await self.tables.store(connection, fold.entities_to_store())
        if fold.transitions:
            await connection.execute(QUERIES["transitions"], *column(fold.transitions, 8), fold.now)
        await dead_letters.emit(connection, self.service, fold.emitted)
        if fold.calls:
            asked = column(
                (
                    (call.key, entity_id, call.kind, msgspec.json.encode(call.request).decode(), cause.correlationid, cause.traceparent)
                    for entity_id, call, cause in fold.calls
                ),
                6,
            )
            await connection.execute(QUERIES["ask"], *asked, fold.now, dead_letters.channel(self.service))
        await self._write_queues(connection, queue)
        letters = queue.letters + fold.stuck
        if letters:
            await dead_letters.bury(connection, self.service, group, letters, fold.now)

    async def _write_queues(self, connection: Connection, queue: Queues[State]) -> None:
        if changed := queue.dispositions():
            await connection.execute(QUERIES["dispose"], *column(changed, 3))
        if queue.renamed:
            await connection.execute(QUERIES["wait_for"], *column(queue.renamed, 2))
        if queue.released:
            await connection.execute(QUERIES["unpark"], [parked.arrival for parked, _ in queue.released])
            await connection.execute(QUERIES["recount"], *column(queue.recounts(), 6))
        if stay := queue.stay():
            rows = [
                (h.record.topic, h.record.partition, h.record.offset, p.entity_id, h.envelope.source, h.envelope.id, h.record.key,
                 masked(h.record.value)[0], pack_headers(h.record.headers), p.waits_for, h.received_at, p.give_up_at)
                for p in stay for h in (p.heard,)
            ]  # fmt: skip
            await connection.execute(QUERIES["park"], *column(rows, 12), dead_letters.OWNER, queue.fold.now)
