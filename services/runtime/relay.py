"""Outbox → Kafka: in order per key, one lease per shard. A row leaves the table when Kafka has acknowledged it."""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from offramp_schemas.topics import MAX_MESSAGE_BYTES
from services.runtime import sql, telemetry
from services.runtime.records import unpack_headers
from services.runtime.stored import Pool

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
LEASE = timedelta(seconds=10)
RENEW_AFTER = 3.0  # seconds
SEND_TIMEOUT = 15.0  # seconds; past it the producer is taken for broken
log = structlog.get_logger()


@dataclass(slots=True)
class Relay:
    """One per process. A producer that failed once may be broken for that partition for good: it is replaced, never waited for."""

    service: str
    bootstrap: str
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
            await connection.execute(QUERIES["sent"], [row["shard"] for row in rows], [row["seq"] for row in rows])
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
            sent = [
                await producer.send(row["topic"], row["payload"], key=row["record_key"], headers=unpack_headers(row["headers"]))
                for row in rows
            ]
            await asyncio.wait_for(asyncio.gather(*sent), SEND_TIMEOUT)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("relay lost its producer; resending from the outbox", error=type(error).__name__)
            await self._drop_producer()
            raise

    async def _new_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, enable_idempotence=True, linger_ms=2, max_batch_size=131_072,
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
