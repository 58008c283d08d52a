"""What the services take from the machine: memory while they work off a backlog, and CPU while there is nothing to do."""

import asyncio
import time

import psutil

from bench import load
from bench.figures import Figure, at_most
from bench.scale import Scale
from bench.throughput import NONE
from bench.watch import cpu_seconds, database, until_read
from dev.system import System
from offramp_schemas.topics import ACCOUNT, LIFECYCLE_EVENTS, PAYMENT

MEGABYTE = 1_000_000
SETTLING = 15.0  # seconds after the start in which a service still has to do


async def backlog(scale: Scale) -> list[Figure]:
    """Charges that failed while everything was down: both services that hear of them, and the mails that follow."""
    async with System.start(durable=True, processes=NONE) as system:
        await load.publish(system.stack.kafka, load.started(load.FEW))
        await load.publish(system.stack.kafka, load.retried(scale.backlog))
        begin = time.monotonic()
        processes = {name: await system.start_process(name) for name in NONE}
        samples: dict[str, list[float]] = {name: [] for name in processes}
        sampling = asyncio.create_task(_sample({name: each.child.process.pid for name, each in processes.items()}, samples))
        async with (
            database(system, "lifecycle") as lifecycle,
            database(system, "refunds") as refunds,
            database(system, "notifier") as notifier,
        ):
            await until_read(lifecycle, PAYMENT, scale.backlog)
            seconds = time.monotonic() - begin
            await until_read(refunds, PAYMENT, scale.backlog)
            await until_read(refunds, ACCOUNT, load.FEW)
            await until_read(notifier, LIFECYCLE_EVENTS, load.FEW)
        sampling.cancel()
    name, figures = f"backlog of {scale.backlog:,}", []
    for service, seen in samples.items():
        tenth = len(seen) // 10
        middle, last = _mean(seen[4 * tenth : 6 * tenth]), _mean(seen[-tenth:])
        figures.append(at_most(f"{name}: most memory of {service}", "MB", [max(seen)], 250))
        figures.append(Figure(f"{name}: memory of {service} in the last tenth", "MB", [last], "half-way", [middle], "<= 1.1"))
    return [*figures, Figure(f"{name}: lifecycle", "events/s", [scale.backlog / seconds])]


async def idle(scale: Scale) -> list[Figure]:
    """All three services, connected and with nothing to do."""
    async with System.start(durable=True) as system:
        await asyncio.sleep(SETTLING)
        processes = {name: psutil.Process(running[0].child.process.pid) for name, running in system.processes.items()}
        before = {name: cpu_seconds(process) for name, process in processes.items()}
        begin = time.monotonic()
        await asyncio.sleep(scale.idle)
        seconds = time.monotonic() - begin
        used = {name: (cpu_seconds(process) - before[name]) / seconds * 100 for name, process in processes.items()}
    return [at_most(f"{name}: CPU when idle", "% of a core", [percent], 2) for name, percent in used.items()]


async def _sample(pids: dict[str, int], samples: dict[str, list[float]]) -> None:
    while True:
        for name, pid in pids.items():
            samples[name].append(psutil.Process(pid).memory_info().rss / MEGABYTE)
        await asyncio.sleep(0.5)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
