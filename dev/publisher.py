"""Publishing as billing, the web shop or support would: real events, on their real topics."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaProducer
from uuid_utils.compat import uuid7

from offramp_schemas import TOPIC_OF, Envelope, Event, encode

_SOURCE = "//offramp/dev"


@dataclass(frozen=True)
class Publisher:
    """A connection to Kafka that stays open."""

    producer: AIOKafkaProducer

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, kafka: str) -> AsyncIterator[Publisher]:
        """For as long as the block lasts. `kafka` is host:port."""
        producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
        await producer.start()
        try:
            yield cls(producer)
        finally:
            await producer.stop()

    async def publish(self, subscription_id: str, event: Event, at: datetime) -> Envelope:
        """One event that happened at `at`; returns its envelope once Kafka has it."""
        envelope = Envelope(str(uuid7()), _SOURCE, at, subscription_id, event)
        key, value, headers = encode(envelope)
        await self.producer.send_and_wait(TOPIC_OF[type(event)].name, value, key=key, headers=headers)
        return envelope

    async def publish_cut_off(self, subscription_id: str, event: Event, at: datetime) -> None:
        """The same as a program would publish it that breaks off in the middle."""
        key, value, headers = encode(Envelope(str(uuid7()), _SOURCE, at, subscription_id, event))
        await self.producer.send_and_wait(TOPIC_OF[type(event)].name, value[: len(value) // 2], key=key, headers=headers)
