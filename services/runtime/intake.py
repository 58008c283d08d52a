"""Kafka → the one transaction → offsets: one consumer per topic, one task per partition, so that a poisoned one stops no other."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError

from offramp_schemas import Topic
from offramp_schemas.topics import MAX_MESSAGE_BYTES
from services.runtime import deployment, kafka, poison, postgres, sql, telemetry
from services.runtime.apply import Shell
from services.runtime.outages import Outages
from services.runtime.queues import Tally
from services.runtime.records import Record
from services.runtime.settings import Settings

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
REVOKE_WITHIN = 5.0  # seconds; then the transaction of a revoked partition is cancelled
COMMIT_WITHIN = 3.0
LONGEST_PAUSE = 2.0
log = structlog.get_logger()


@dataclass(slots=True)
class Intake(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads one topic for one service."""

    shell: Shell[Any]
    topic: Topic
    settings: Settings
    identity: str  # of this database's deployment
    outages: Outages
    consumer: AIOKafkaConsumer = field(init=False)
    applied: dict[TopicPartition, int] = field(default_factory=dict)  # everything before it is stored
    stored_at: float = field(default_factory=monotonic)  # when a batch last was, or nothing was left to store
    _tasks: dict[TopicPartition, asyncio.Task[None]] = field(default_factory=dict)
    _ours: asyncio.Task[None] | None = None  # whether the group is this deployment's; of the last assignment
    _revoked: set[TopicPartition] = field(default_factory=set)

    @property
    def group(self) -> str:
        """Each input topic has its own consumer group."""
        return group_of(self.shell.service, self.topic)

    @property
    def partitions(self) -> int:
        """How many the topic has: somebody may have added some since the contract."""
        return max(self.topic.partitions, len(self.consumer.partitions_for_topic(self.topic.name) or ()))

    async def start(self) -> None:
        """Joins the group. Settings as ARCHITECTURE found them by killing things."""
        self.consumer = AIOKafkaConsumer(
            **kafka.connection(self.settings), client_id=deployment.client_id(self.shell.service, self.identity), group_id=self.group,
            enable_auto_commit=False, auto_offset_reset="earliest",
            session_timeout_ms=int(self.settings.session_timeout * 1000), heartbeat_interval_ms=1000, rebalance_timeout_ms=30_000,
            max_poll_interval_ms=2_147_483_647, metadata_max_age_ms=15_000, max_partition_fetch_bytes=4 * MAX_MESSAGE_BYTES,
            fetch_max_wait_ms=500, isolation_level="read_committed",
            # Then a connection without answers is replaced. To join may take as long as a dead member's session, or others' last batch.
            request_timeout_ms=int((self.settings.session_timeout + REVOKE_WITHIN + COMMIT_WITHIN) * 1000),
        )  # fmt: skip
        self.consumer.subscribe([self.topic.name], listener=self)
        await self.consumer.start()

    async def stop(self) -> None:
        """Lets the running transactions end, then leaves the group."""
        await self.on_partitions_revoked(list(self._tasks))
        await self.consumer.stop()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Starts a task per partition, each of which waits until the group is known to be ours."""
        ours = self._ours = asyncio.create_task(self._check(), name=f"{self.group} is ours")
        for partition in assigned:
            self._revoked.discard(partition)
            self._tasks[partition] = asyncio.create_task(self._read(partition, ours), name=f"{self.group}[{partition.partition}]")

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Waits for the transactions under way, but not for ever."""
        self._revoked.update(revoked)
        ending = [self._tasks.pop(partition) for partition in revoked if partition in self._tasks]
        if ending:
            _, hanging = await asyncio.wait(ending, timeout=REVOKE_WITHIN)
            for task in hanging:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
        for partition in revoked:
            self.applied.pop(partition, None)

    def raise_if_failed(self) -> None:
        """Raises what ended the task of a partition: nobody reads it any longer. Or ForeignGroup: who has no partition of it goes, too."""
        for task in (*self._tasks.values(), *((self._ours,) if self._ours else ())):
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    async def _check(self) -> None:
        """Whoever came to the group at the same time is seen now, after the assignment. Raises ForeignGroup."""
        attempt = 0
        while True:
            try:
                await deployment.check(self.settings, self.shell.service, self.identity, [self.group])
                return self.outages.over(self.group)
            except (KafkaError, OSError, TimeoutError) as error:
                attempt += 1
                self.outages.met("intake", self.group, error)
                log.warning("can't tell whose the group is; trying again", group=self.group, attempt=attempt, error=type(error).__name__)
                await _pause(attempt)

    async def _read(self, partition: TopicPartition, ours: asyncio.Task[None]) -> None:
        await asyncio.shield(ours)
        await self._rewind(partition)
        if partition in self.applied:
            await self._commit(partition)  # the mark, before anything is read: who comes later sees whose the group is
        while partition not in self._revoked:
            try:
                batch = await self.consumer.getmany(partition, timeout_ms=500, max_records=self.settings.batch_records)
                read_to = await self.consumer.position(partition)  # may be past the last record: a transaction's marker is none
            except (ConsumerStoppedError, IllegalStateError):
                return  # revoked under our feet
            except KafkaError as error:
                log.warning(
                    "reading failed; trying again", topic=partition.topic, partition=partition.partition, error=type(error).__name__
                )
                await _pause(1)
                continue
            if got := batch.get(partition):
                await self._store([_record(each) for each in got])
            if read_to != self.applied.get(partition):
                self.applied[partition] = read_to
                await self._commit(partition)

    async def _rewind(self, partition: TopicPartition) -> None:
        """Starts where the group left off, or earlier where this database knows less than the group (it was restored, or is new)."""
        attempt = 0
        while partition not in self._revoked:
            try:
                position = await self.consumer.position(partition)
                async with self.shell.pool.acquire() as connection:
                    rows = await connection.fetch(QUERIES["next_offsets"])
                known = next((r["next_off"] for r in rows if r["topic"] == partition.topic and r["part"] == partition.partition), 0)
                beginning = (await self.consumer.beginning_offsets([partition]))[partition]
                start = max(min(position, known), beginning)
                if start < position:
                    log.warning("the database knows less than the consumer group; reading again", topic=partition.topic,
                                partition=partition.partition, offset=start)  # fmt: skip
                    self.consumer.seek(partition, start)
                self.applied[partition] = start
                return
            except (IllegalStateError, ConsumerStoppedError):
                return
            except Exception as error:
                if not isinstance(error, KafkaError) and not postgres.is_outage(error):
                    raise
                attempt += 1
                await _pause(attempt)

    async def _store(self, batch: list[Record]) -> None:
        started = monotonic()
        patiently = partial(self._patiently, f"{self.topic.name}[{batch[0].partition}]")
        for piece, tally in await poison.hear(self.shell, batch, self.group, patiently):
            self._count(piece, tally, monotonic() - started)

    async def _patiently(self, where: str, work: Callable[[], Awaitable[Tally]]) -> Tally:
        """Waits out outages, in place: nobody else may read this partition meanwhile, and no other partition waits."""
        attempt = 0
        try:
            while True:
                try:
                    return await work()
                except Exception as error:
                    if not postgres.is_outage(error):
                        raise
                    attempt += 1
                    self.outages.met("intake", where, error)
                    log.warning("batch not stored; trying again", topic=self.topic.name, attempt=attempt, error=type(error).__name__)
                await _pause(attempt)
        finally:
            self.outages.over(where)

    def _count(self, batch: Sequence[Record], tally: Tally, seconds: float) -> None:
        self.stored_at = monotonic()
        service, topic = self.shell.service, self.topic.name
        telemetry.BATCH_SECONDS.labels(service, topic).observe(seconds)
        telemetry.BATCH_RECORDS.labels(service, topic).observe(len(batch))
        telemetry.DELAY.labels(service, topic).set((datetime.now(UTC) - batch[-1].appended_at).total_seconds())
        for disposition in ("applied", "duplicate", "conflict", "ignored", "parked", "dead"):
            if count := getattr(tally, disposition):
                telemetry.RECORDS.labels(service, topic, disposition).inc(count)

    async def _commit(self, partition: TopicPartition) -> None:
        """A commit that fails costs a few repeats, which the inbox knows: never wait long for it."""
        try:
            await asyncio.wait_for(
                self.consumer.commit({partition: (self.applied[partition], deployment.mark(self.identity))}), COMMIT_WITHIN
            )
        except (KafkaError, TimeoutError, KeyError) as error:
            log.warning("offsets not committed; the inbox will know the repeats", topic=partition.topic, error=type(error).__name__)


def group_of(service: str, topic: Topic) -> str:
    """The consumer group with which a service reads a topic."""
    return f"offramp.{service}.{topic.name}"


def _record(got: ConsumerRecord[Any, Any]) -> Record:
    appended_at = datetime.fromtimestamp(got.timestamp / 1000, UTC)
    return Record(got.topic, got.partition, got.offset, got.key, got.value, got.headers, appended_at)


async def _pause(attempt: int) -> None:
    """Machine time, with jitter, never longer than LONGEST_PAUSE."""
    await asyncio.sleep(min(LONGEST_PAUSE, 0.1 * 2.0 ** min(attempt, 6)) * random.uniform(0.5, 1.0))
