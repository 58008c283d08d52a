"""Kafka as the command line uses it: one record sent, or topics read from their end or their beginning."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from offramp_schemas import TOPIC_OF, BadRecord, Envelope, decode, encode
from services.console.settings import hint
from services.console.trouble import Trouble
from services.runtime import kafka
from services.runtime.settings import Settings, SettingsError

_ANSWERS_WITHIN = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is: `topic[partition]@offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that `str` wrote. Raises Trouble."""
        topic, bracket, rest = text.partition("[")
        partition, closing, offset = rest.partition("]@")
        if not (topic and bracket and closing and partition.isdigit() and offset.isdigit()):
            raise Trouble(f"{text!r} is not a place: write it like subscription.request.v1[3]@17, in quotes")
        return cls(topic, int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class Seen:
    """A record and, when it is one of our events, its envelope; else why it is not."""

    place: Place
    key: str
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    envelope: Envelope | None
    bad: BadRecord | None


async def send(settings: Settings, *envelopes: Envelope) -> list[Place]:
    """Publishes events, in order, and waits for each until every replica has it. Raises Trouble."""
    places = []
    async with _explained(settings):
        producer = AIOKafkaProducer(**kafka.connection(settings), acks="all", enable_idempotence=True, request_timeout_ms=10_000)
        try:
            await asyncio.wait_for(producer.start(), _ANSWERS_WITHIN)
            existing = (await producer.client.fetch_all_metadata()).topics()
            for envelope in envelopes:
                topic, (key, value, headers) = TOPIC_OF[type(envelope.data)].name, encode(envelope)
                if topic not in existing:
                    raise Trouble(_missing(topic, existing))
                written = await asyncio.wait_for(producer.send_and_wait(topic, value, key=key, headers=headers), _ANSWERS_WITHIN)
                places.append(Place(written.topic, written.partition, written.offset))
        finally:
            await producer.stop()
    return places


class Reader:
    """Reads whole topics without a consumer group: nobody else notices."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, topics: Iterable[str], *, from_beginning: bool = False) -> AsyncIterator["Reader"]:
        """A reader of what comes from now on, or of everything that is kept. Raises Trouble."""
        async with _explained(settings):
            partitions = await asyncio.wait_for(_partitions(settings, list(topics)), _ANSWERS_WITHIN)
        consumer = AIOKafkaConsumer(
            **kafka.connection(settings), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed",  # as the services read: what a transaction took back was never said
        )  # fmt: skip
        try:
            async with _explained(settings):
                await asyncio.wait_for(consumer.start(), _ANSWERS_WITHIN)
                consumer.assign(partitions)
                offsets = consumer.beginning_offsets(partitions) if from_beginning else consumer.end_offsets(partitions)
                for partition, offset in (await asyncio.wait_for(offsets, _ANSWERS_WITHIN)).items():
                    consumer.seek(partition, offset)
            yield cls(consumer)
        finally:
            await consumer.stop()

    async def read(self, within: float) -> list[Seen]:
        """What came, in order per key; empty when nothing did in so many seconds."""
        found = await self._consumer.getmany(timeout_ms=int(within * 1000))
        records = [record for batch in found.values() for record in batch]
        return [_seen(record) for record in sorted(records, key=lambda record: (record.timestamp, record.topic, record.offset))]

    async def at_the_end(self) -> bool:
        """Whether all that Kafka has by now was read; that nothing came for a while does not say so."""
        return await self._has_read(await self._ends())

    async def to_the_end(self) -> AsyncIterator[list[Seen]]:
        """Everything there is at this moment, in order per partition."""
        ends = await self._ends()
        while not await self._has_read(ends):
            yield await self.read(1)

    async def shortened(self) -> set[tuple[str, int]]:
        """The partitions whose first records have expired."""
        first = await self._consumer.beginning_offsets(list(self._consumer.assignment()))
        return {(partition.topic, partition.partition) for partition, offset in first.items() if offset}

    async def _ends(self) -> dict[TopicPartition, int]:
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(list(self._consumer.assignment()))
        return ends

    async def _has_read(self, ends: dict[TopicPartition, int]) -> bool:
        return all([await self._consumer.position(partition) >= end for partition, end in ends.items()])


async def _partitions(settings: Settings, topics: list[str]) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(**kafka.connection(settings))
    await admin.start()
    try:
        existing = await admin.list_topics()
        if missing := [topic for topic in topics if topic not in existing]:
            raise Trouble(_missing(missing[0], existing))
        described = await admin.describe_topics(topics)
        return [TopicPartition(each["topic"], found["partition"]) for each in described for found in each["partitions"]]
    finally:
        await admin.close()


def _missing(topic: str, existing: Iterable[str]) -> str:
    ours = sorted(name for name in existing if not name.startswith("__"))
    return f"Kafka has no topic {topic}: run `python -m services.runtime.prepare` first (it has {', '.join(ours) or 'none'})"


def _seen(record: Any) -> Seen:
    place = Place(record.topic, record.partition, record.offset)
    key = (record.key or b"").decode(errors="replace")
    try:
        return Seen(place, key, record.value, record.headers, decode(record.topic, record.key, record.value, record.headers), None)
    except BadRecord as bad:
        return Seen(place, key, record.value, record.headers, None, bad)


@asynccontextmanager
async def _explained(settings: Settings) -> AsyncIterator[None]:
    """Turns what aiokafka raises into what to do about it, and keeps its own log lines off the terminal."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        yield
    except (KafkaError, TimeoutError, OSError) as error:
        try:
            message = await kafka.explain(settings, error)
        except SettingsError as wrong:
            raise Trouble(str(wrong)) from None
        raise Trouble(message + hint("KAFKA")) from None
