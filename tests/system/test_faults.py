"""Faults of the world while load flows: whatever fails, it says so, recovers by itself, and nothing is lost or done twice."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from dev.kafka import Kafka
from dev.places import HOST, free_port
from dev.postgres import Postgres
from dev.sandbox.behaviour import Behaviour
from dev.service_process import Process
from dev.system import System
from services.runtime import calls
from tests.system.conftest import until
from tests.system.load import Customer, Load
from tests.system.trial import NOW, Trial
from tests.system.way import Way

CUSTOMERS = 12  # of a trial
VISITORS = 5
SESSION = 6.0  # seconds
_trials = count()


@pytest.fixture(scope="module")
async def way() -> AsyncIterator[Way]:
    """Between the services and Kafka; everybody else has another one."""
    async with Way.open(free_port()) as made:
        yield made


@pytest.fixture(scope="module")
async def broker(way: Way) -> dict[str, str]:
    """The properties of a Kafka at the end of both ways."""
    near, controller = free_port(), f"{HOST}:{free_port()}"
    return {
        "listeners": f"PLAINTEXT://{HOST}:{near},FAR://{HOST}:{way.to},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{near},FAR://{way.address}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.bootstrap.servers": controller,
    }


@pytest.fixture(scope="module")
async def replacements() -> AsyncIterator[AsyncExitStack]:
    """Servers that were started again: they outlive the services."""
    async with AsyncExitStack() as exits:
        yield exits


@pytest.fixture(scope="module")
async def system(way: Way, broker: dict[str, str], replacements: AsyncExitStack) -> AsyncIterator[System]:
    near = int(broker["listeners"].partition(",")[0].rpartition(":")[2])
    settings = {"OFFRAMP_SESSION_TIMEOUT": f"{SESSION}", "OFFRAMP_LOOK_EVERY": "0.2", "OFFRAMP_KAFKA": way.address}
    async with System.start(clock="test", begins=NOW, durable=True, ports={"kafka": near}, broker=broker, settings=settings) as running:
        yield running


@pytest.fixture
def trial(system: System, producer: AIOKafkaProducer) -> Trial:
    """With customers of its own."""
    number = next(_trials)
    seed = int(os.environ.get("OFFRAMP_DEV_SEED") or random.randrange(1_000_000))
    print(f"OFFRAMP_DEV_SEED={seed}")  # noqa: T201 - a failure shows it, and it does the same again
    customers = [Customer(number * CUSTOMERS + each) for each in range(CUSTOMERS)]
    return Trial(system, Load(producer, NOW, random.Random(seed), customers, name=f"trial{number}"))


async def test_a_broker_that_accepts_and_never_answers(trial: Trial, way: Way) -> None:
    trial.system.provider.behaviours.tell(Behaviour(do="slow", seconds=2, times=None))
    async with trial.under_load():
        before = way.swallowed
        await until(lambda: trial.rows("select from refunds.calls where done_at is null"))
        with way.lost():
            await until(lambda: trial.rows("select from refunds.outbox"))  # the provider has answered, and nobody can be told
            for service in trial.system.processes:
                await until(lambda service=service: trial.unready(service))  # type: ignore[misc]
            assert "watermarks" in await trial.unready()
            assert await trial.retries("watermarks") > 0
            await until(lambda: trial.retries("relay", "refunds"))
        assert way.swallowed > before
        trial.system.provider.behaviours.behave()
        await until(trial.ready)
    await trial.is_as_if_nothing_had_been()


async def test_a_broker_that_is_killed_and_comes_again(trial: Trial, broker: dict[str, str], replacements: AsyncExitStack) -> None:
    old = trial.system.stack.broker
    async with trial.under_load():
        await old.stop(keep=False)
        await until(trial.unready)
        replacements.push_async_callback((await Kafka.start(trial.system.directory, old.port, properties=broker)).stop, keep=False)
        await until(trial.ready)
    await trial.is_as_if_nothing_had_been()


async def test_postgres_breaks_down_and_comes_again(trial: Trial, replacements: AsyncExitStack) -> None:
    old = trial.system.stack.database
    async with trial.under_load():
        await old.child.stop(signal.SIGQUIT, within=10)  # nothing is written any more; the next start is a recovery
        await until(trial.unready)
        await until(lambda: trial.retries("intake"))
        replacements.push_async_callback((await Postgres.start(trial.system.directory, old.port)).stop, keep=False)
        await until(trial.ready)
    await trial.is_as_if_nothing_had_been()


async def test_connections_to_postgres_that_are_cut_in_the_middle_of_something(trial: Trial) -> None:
    busy = "select pg_terminate_backend(pid) from pg_stat_activity where usename like 'offramp%' and state <> 'idle'"
    cut: list[bool] = []

    async def enough() -> bool:
        cut.extend([row[0] for row in await trial.rows(busy)])
        return sum(cut) >= 10

    async with trial.under_load():
        await until(enough)
    await trial.is_as_if_nothing_had_been()


async def test_a_disk_of_postgres_that_is_full(trial: Trial, small_disk: Path) -> None:
    async with trial.under_load():
        fill(small_disk / "filler")
        await until(lambda: _waits_for(trial, "DiskFullError"))
        (small_disk / "filler").unlink()
        await until(trial.ready)
    await trial.is_as_if_nothing_had_been()


async def _waits_for(trial: Trial, error: str) -> bool:
    return error in await trial.unready()


async def test_processes_that_come_and_go_all_the_time(trial: Trial) -> None:
    async def comes_and_goes() -> int:
        came = await trial.system.start_process("lifecycle")
        return await trial.system.stop_process("lifecycle", trial.system.processes["lifecycle"].index(came))

    async with trial.under_load():
        before = await trial.written()
        assert await asyncio.gather(*(comes_and_goes() for _ in range(VISITORS))) == [0] * VISITORS
        assert await trial.written() > before
    await trial.is_as_if_nothing_had_been()


async def test_a_rule_that_never_comes_back(trial: Trial) -> None:
    bug, patience = Path(__file__).with_name("hanging.py"), {"OFFRAMP_STUCK_AFTER": f"{SESSION + 2}"}
    hanging = await trial.system.start_process("lifecycle", program=bug, settings=patience)
    async with trial.under_load():
        for customer in (Customer(1000 + number) for number in range(CUSTOMERS)):  # one at least in a partition of the process that hangs
            await trial.load.publish(customer, customer.started(NOW))
            await trial.load.publish(customer, customer.cancels(), ("cancellation-scheduled",))
        await until(lambda: _ended(hanging))
    assert hanging.child.process.returncode == 1
    assert bug.name in hanging.child.log.read_text(), "it says where it hung"
    trial.system.processes["lifecycle"].remove(hanging)
    await trial.is_as_if_nothing_had_been()


async def _ended(process: Process) -> bool:
    return not process.child.running


async def test_a_provider_that_does_not_answer_while_refunds_is_told_to_stop(trial: Trial) -> None:
    done = len(trial.system.provider.ledger.all())
    assert await trial.system.stop_process("refunds") == 0
    await trial.system.start_process("refunds", settings={"OFFRAMP_STOP_TIMEOUT": "1"})
    async with trial.under_load():
        trial.system.provider.behaviours.tell(Behaviour(do="timeout_after_doing", times=None))
        await until(lambda: _has_done_more_than(done, trial))
        asked = time.monotonic()
        assert await trial.system.stop_process("refunds") == 0
        assert time.monotonic() - asked < calls.TIMEOUT, "the answer was not waited for"
        trial.system.provider.behaviours.behave()
        await trial.rows("update refunds.calls set lease_until = now() where lease_until is not null")
        await trial.system.start_process("refunds")
    await trial.is_as_if_nothing_had_been()


async def _has_done_more_than(done: int, trial: Trial) -> bool:
    return len(trial.system.provider.ledger.all()) > done


@pytest.fixture
def disk(system: System) -> Iterator[Path]:
    """A small file system in memory, which is Postgres' own."""
    at, owner = system.directory / "disk", (system.directory / "postgres").stat()
    at.mkdir()
    how = f"size=32m,mode=700,uid={owner.st_uid},gid={owner.st_gid}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", how, "small", at], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")  # only root may, and not in every container
    yield at
    subprocess.run(["umount", "--lazy", at], check=True)


@pytest.fixture
async def small_disk(trial: Trial, disk: Path) -> AsyncIterator[Path]:
    """The same with all tables and indexes of the services on it."""
    await trial.rows(f"create tablespace small location '{disk}'")
    await _move(trial, "small")
    yield disk
    await _move(trial, "pg_default")
    await trial.rows("drop tablespace small")


async def _move(trial: Trial, tablespace: str) -> None:
    ours = """select relkind = 'i', oid::regclass from pg_class
        where relkind in ('r', 'i') and relnamespace in (select oid from pg_namespace where nspname = any($1))"""
    for index, name in await trial.rows(ours, list(trial.system.processes)):
        await trial.rows(f"alter {'index' if index else 'table'} {name} set tablespace {tablespace}")


def fill(file: Path) -> None:
    """Until the disk is full."""
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
