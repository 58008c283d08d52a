"""Until when each input has been read: the broker is asked where its partitions end, and what is applied to there was seen through the
moment of asking. Exact, and one request and one statement for all inputs of a service."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.runtime import kafka, sql, telemetry
from services.runtime.apply import Shell
from services.runtime.intake import Intake
from services.runtime.settings import Settings

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
ANSWERED_WITHIN = 5_000  # milliseconds


class Stuck(Exception):
    """There is work and none gets done: the process had better be restarted."""


@dataclass(slots=True)
class Watermarks:
    """Looks about once a second, on a connection of its own: on an intake's, a question waits behind its long poll."""

    shell: Shell[Any]
    intakes: Sequence[Intake]
    settings: Settings
    _consumer: AIOKafkaConsumer | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def stop(self) -> None:
        """Closes the connection."""
        async with self._asking:  # aiokafka would wait for ever for the answer
            await self._hang_up()

    async def ends(self) -> dict[TopicPartition, int]:
        """Where every input partition ends, those of other processes included. Raises KafkaError after hanging up: on a connection that
        gives no answer aiokafka would ask for ever."""
        partitions = [TopicPartition(intake.topic.name, part) for intake in self.intakes for part in range(intake.partitions)]
        async with self._asking:
            try:
                consumer = self._consumer or await self._connect()
                ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
            except KafkaError:
                await self._hang_up()
                raise
        return ends

    async def _connect(self) -> AIOKafkaConsumer:
        """It reads nothing and belongs to no group."""
        consumer = AIOKafkaConsumer(
            **kafka.connection(self.settings), group_id=None, metadata_max_age_ms=15_000, request_timeout_ms=ANSWERED_WITHIN,
        )  # fmt: skip
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer
        return consumer

    async def _hang_up(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def look(self) -> int:
        """Writes down what this process has read to its end; returns 0. Raises Stuck, or what ended an intake's task."""
        for intake in self.intakes:
            intake.raise_if_failed()
        applied = {partition: offset for intake in self.intakes for partition, offset in intake.applied.items()}
        async with self.shell.pool.acquire() as connection:
            asked_at = await self.shell.clock.now(connection)
        ends = await self.ends()
        self.shell.inputs = len(ends)
        for intake in self.intakes:
            self._judge(intake, sum(max(0, ends.get(partition, 0) - offset) for partition, offset in intake.applied.items()))
        seen = [(p.topic, p.partition, offset) for p, offset in applied.items() if p in ends and offset >= ends[p]]
        if seen:
            topics, parts, offsets = (list(each) for each in zip(*seen, strict=True))
            async with self.shell.pool.acquire() as connection:
                await connection.execute(QUERIES["seen"], topics, parts, offsets, asked_at)
        return 0

    def _judge(self, intake: Intake, lag: int) -> None:
        service, topic = self.shell.service, intake.topic.name
        telemetry.LAG.labels(service, topic).set(lag)
        if not lag:
            telemetry.DELAY.labels(service, topic).set(0)
            intake.stored_at = monotonic()
        elif monotonic() - intake.stored_at > self.settings.stuck_after:
            raise Stuck(f"{lag} records of {topic} wait and none was stored for {self.settings.stuck_after:.0f} s")
