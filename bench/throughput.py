"""How many declined charges one lifecycle process takes in a second: from Kafka, stored, and what follows from it on Kafka again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil

from bench import load, yardstick
from bench.figures import Figure
from bench.scale import Scale
from bench.watch import APPLIED, READ, cpu_seconds, database, end_of, until, until_read
from dev.system import System
from offramp_schemas.topics import ACCOUNT, LIFECYCLE_EVENTS, PAYMENT

NONE = {"lifecycle": 0, "refunds": 0, "notifier": 0}
REMEMBER = "create table before_bench as select * from subscriptions"
AGAIN = """
truncate inbox, transitions, outbox, subscriptions, subscription_terms;
insert into subscriptions select * from before_bench;
delete from watermarks where topic = 'subscription.payment.v1'
"""


@dataclass(frozen=True)
class Run:
    """Events a second, and µs of the process's CPU for each."""

    stored: float
    relayed: float
    cpu: float


async def measure(scale: Scale) -> list[Figure]:
    """Offramp and the yardsticks in turn, on the same servers."""
    ours, ceilings, faststreams = [], [], []
    async with System.start(durable=True, processes=NONE, settings={"OFFRAMP_BATCH_RECORDS": str(scale.batch)}) as system:
        await set_up(system, scale.charges)
        servers = yardstick.servers(system)
        for _ in range(scale.rounds):
            ceilings.append(await yardstick.run(system, "bench.ceiling", **servers, events=scale.charges, batch=scale.batch))
            ours.append(await one_run(system, scale.charges))
            faststreams.append(await yardstick.run(system, "bench.peer_faststream", **servers, events=scale.faststream))
    relayed, ceiling = [run.relayed for run in ours], f"the ceiling in batches of {scale.batch}"
    return [
        Figure("lifecycle: Kafka, stored, Kafka", "events/s", relayed, ceiling, [each["relayed"] for each in ceilings], ">= 0.6"),
        Figure("the same", "events/s", relayed, "FastStream", [each["stored"] for each in faststreams], ">= 12"),
        Figure("lifecycle: CPU of the process", "µs/event", [run.cpu for run in ours], ceiling, [each["cpu"] for each in ceilings], ""),
    ]


async def set_up(system: System, charges: int) -> None:
    """Subscriptions that are known, and charges on the topics, for any number of runs."""
    await load.publish(system.stack.kafka, load.started())
    await system.start_process("lifecycle")
    async with database(system) as connection:
        await until_read(connection, ACCOUNT, load.SUBSCRIPTIONS)
        await system.stop_process("lifecycle")
        await connection.execute(REMEMBER)
    await load.publish(system.stack.kafka, load.failed(charges))
    await load.yardstick_events(system.stack.kafka, charges)


async def one_run(system: System, charges: int) -> Run:
    """The tables are put back, and the service finds the whole topic unread."""
    async with database(system) as connection, end_of(system.stack.kafka, LIFECYCLE_EVENTS) as end:
        await connection.execute(AGAIN)
        await connection.execute("vacuum analyze")
        await yardstick.checkpoint(system)
        told = await end()
        service = await system.start_process("lifecycle")
        run = await _watch(connection, psutil.Process(service.child.process.pid), end, told, charges)
        await system.stop_process("lifecycle")
        return run


async def _watch(connection: Any, process: psutil.Process, end: Callable[[], Awaitable[int]], told: int, charges: int) -> Run:
    await until_read(connection, PAYMENT, 1)
    cpu, read = cpu_seconds(process), int(await connection.fetchval(READ, PAYMENT.name))
    await until_read(connection, PAYMENT, charges)
    stored = datetime.now(UTC)
    await until(end, told + charges, "follow-ups")
    relayed, cpu = datetime.now(UTC), cpu_seconds(process) - cpu
    assert await connection.fetchval(APPLIED, PAYMENT.name) == charges, "every charge is applied"
    began = await connection.fetchval("select min(at) from transitions where event = 'payment-failed'")  # when the first batch was begun
    seconds = [(moment - began).total_seconds() for moment in (stored, relayed)]
    return Run(charges / seconds[0], charges / seconds[1], cpu / (charges - read) * 1e6)
