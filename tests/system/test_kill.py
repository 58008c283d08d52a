"""kill -9, ten times, while load flows: nothing is lost, nothing is done twice, nothing comes out of order."""

import asyncio
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from dev.sandbox.behaviour import Behaviour
from dev.service_process import Process
from dev.system import System
from offramp_schemas import Envelope, FollowUp, encode
from services.runtime.stored import Connection
from tests.system.conftest import audited, events, tripped
from tests.system.load import SOURCE, Customer, Load

KILLS = 10
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@dataclass
class Run:
    """What was done to the system, and what came of it."""

    seed: int
    load: Load
    kills: list[tuple[str, int]] = field(default_factory=list)  # the service, and how many rows it wrote while it was aimed at
    recovery: float = 0.0
    kafka: list[tuple[str, Envelope]] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, list[str]]:
        """What the services told, by the id of its cause."""
        told = defaultdict(list)
        for _, envelope in self.kafka:
            if envelope.source.startswith("//offramp/"):
                told[envelope.causationid or ""].append(type(envelope.data).kebab())
        return told


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[System]:
    processes = {"lifecycle": 2, "refunds": 2}
    settings = {"OFFRAMP_SESSION_TIMEOUT": "6", "OFFRAMP_LOOK_EVERY": "0.2", "OFFRAMP_BATCH_RECORDS": "20"}
    async with System.start(clock="test", begins=NOW, processes=processes, settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
async def run(system: System, tables: Connection, producer: AIOKafkaProducer) -> Run:
    """Load, kills, and rest."""
    seed = int(os.environ.get("OFFRAMP_DEV_SEED") or random.randrange(1_000_000))
    print(f"OFFRAMP_DEV_SEED={seed}")  # noqa: T201 - a failure shows it, and it does the same again
    chance = random.Random(seed)
    load = Load(producer, NOW, chance, [Customer(number) for number in range(40)])
    run = Run(seed, load)
    system.provider.behaviours.tell(Behaviour(do="slow", seconds=0.2, times=None))
    await load.begin()
    enough = asyncio.Event()
    flowing = asyncio.create_task(_flow(load, enough))
    async with asyncio.timeout(120):
        await asyncio.gather(*(_kill_one_after_the_other(run, system, service) for service in ("refunds", "lifecycle")))
    killed = time.monotonic()
    enough.set()
    await flowing
    await system.advance(NOW)  # settles: a cancellation travels on another topic, and may overtake the payments before it
    for customer in [each for each in load.customers if each.turns][:5]:
        await load.publish(customer, customer.leaves())
    await system.advance(NOW + timedelta(hours=2))
    run.recovery = time.monotonic() - killed
    run.kafka = await events(system.stack.kafka)
    return run


async def _flow(load: Load, enough: asyncio.Event) -> None:
    while not enough.is_set():
        await load.some()
        await asyncio.sleep(0.3)


async def _kill_one_after_the_other(run: Run, system: System, service: str) -> None:
    """kill -9 of the older process of the service each time that something was just written, and a new one in its place."""
    chance = random.Random(f"{run.seed} {service}")
    tables = await asyncpg.connect(system.admin_dsn)
    starting: list[asyncio.Task[Process]] = []
    try:
        for number in range(KILLS // 2):
            before, enough = await _written(tables, service), chance.randrange(1, 20)
            while (written := await _written(tables, service) - before) < enough:
                await asyncio.sleep(0.005)
            if number >= 2:
                await starting[number - 2]  # the older one is ready, and reads
            system.kill(service)
            run.kills.append((service, written))
            starting.append(asyncio.create_task(system.start_process(service)))
        await asyncio.gather(*starting)
    finally:
        await tables.close()


async def _written(tables: Connection, service: str) -> int:
    return int(await tables.fetchval(f"select count(*) from {service}.transitions"))


async def _count(tables: Connection, service: str, disposition: str) -> int:
    return int(await tables.fetchval(f"select coalesce(sum({disposition}), 0)::int from {service}.watermarks"))


async def test_ten_processes_were_killed_while_rows_flowed(run: Run, tables: Connection) -> None:
    duplicates = sum([await _count(tables, service, "duplicate") for service in ("lifecycle", "refunds")])
    told = f"{len(run.load.published)} events, killed {run.kills}, at rest {run.recovery:.0f} s later, {duplicates} repeats suppressed"
    print(told)  # noqa: T201 - what the run was like
    assert len(run.kills) == KILLS
    assert all(rows > 0 for _, rows in run.kills)


@pytest.mark.parametrize("service", ["lifecycle", "refunds"])
async def test_every_event_has_one_disposition(run: Run, tables: Connection, service: str) -> None:
    dead = await tables.fetch(f"select reason, message, event_id from {service}.dead_letters")
    assert [tuple(row) for row in dead if row["reason"] != "not_a_cloudevent"] == []
    assert len(dead) == run.load.poison
    rows = await tables.fetch(f"select event_id, disposition from {service}.inbox where source = $1", SOURCE)
    known = Counter(row["event_id"] for row in rows)
    heard_by_all = {"SubscriptionStarted", "PaymentFailed", "PaymentSucceeded"}
    alone = {"lifecycle": "CancellationRequested", "refunds": "RefundRequested"}[service]
    meant = {id_ for id_, event in run.load.published.items() if type(event).__name__ in {*heard_by_all, alone}}
    assert known == Counter(meant)
    assert {row["disposition"] for row in rows} <= {"applied", "ignored"}


async def test_every_event_has_one_effect(run: Run) -> None:
    facts = run.facts
    got = {id_: tuple(facts[id_]) for id_ in run.load.expected}
    assert got == run.load.expected


async def test_facts_of_one_subscription_are_events_in_the_order_of_their_versions(run: Run) -> None:
    versions = defaultdict(list)
    for topic, envelope in run.kafka:
        if isinstance(envelope.data, FollowUp):
            versions[topic, envelope.subject].append(envelope.data.version)
    assert len(versions) > len(run.load.customers)
    assert {key: seen for key, seen in versions.items() if seen != sorted(seen)} == {}


async def test_the_provider_has_paid_back_what_the_database_says_and_nothing_twice(run: Run, system: System, tables: Connection) -> None:
    query = """select a.idempotency_key, r.amount_minor, p.provider_payment_id from refunds.refund_attempts a
        join refunds.refunds r using(refund_id) join refunds.payments p using(payment_id)"""
    ours = [tuple(row) for row in await tables.fetch(query)]
    theirs = [(each["idempotency_key"], each["amount"], each["payment_intent"]) for each in system.provider.ledger.all()]
    assert sorted(theirs) == sorted(ours)
    assert len({key for key, _, _ in theirs}) == len(theirs) >= sum(facts[0] == "refund-received" for facts in run.load.expected.values())
    assert {each["status"] for each in system.provider.ledger.all()} == {"succeeded"}


async def test_one_mail_is_in_the_mailbox_for_each_fact_template_and_recipient(run: Run, system: System, tables: Connection) -> None:
    mails = await tables.fetch("select message_id, state, entity_id, version, template, recipient_hash from notifier.mails")
    assert len({tuple(row)[2:] for row in mails}) == len(mails)
    arrived = Counter(str(mail["Message-ID"]) for mail in system.stack.mailbox.messages())
    assert arrived == Counter(row["message_id"] for row in mails if row["state"] == "sent")
    assert {row["state"] for row in mails} <= {"sent", "suppressed"}


async def test_the_audit_finds_nothing(run: Run, system: System) -> None:
    assert {number: here for number, here in (await audited(system)).items() if here} == {}


async def test_the_audit_finds_what_somebody_else_did(run: Run, system: System, tables: Connection, producer: AIOKafkaProducer) -> None:
    """Last, since it spoils everything."""
    refund = {"payment_intent": "pay_0_1", "amount": 1, "metadata": {"refund_id": "somebody's", "attempt": "1"}}
    for key in ("theirs", "theirs", "other"):
        system.provider.ledger.refund(refund, key=key, status="succeeded", extra={})
    one = "(select min(idempotency_key) from refunds.refund_attempts)"
    await tables.execute(f"update refunds.refund_attempts set provider_refund_id = 're_none' where idempotency_key = {one}")
    lifecycle = [each for topic, each in run.kafka if topic == "lifecycle.events.v1"]
    await _forge(producer, lifecycle[0]._replace(id="forged"))
    await tables.execute(
        "update lifecycle.transitions set facts = facts || ',data-deletion-due' where event_id = $1", lifecycle[1].causationid
    )
    await tables.execute("delete from lifecycle.inbox where (source, event_id) = ($1, 'load-1')", SOURCE)
    await tables.execute("update lifecycle.watermarks set applied = 0, duplicate = 0 where topic = 'subscription.payment.v1'")
    await tables.execute("update lifecycle.dead_letters set off = off + 1000000")
    assert tripped(await audited(system)) >= {
        "refunds_of_one_key", "paid_twice", "unknown_to_us", "unknown_to_them", "unknown_on_kafka", "out_of_order", "missing_on_kafka",
        "without_a_disposition", "fewer_counted_than_read", "letter_not_announced",
    }  # fmt: skip


async def _forge(producer: AIOKafkaProducer, envelope: Envelope) -> None:
    key, value, headers = encode(envelope)
    await producer.send_and_wait("lifecycle.events.v1", value, key=key, headers=headers)
