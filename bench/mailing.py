"""How many mails one notifier process sends in a second: from Kafka, decided, written, taken by a mail server, and said on Kafka."""

import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiosmtplib
import psutil

from bench import load, yardstick
from bench.figures import Figure, at_least
from bench.scale import Scale
from bench.throughput import NONE
from bench.watch import cpu_seconds, database, end_of, until
from dev.places import HOST, claim_port
from dev.processes import Child
from dev.system import System
from offramp_schemas.topics import NOTIFICATION_EVENTS

LEAST = 400
CONNECTIONS = 16
AGAIN = """
truncate inbox, transitions, outbox, calls, correspondences, mails;
delete from watermarks where topic = 'refund.events.v1'
"""
SENT = "select count(*) from mails where state = 'sent'"
BEGAN = "select extract(epoch from clock_timestamp() - min(at))::float8 from transitions"


async def measure(scale: Scale) -> list[Figure]:
    """The notifier, and in turn bare sending of mails that are written already, to the same mail server."""
    ours, cpu, bare = [], [], []
    port = claim_port(None, "the sink")
    settings = {"OFFRAMP_SMTP": f"{HOST}:{port}", "OFFRAMP_SMTP_CONNECTIONS": str(CONNECTIONS)}
    async with System.start(durable=True, processes=NONE, settings=settings) as system, _sink(system, port) as taken:
        await load.publish(system.stack.kafka, load.refunded(scale.mails // len(load.REFUND_MAILS)))
        for _ in range(scale.rounds):
            bare.append(await yardstick.run(system, "bench.bare_smtp", port=port, mails=scale.mails, connections=CONNECTIONS))
            a_second, microseconds = await one_run(system, scale.mails, taken)
            ours.append(a_second)
            cpu.append(microseconds)
    return [
        at_least("notifier: Kafka, a mail to each, Kafka", "mails/s", ours, LEAST),
        Figure("the same", "mails/s", ours, "bare aiosmtplib, mails written before", [each["sent"] for each in bare]),
        Figure("notifier: CPU of the process", "µs/mail", cpu, "bare aiosmtplib", [each["cpu"] for each in bare]),
    ]


async def one_run(system: System, mails: int, taken: Callable[[], Awaitable[int]]) -> tuple[float, float]:
    """Mails a second, and µs of the process's CPU for each; the tables are empty, and the service finds the whole topic unread."""
    async with database(system, "notifier") as connection, end_of(system.stack.kafka, NOTIFICATION_EVENTS) as end:
        await connection.execute(AGAIN)
        await connection.execute("vacuum analyze")
        await yardstick.checkpoint(system)
        told, before = await end(), await taken()
        service = await system.start_process("notifier")
        process = psutil.Process(service.child.process.pid)
        await until(lambda: _begun(connection), 1, "events heard")
        cpu = cpu_seconds(process)
        await until(end, told + mails, "mails said to be sent")
        seconds, cpu = await connection.fetchval(BEGAN), cpu_seconds(process) - cpu
        assert await connection.fetchval(SENT) == mails, "each is sent"
        assert await taken() == before + mails, "each is taken, and none twice"
        await system.stop_process("notifier")
    return mails / seconds, cpu / mails * 1e6


async def _begun(connection: Any) -> int:
    return int(await connection.fetchval("select exists(select from transitions)::int"))


@contextlib.asynccontextmanager
async def _sink(system: System, port: int) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """A mail server in a process of its own; asks it how many mails it has taken."""
    command = [sys.executable, "-m", "bench.sink", f"--port={port}"]
    child = Child.start("sink", command, system.directory, dies_with=signal.SIGKILL, environment=yardstick.environment())

    async def taken() -> int:
        async with aiosmtplib.SMTP(hostname=HOST, port=port) as client:
            return int((await client.noop()).message)

    async def listening() -> int:
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            return await taken() + 1
        return 0

    try:
        await until(listening, 1, "mail servers")
        yield taken
    finally:
        await child.stop(signal.SIGKILL, within=5)
