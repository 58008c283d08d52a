"""How long one event takes: from its publication until a reader of Kafka has what follows, and until a mail server has the first mail."""

import asyncio
import contextlib
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

from aiokafka import AIOKafkaConsumer

from bench import load
from bench.figures import Figure, at_most
from bench.scale import Scale
from bench.throughput import NONE
from bench.watch import database, until, until_read
from dev.system import System
from offramp_schemas import TOPIC_OF, Envelope, Event, encode
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.topics import ACCOUNT, LIFECYCLE_EVENTS, PAYMENT

WARM_UP = 3.0  # seconds, not counted
_RECIPIENT = re.compile(rb"^X-RcptTo: (.+?)\r?$", re.MULTILINE)


async def follow_up(scale: Scale, rate: int = 200) -> list[Figure]:
    """PaymentFailed at a steady rate; a consumer notes when each PaymentPastDue reaches it."""
    async with System.start(durable=True, processes={**NONE, "lifecycle": 1}) as system:
        seconds = WARM_UP + scale.rounds * scale.window
        await load.publish(system.stack.kafka, load.started(2_000))
        async with database(system) as connection:
            await until_read(connection, ACCOUNT, 2_000)
        heard: dict[str, float] = {}
        async with _causes(system, heard):
            published = await _steadily(system, load.failed(int(rate * seconds), 2_000), rate)
            await until(lambda: _count(heard), len(published), "follow-ups")
    windows = _windows(published, heard, scale)
    return [
        Figure(f"event to follow-up on Kafka at {rate}/s, p50", "ms", [p50 for p50, _ in windows]),
        at_most(f"event to follow-up on Kafka at {rate}/s, p99", "ms", [p99 for _, p99 in windows], 150),
    ]


async def first_mail(scale: Scale, rate: int = 50) -> list[Figure]:
    """RefundRequested at a steady rate, each of another customer, who gets three mails; the first one's file tells when it was accepted."""
    async with System.start(durable=True) as system:
        count = int(rate * (WARM_UP + scale.rounds * scale.window))
        await load.publish(system.stack.kafka, [*load.started(count), *load.paid(count)])
        async with database(system, "refunds") as refunds:
            await until_read(refunds, ACCOUNT, count)
            await until_read(refunds, PAYMENT, count)
        requests = ((load.name_of(number), RefundRequested(request_ref=f"req_{number}", amount_minor=500)) for number in range(count))
        published = await _steadily(system, requests, rate)
        accepted: dict[str, float] = {}
        await until(lambda: _mails(system.stack.maildir, published, accepted), count, "first mails")
    windows = _windows(published, accepted, scale)
    return [
        Figure(f"refund request to first mail at {rate}/s, p50", "ms", [p50 for p50, _ in windows]),
        at_most(f"refund request to first mail at {rate}/s, p99", "ms", [p99 for _, p99 in windows], 1000),
    ]


async def _steadily(system: System, events: Iterable[tuple[str, Event]], rate: int) -> dict[str, float]:
    """Publishes one event after the other, on time; returns when each was handed over, by its id."""
    published: dict[str, float] = {}
    async with load.producer(system.stack.kafka, linger_ms=0) as sending:
        begin = time.time()
        for number, (subscription, event) in enumerate(events):
            await asyncio.sleep(max(0.0, begin + number / rate - time.time()))
            id_ = uuid.uuid5(uuid.NAMESPACE_URL, subscription).hex if isinstance(event, RefundRequested) else uuid.uuid4().hex
            key, value, headers = encode(Envelope(id_, "//bench", datetime.now(UTC), subscription, event))
            published[id_] = time.time()
            await sending.send(TOPIC_OF[type(event)].name, value, key=key, headers=headers)
    return published


@contextlib.asynccontextmanager
async def _causes(system: System, heard: dict[str, float]) -> AsyncIterator[None]:
    """Notes when the follow-up of each event arrives, as a service downstream would see it."""
    consumer = AIOKafkaConsumer(LIFECYCLE_EVENTS.name, bootstrap_servers=system.stack.kafka, auto_offset_reset="earliest")
    await consumer.start()

    async def listen() -> None:
        async for record in consumer:
            heard.setdefault(dict(record.headers)["ce_causationid"].decode(), time.time())

    listening = asyncio.create_task(listen())
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await consumer.stop()


async def _mails(maildir: Path, published: dict[str, float], accepted: dict[str, float]) -> int:
    """Notes when each customer's first mail was written."""
    for file in (maildir / "new").iterdir():
        found = _RECIPIENT.search(file.read_bytes())
        assert found, "the mailbox writes down who a mail is for"
        number = int(found[1].decode().partition("@")[0].removeprefix("c"))
        id_ = uuid.uuid5(uuid.NAMESPACE_URL, load.name_of(number)).hex
        accepted[id_] = min(file.stat().st_mtime, accepted.get(id_, float("inf")))
    await asyncio.sleep(1.0)
    return len(accepted)


async def _count(heard: dict[str, float]) -> int:
    return len(heard)


def _windows(published: dict[str, float], ended: dict[str, float], scale: Scale) -> list[tuple[float, float]]:
    """p50 and p99 in milliseconds, of each window."""
    begin = min(published.values()) + WARM_UP
    windows: list[list[float]] = [[] for _ in range(scale.rounds)]
    for id_, at in published.items():
        number = int((at - begin) // scale.window)
        if 0 <= number < scale.rounds:
            windows[number].append((ended[id_] - at) * 1000)
    cuts = [quantiles(window, n=100) for window in windows]
    return [(each[49], each[98]) for each in cuts]
