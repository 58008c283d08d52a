"""Everybody else: who publishes, who reads what follows, who gets the mails, the payment provider, and whoever advances the clock."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from dev.sandbox.behaviour import silent_after_doing
from offramp_schemas import TOPIC_OF, TOPICS, BadRecord, Envelope, Event, decode, encode
from tests.e2e.customers import Customer
from tests.e2e.engine import Ended
from tests.e2e.project import Project

SOURCE = "//shop/e2e"
_READS = tuple(topic.name for topic in TOPICS if topic.name.endswith((".events.v1", ".dead-letters.v1")))
_PATIENCE = 180.0  # seconds for an advance of the clock


def kafka_as(project: Project, principal: str) -> dict[str, Any]:
    """How a client on this machine reaches Kafka, as one of its principals where it asks who comes."""
    address = {"bootstrap_servers": f"localhost:{project.port('KAFKA')}"}
    if project.mode == "plain":
        return address
    return address | {
        "security_protocol": "SASL_SSL", "ssl_context": trusting(project), "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": principal, "sasl_plain_password": project.secret(f"kafka_{principal}_password"),
    }  # fmt: skip


def trusting(project: Project) -> ssl.SSLContext:
    """TLS with the project's own authority."""
    return ssl.create_default_context(cafile=project.secrets / "ca")


@dataclass
class World:
    """Acts on the project from outside alone."""

    project: Project
    producer: AIOKafkaProducer
    reader: AIOKafkaConsumer
    http: aiohttp.ClientSession
    _records: list[Any] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def open(cls, project: Project) -> AsyncIterator[World]:
        """With a producer's and a reader's connection to Kafka."""
        producer = AIOKafkaProducer(**kafka_as(project, "publisher"), acks="all", enable_idempotence=True)
        reader = AIOKafkaConsumer(
            **kafka_as(project, "console"), enable_auto_commit=False, auto_offset_reset="earliest",
            fetch_max_wait_ms=50,  # whatever else is asked waits behind a fetch
        )  # fmt: skip
        async with producer, reader, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE + 10)) as http:
            reader.assign(
                [TopicPartition(topic.name, part) for topic in TOPICS if topic.name in _READS for part in range(topic.partitions)]
            )
            yield cls(project, producer, reader, http)

    # Time.

    async def now(self) -> datetime:
        """Business time."""
        return datetime.fromisoformat((await self.ask("GET", "CONSOLE", "/clock"))["now"])

    async def advance(self, by: str) -> None:
        """Lets so much time pass (`7d`), and everything settle."""
        await self.ask("POST", "CONSOLE", f"/clock/advance?timeout={_PATIENCE:.0f}", {"by": by})

    async def settle(self) -> None:
        """Lets everything that was published have its effects."""
        await self.ask("POST", "CONSOLE", f"/clock/settle?timeout={_PATIENCE:.0f}")

    # Events.

    async def begin(self, *customers: Customer) -> None:
        """Subscriptions that are paid."""
        now = await self.now()
        await asyncio.gather(*[await self.send(each, event, now) for each in customers for event in each.beginning(now)])
        await self.settle()

    async def publish(self, customer: Customer, *events: Event) -> None:
        """They happen now; returns once Kafka has them."""
        now = await self.now()
        await asyncio.gather(*[await self.send(customer, event, now) for event in events])

    async def send(self, customer: Customer, event: Event, now: datetime) -> Awaitable[Any]:
        """It happens; await what is returned for Kafka's acknowledgement."""
        key, value, headers = encode(Envelope(str(uuid.uuid4()), SOURCE, now, customer.subscription_id, event))
        sent: Awaitable[Any] = await self.producer.send(TOPIC_OF[type(event)].name, value, key=key, headers=headers)
        return sent

    async def told(self, customer: Customer, topic: str) -> list[Any]:
        """What was told about somebody on a topic, in its order; a repeat under the same id is one event."""
        return about(customer, await self.records(topic))

    async def names(self, customer: Customer, topic: str) -> list[str]:
        """The names of those events."""
        return [event.kebab() for event in await self.told(customer, topic)]

    async def records(self, topic: str) -> list[Any]:
        """Everything on one of our topics up to now, in order per partition."""
        ends = await self.reader.end_offsets(self.reader.assignment())
        while any([await self.reader.position(partition) < end for partition, end in ends.items()]):
            self._records += [record for batch in (await self.reader.getmany(timeout_ms=200)).values() for record in batch]
        return [record for record in self._records if record.topic == topic]

    # Mails and money.

    async def mails(self, address: str) -> list[str]:
        """The subjects of the mails to an address, as they arrived."""
        return [mail["subject"] for mail in await self.ask("GET", "MAILDEV", f"/api/email?to.address={address}")]

    async def templates(self, customer: Customer) -> list[str]:
        """Which mails the mail server took for somebody, in order."""
        return [event.template for event in await self.told(customer, "notification.events.v1") if event.kebab() == "email-sent"]

    @asynccontextmanager
    async def silent_provider(self, customer: Customer) -> AsyncIterator[None]:
        """It does this customer's next refund and breaks the connection; then it answers nothing about it, until the block is left."""
        for behaviour in silent_after_doing(customer.charge()):
            await self.ask("POST", "PROVIDER", "/sandbox/behave", msgspec.to_builtins(behaviour))
        try:
            yield
        finally:
            await self.ask("DELETE", "PROVIDER", "/sandbox/behave")

    async def paid_back(self, customer: Customer) -> list[int]:
        """What the provider says that it paid back to somebody."""
        refunds = (await self.ask("GET", "PROVIDER", "/sandbox/refunds"))["data"]
        return [each["amount"] for each in refunds if each["payment_intent"] == customer.charge()]

    async def ask(self, method: str, whom: str, path: str, body: Any = None) -> Any:
        """The JSON that one of the HTTP APIs answers with."""
        async with self.http.request(method, f"{self.project.url(whom)}{path}", json=body) as answer:
            assert answer.ok, f"{method} {path} answers {answer.status}: {await answer.text()}"
            return await answer.json(content_type=None)

    # Containers.

    async def compose(self, *words: str, **how: Any) -> Ended:
        """`docker compose …`, while this program goes on."""
        return await asyncio.to_thread(self.project.compose, *words, **how)

    async def offramp(self, *words: str) -> Ended:
        """The command line."""
        return await asyncio.to_thread(self.project.offramp, *words)

    async def kill(self, service: str) -> None:
        """kill -9 of a service, and the same container again."""
        await self.compose("kill", "--signal=KILL", service)
        await self.up(service)

    async def restart(self, service: str) -> None:
        """A stop in good order, and the same container again."""
        await self.compose("restart", "--no-deps", service)
        await self.up(service)

    async def up(self, *services: str, options: Sequence[str] = ()) -> None:
        """Services that are to be there, ready."""
        await self.compose("up", "--detach", "--no-deps", "--no-recreate", "--wait", *options, *services)


def about(customer: Customer, records: Iterable[Any]) -> list[Any]:
    """The events among the records that are about somebody, each once."""
    found: dict[tuple[str, str], Event] = {}
    for record in records:
        if record.key == customer.subscription_id.encode() and (envelope := _envelope(record)):
            found.setdefault((envelope.source, envelope.id), envelope.data)
    return list(found.values())


def _envelope(record: Any) -> Envelope | None:
    try:
        return decode(record.topic, record.key, record.value, record.headers)
    except BadRecord:
        return None
