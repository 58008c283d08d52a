"""Outbox → Kafka: in order per key, one lease per shard. A row leaves the table when Kafka has acknowledged it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from offramp_schemas.topics import MAX_MESSAGE_BYTES
from services.runtime import kafka, sql, telemetry
from services.runtime.records import unpack_headers
from services.runtime.settings import Settings
from services.runtime.stored import Pool

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
LEASE = timedelta(seconds=10)
RENEW_AFTER = 3.0  # seconds
SEND_TIMEOUT = 15.0  # seconds; past it the producer is taken for broken
_partition = DefaultPartitioner()
log = structlog.get_logger()


@dataclass(slots=True)
class Relay:
    """One per process. A producer that failed once may be broken for that partition for good: it is replaced, never waited for."""

    service: str
    settings: Settings
    pool: Pool
    batch: int = 2000
    token: uuid.UUID = field(default_factory=uuid.uuid4)
    _producer: AIOKafkaProducer | None = None
    _shards: list[int] = field(default_factory=list)
    _leased_at: float = float("-inf")

    async def run_once(self) -> int:
        """Sends the oldest rows of its shards; returns how many. Raises KafkaError or OSError after dropping the producer."""
        async with self.pool.acquire() as connection:
            await self._lease(connection)
            rows = await connection.fetch(QUERIES["take_outbox"], self._shards, self.batch) if self._shards else []
        if not rows:
            return 0
        if monotonic() - self._leased_at > LEASE.total_seconds() - 1:
            return 0  # it took too long to come here: another relay may hold the lease by now
        await self._send(rows)
        async with self.pool.acquire() as connection:
            await connection.execute(QUERIES["sent"], [row["seq"] for row in rows])
        telemetry.RELAYED.labels(self.service).inc(len(rows))
        return len(rows)

    async def stop(self) -> None:
        """Gives the shards back and closes the producer."""
        await self._drop_producer()
        async with self.pool.acquire() as connection:
            await connection.execute(QUERIES["release_shards"], self.token, [])
        self._shards, self._leased_at = [], float("-inf")

    async def _lease(self, connection: Any) -> None:
        if monotonic() - self._leased_at < RENEW_AFTER:
            return
        asked_at = monotonic()
        rows = await connection.fetch(QUERIES["lease_shards"], self.token, LEASE)
        self._shards = [row["shard"] for row in rows]
        await connection.execute(QUERIES["release_shards"], self.token, self._shards)
        self._leased_at = asked_at

    async def _send(self, rows: list[Any]) -> None:
        producer = self._producer or await self._new_producer()
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await asyncio.gather(*[each async for each in _batches(producer, rows)])
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("relay lost its producer; resending from the outbox", error=type(error).__name__)
            await self._drop_producer()
            raise

    async def _new_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **kafka.connection(self.settings), enable_idempotence=True, linger_ms=2, max_batch_size=131_072,
            max_request_size=MAX_MESSAGE_BYTES, request_timeout_ms=10_000,
        )  # fmt: skip
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer
        return producer

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), 5.0)
            except (KafkaError, OSError, TimeoutError):
                log.warning("a producer did not stop in time")


async def _batches(producer: AIOKafkaProducer, rows: Sequence[Any]) -> AsyncIterator[Awaitable[Any]]:
    """Sends rows by the batch, one acknowledgement for each: `producer.send` spends more on a record's own than on all the rest."""
    partitions = {topic: sorted(await producer.partitions_for(topic)) for topic in {row["topic"] for row in rows}}
    filling: dict[tuple[str, int], Any] = {}
    for _, topic, key, payload, packed in rows:
        partition = _partition(key, partitions[topic], partitions[topic])
        headers = unpack_headers(packed)
        batch = filling.get((topic, partition))
        if batch is None or batch.append(key=key, value=payload, timestamp=None, headers=headers) is None:  # none yet, or it is full
            if batch is not None:
                yield await producer.send_batch(batch, topic, partition=partition)
            batch = filling[topic, partition] = producer.create_batch()
            batch.append(key=key, value=payload, timestamp=None, headers=headers)
    for (topic, partition), batch in filling.items():
        yield await producer.send_batch(batch, topic, partition=partition)
