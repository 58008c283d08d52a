"""Outages, repeats, stops and bad input, on the whole system: late rather than wrong, and never twice."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from dev.system import System
from offramp_schemas import TOPIC_OF, Contact, Envelope, Event, encode, inputs_of
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.request import CancellationRequested, Requester
from services.runtime.stored import Connection
from tests.system.bad_records import ALL, CARD, ENDED, NOW, SOURCE, SUBJECT, UNUSED, Bad, records_at
from tests.system.conftest import SERVICES, audited, events, records, until

DAY = timedelta(days=1)
TABLES = {
    "lifecycle": ("subscriptions",),
    "refunds": ("accounts", "payments", "refunds", "refund_attempts"),
    "notifier": ("correspondences", "mails"),
}
SHELL = ("inbox", "transitions", "parked", "dead_letters", "calls", "outbox")


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[System]:
    settings = {"OFFRAMP_SESSION_TIMEOUT": "6", "OFFRAMP_LOOK_EVERY": "0.1"}
    async with System.start(clock="test", begins=NOW, settings=settings) as running:
        yield running


def failed(invoice: str, payment: str | None = None) -> PaymentFailed:
    """A charge of an invoice that was declined."""
    return PaymentFailed(
        payment_id=payment or f"pay_{invoice}", invoice_id=invoice, amount_minor=1900, currency="EUR", decline_code="x", kind="soft"
    )


class World:
    """The rest of the world, which publishes."""

    def __init__(self, system: System, tables: Connection, producer: AIOKafkaProducer) -> None:
        self.system, self.tables, self.producer = system, tables, producer
        self.published = 0

    async def now(self) -> datetime:
        now: datetime = await self.tables.fetchval("select now from notifier.test_clock")
        return now

    async def publish(self, subject: str, event: Event, event_id: str | None = None) -> str:
        """An event that happens now; returns its id."""
        self.published += 1
        id_ = event_id or f"{subject}-{self.published}"
        key, value, headers = encode(Envelope(id_, SOURCE, await self.now(), subject, event))
        await self.producer.send_and_wait(TOPIC_OF[type(event)].name, value, key=key, headers=headers)
        return id_

    async def begin(self, subject: str) -> None:
        """A paid subscription."""
        now, name = await self.now(), subject.removeprefix("sub_")
        await self.publish(subject, SubscriptionStarted(
            customer_id=f"cus_{name}", owner_id=f"usr_{name}", contact=Contact(email=f"{name}@example.com", name="Ada"), plan="pro",
            plan_name="Pro", price_minor=1900, currency="EUR", country="DE", consumer=True, current_period_start=now,
            current_period_end=now + 365 * DAY, interval="year", account_created_at=now,
        ))  # fmt: skip
        await self.pay(subject, f"in_{name}_0")

    async def pay(self, subject: str, invoice: str) -> str:
        return await self.publish(
            subject, PaymentSucceeded(payment_id=f"pay_{invoice}", invoice_id=invoice, amount_minor=1900, currency="EUR")
        )

    async def fail(self, subject: str, invoice: str) -> str:
        return await self.publish(subject, failed(invoice))

    async def settle(self, by: timedelta = timedelta(0)) -> None:
        """Lets everything come to rest, so much later."""
        await self.system.advance(await self.now() + by)

    async def state(self, subject: str) -> str:
        return str(await self.tables.fetchval("select state from lifecycle.subscriptions where subscription_id = $1", subject))

    async def history(self, subject: str) -> list[str]:
        query = "select event from lifecycle.transitions where entity_id = $1 order by version"
        return [row["event"] for row in await self.tables.fetch(query, subject)]


@pytest.fixture(scope="module")
async def world(system: System, tables: Connection, producer: AIOKafkaProducer) -> World:
    return World(system, tables, producer)


async def test_a_payment_that_came_in_during_an_outage_is_heard_before_the_dunning_that_ran_out_in_it(world: World, system: System) -> None:
    for subject in ("sub_paid", "sub_unpaid"):
        await world.begin(subject)
        await world.settle()
        await world.fail(subject, f"in_{subject}")
    await world.settle()
    query = "select guarded_wake_at from lifecycle.subscriptions where subscription_id = 'sub_paid' and wake_at is null"
    while (gives_up_at := await world.tables.fetchval(query)) is None:
        await world.settle(DAY)
    assert await system.stop_process("lifecycle") == 0
    await world.settle(gives_up_at - await world.now() + timedelta(hours=6))  # the others go on
    await world.tables.execute("update lifecycle.test_clock set now = (select now from notifier.test_clock)")
    await world.pay("sub_paid", "in_sub_paid")
    await system.start_process("lifecycle")
    await world.settle()
    assert await world.state("sub_paid") == "active"
    assert (await world.history("sub_paid"))[-1] == "payment-succeeded"
    assert await world.state("sub_unpaid") == "ended", "whoever did not pay is not spared"


async def test_a_stop_under_load_is_drained_within_half_a_minute(world: World, system: System) -> None:
    await world.begin("sub_busy")
    await world.settle()
    before, sent, gone = len(await world.history("sub_busy")), 0, asyncio.Event()
    now = await world.now()

    async def load() -> None:
        nonlocal sent
        while not gone.is_set():  # however slow this machine is, the process is busy to its last moment
            for number in range(sent, sent + 100):
                event = failed("in_busy", f"pay_{number}")
                key, value, headers = encode(Envelope(f"busy-{number}", SOURCE, now, "sub_busy", event))
                await world.producer.send("subscription.payment.v1", value, key=key, headers=headers)
            sent += 100
            await world.producer.flush()

    async def begun() -> bool:
        return len(await world.history("sub_busy")) > before

    loading = asyncio.create_task(load())
    await until(begun)
    asked = time.monotonic()
    assert await system.stop_process("lifecycle") == 0
    assert time.monotonic() - asked < 30
    gone.set()
    await loading
    assert before < len(await world.history("sub_busy")) < before + sent, "it was busy"
    assert await world.tables.fetchval("select count(*) from lifecycle.outbox") == 0, "whatever was decided was told"
    await system.start_process("lifecycle")
    await world.settle()
    known = {row[0] for row in await world.tables.fetch("select event_id from lifecycle.inbox where event_id like 'busy-%'")}
    assert known >= {f"busy-{number}" for number in range(sent)}, "and nothing was lost"
    assert len(await world.history("sub_busy")) == before + len(known)


Places = dict[str, tuple[Bad, int, int]]


@pytest.fixture(scope="module")
async def published(world: World) -> Places:
    """Every bad record with its partition and offset, published to the running system; a good one is behind each, in the same partition."""
    for subject in (SUBJECT, ENDED):
        await world.begin(subject)
    await world.pay(SUBJECT, "in_paid")
    await world.publish(ENDED, CancellationRequested(reference="CAN-E", requested_by=Requester(user_id="usr_ended"), mode="immediately"))
    await world.settle()
    now, places = await world.now(), {}
    for number, each in enumerate(records_at(now)):
        place = await world.producer.send_and_wait(each.topic, each.value, key=each.key, headers=each.headers)
        places[each.name] = (each, place.partition, place.offset)
        await world.fail(SUBJECT, f"in_good_{number}")
    await world.settle()
    return places


@pytest.fixture(scope="module")
async def letters(published: Places, system: System) -> list[dict[str, bytes]]:
    """The headers of every dead letter on Kafka."""
    return [dict(each.headers) for each in await records(system.stack.kafka) if ".dead-letters." in each.topic]


@pytest.mark.parametrize("name", [each.name for each in ALL])
async def test_bad_input_has_one_disposition_and_one_reason(
    published: Places, letters: list[dict[str, bytes]], world: World, name: str
) -> None:
    record, *place = published[name]
    at, service = f"where (topic, part, off) = ('{record.topic}', {place[0]}, {place[1]})", record.reader
    known = [row[0] for row in await world.tables.fetch(f"select disposition from {service}.inbox {at} and disposition <> 'dead'")]
    reasons = [row[0] for row in await world.tables.fetch(f"select reason from {service}.dead_letters {at}")]
    assert known + reasons == [record.becomes]
    here = tuple(str(each).encode() for each in (record.topic, *place))
    told = [
        letter["dlq.reason"].decode()
        for letter in letters
        if (letter["dlq.topic"], letter["dlq.partition"], letter["dlq.offset"]) == here
        and letter["dlq.consumer-group"].startswith(f"offramp.{service}.".encode())
    ]
    assert told == reasons
    effects = await world.tables.fetchval(f"select count(*) from {service}.transitions where event_id = $1", record.event_id)
    assert effects == (record.becomes == "applied")


async def test_the_partition_goes_on_behind_bad_input(published: Places, world: World) -> None:
    among_them = [each for each, *_ in published.values() if each.becomes == "applied" and each.topic == "subscription.payment.v1"]
    assert (await world.history(SUBJECT)).count("payment-failed") == len(published) + len(among_them)


async def test_the_same_id_with_another_body_is_a_conflict_without_effect(published: Places, world: World) -> None:
    id_ = await world.fail(SUBJECT, "in_first")
    await world.publish(SUBJECT, failed("in_second"), id_)
    await world.settle()
    assert await world.tables.fetchval("select reason from lifecycle.dead_letters where event_id = $1", id_) == "conflict"
    assert await world.tables.fetchval("select count(*) from lifecycle.transitions where event_id = $1", id_) == 1


async def test_a_card_number_is_stored_nowhere_and_sent_nowhere(published: Places, system: System, world: World) -> None:
    for service, tables in TABLES.items():
        for table in (*tables, *SHELL):
            text = f"select count(*) from {service}.{table} t where to_jsonb(t)::text like '%{CARD}%'"
            assert await world.tables.fetchval(text) == 0, f"{service}.{table}"
    ours = [each.value or b"" for each in await records(system.stack.kafka) if not each.topic.startswith("subscription.")]
    assert not any(CARD.encode() in value for value in ours)
    assert not any(CARD in str(mail) for mail in system.stack.mailbox.messages())


async def test_a_dead_letter_that_is_sent_again_applies_once_and_only_once(world: World, system: System) -> None:
    id_ = await world.publish("sub_late", UNUSED)
    await world.settle()
    assert await world.tables.fetchval("select disposition from lifecycle.inbox where event_id = $1", id_) == "parked"
    await world.settle(timedelta(minutes=20))
    row: Any = await world.tables.fetchrow("select * from lifecycle.dead_letters where event_id = $1", id_)
    assert row["reason"] == "never_seen"
    await world.begin("sub_late")
    url = f"{system.url('lifecycle')}/dead-letters/{row['topic']}/{row['part']}/{row['off']}/redrive"
    async with aiohttp.ClientSession() as session:
        answers = [(await session.post(url)).status for _ in range(2)]
    assert answers == [200, 404]
    await world.publish("sub_late", UNUSED, id_)
    await world.settle()
    assert (await world.history("sub_late")).count("inactivity-detected") == 1
    row = await world.tables.fetchrow("select resolution, next_action_at from lifecycle.dead_letters where event_id = $1", id_)
    assert tuple(row) == ("redriven", None)


async def test_reading_every_topic_again_from_its_beginning_changes_nothing(published: Places, world: World, system: System) -> None:
    before = await _everything(world), {(topic, envelope.id) for topic, envelope in await events(system.stack.kafka)}
    mails, read = len(system.stack.mailbox.messages()), await _repeats(world)
    assert [await system.stop_process(service) for service in SERVICES] == [0, 0, 0]
    count = sum([await _to_the_beginning(system.stack.kafka, service) for service in SERVICES])
    for service in SERVICES:
        await system.start_process(service)
    await world.settle()
    assert await _repeats(world) - read > count * 0.8, "they were read again"
    assert await _everything(world) == before[0]
    assert {(topic, envelope.id) for topic, envelope in await events(system.stack.kafka)} == before[1]
    assert len(system.stack.mailbox.messages()) == mails


async def test_the_audit_finds_nothing(published: Places, system: System) -> None:
    assert {number: here for number, here in (await audited(system)).items() if here} == {}


async def _everything(world: World) -> dict[str, list[str]]:
    """Every row of every table, but for how often something was read and who holds what."""
    found = {}
    for service, tables in TABLES.items():
        for table in (*tables, *SHELL):
            rows = await world.tables.fetch(f"select t::text from {service}.{table} t order by 1")
            found[f"{service}.{table}"] = [row[0] for row in rows]
    return found


async def _repeats(world: World) -> int:
    return sum([int(await world.tables.fetchval(f"select sum(duplicate) from {service}.watermarks")) for service in SERVICES])


async def _to_the_beginning(kafka: str, service: str) -> int:
    """Sets the offsets of a service that does not run to 0; returns how many records it will read again."""
    count = 0
    for topic in inputs_of(service):
        group = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=f"offramp.{service}.{topic.name}", enable_auto_commit=False)
        await group.start()
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        group.assign(partitions)
        count += sum((await group.end_offsets(partitions)).values())
        await group.commit(dict.fromkeys(partitions, 0))
        await group.stop()
    return count
