"""The whole of Offramp on one machine: the stack, a payment provider to play with, and the services as processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import aiohttp
import asyncpg

from dev.places import HOST, StackError, claim_port
from dev.processes import Child
from dev.sandbox import Sandbox
from dev.service_process import Process
from dev.stack import Ports, Stack
from services.console import clock as test_clock
from services.runtime import topics
from services.runtime.clock import TestClock
from services.runtime.migrations import MigrationError
from services.runtime.prepare import CONSOLE, CONSOLE_ROLE, SERVICES, prepare_database, role_of
from services.runtime.settings import Settings

DATABASE = "offramp"
_STOPS_WITHIN = 30.0  # seconds: a little more than a service takes to drain
_GLANCE_EVERY = 0.5  # seconds between looks at whether everything still runs


@dataclass(frozen=True)
class System:
    """Everything, running. `environment` leads the command line to it; `processes` are those that run, by service, the oldest first."""

    stack: Stack
    provider: Sandbox
    clock: Literal["system", "test"]
    password: str
    settings: Mapping[str, str]
    ports: Mapping[str, int]
    processes: dict[str, list[Process]] = field(default_factory=lambda: {service: [] for service in SERVICES})
    _started: dict[str, int] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        directory: Path | None = None,
        *,
        keep: bool = False,
        durable: bool = False,
        clock: Literal["system", "test"] = "system",
        begins: datetime | None = None,
        processes: Mapping[str, int] | None = None,
        ports: Mapping[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
        broker: Mapping[str, str] | None = None,
        on_progress: Callable[[str], None] = lambda what: None,
    ) -> AsyncIterator[System]:
        """The system for as long as the block lasts, in `directory` or a new temporary one.

        `begins` is the test clock's first time (now, if not given); `processes` how many a service has (one; none at all with 0); `ports`
        may name kafka, postgres, smtp, provider and the services (any free one where it doesn't); `settings` are further `OFFRAMP_…`
        variables for every service, and `broker` properties of Kafka. Start it on the main thread. Raises StackError with a message that
        says what to do.
        """
        chosen = dict(ports or {})
        async with contextlib.AsyncExitStack() as exits:
            on_progress("Kafka and PostgreSQL")
            servers = Ports(chosen.get("kafka"), chosen.get("postgres"), chosen.get("smtp"))
            stack = await exits.enter_async_context(Stack.start(directory, keep=keep, durable=durable, ports=servers, broker=broker))
            provider = await exits.enter_async_context(_provider(stack.directory, chosen.get("provider")))
            system = cls(stack, provider, clock, secrets.token_urlsafe(12), dict(settings or {}), chosen)
            on_progress("topics and tables")
            await system._prepare(begins)
            exits.push_async_callback(system._stop)
            on_progress("lifecycle, refunds and notifier")
            await system._start_services(processes or {})
            yield system

    # Where things are.

    @property
    def directory(self) -> Path:
        """Data, logs and mails."""
        return self.stack.directory

    @property
    def admin_dsn(self) -> str:
        """The superuser's, of the services' database."""
        return self.stack.database.dsn_of(DATABASE)

    @property
    def urls(self) -> list[str]:
        """The pages of every process."""
        return [process.url for running in self.processes.values() for process in running]

    def url(self, service: str, number: int = 0) -> str:
        """The pages of one process of a service."""
        return self.processes[service][number].url

    @property
    def environment(self) -> dict[str, str]:
        """What the command line needs to find everything, as a role that may only read."""
        pages = {f"OFFRAMP_{service.upper()}_URL": running[0].url for service, running in self.processes.items() if running}
        return self._environment(CONSOLE_ROLE) | pages

    def _environment(self, role: str) -> dict[str, str]:
        smtp_host, smtp_port = self.stack.smtp
        return {
            "OFFRAMP_KAFKA": self.stack.kafka,
            "OFFRAMP_POSTGRES": f"postgresql://{role}@{HOST}:{self.stack.database.port}/{DATABASE}",
            "OFFRAMP_POSTGRES_PASSWORD": self.password,
            "OFFRAMP_CLOCK": self.clock,
            "OFFRAMP_PROVIDER_URL": self.provider.url,
            "OFFRAMP_SMTP": f"{smtp_host}:{smtp_port}",
        }

    # What can be done to it.

    async def start_process(self, service: str, *, program: Path | None = None, settings: Mapping[str, str] | None = None) -> Process:
        """One more process of a service, ready; `settings` are its own, and `program` what runs instead of the service's."""
        process = self._launch(service, program, settings)
        try:
            async with _session() as session:
                await process.ready(session)
        except BaseException:
            self.processes[service].remove(process)
            await process.child.stop(signal.SIGKILL, within=10)
            raise
        return process

    def kill(self, service: str, number: int = 0) -> None:
        """kill -9 of one process; the next one moves up to its number."""
        process = self.processes[service].pop(number)
        process.child.process.kill()
        process.child.process.wait()
        process.child.pid_file.unlink(missing_ok=True)

    async def stop_process(self, service: str, number: int = 0) -> int:
        """Ask one process to end, and return its exit status."""
        process = self.processes[service].pop(number)
        await process.child.stop(signal.SIGTERM, _STOPS_WITHIN)
        return int(process.child.process.returncode)

    async def advance(self, to: datetime, on_step: Callable[[test_clock.Step], None] | None = None) -> datetime:
        """Move the test clock, from timer to timer, until everything has settled at `to`."""
        return (await test_clock.advance(self.urls, to, on_step)).now

    def ended(self) -> str | None:
        """Which service process has ended by itself, and what it said last, if any has."""
        for process in [each for running in self.processes.values() for each in running]:
            if not process.child.running:
                return f"{process.child.name} ended. What it said last:\n{process.last_words}"
        return None

    async def outcome(self) -> str:
        """Wait until something ends by itself, and say what."""
        servers = asyncio.create_task(self.stack.outcome())
        try:
            while not servers.done():
                if ended := self.ended():
                    return ended
                await asyncio.sleep(_GLANCE_EVERY)
            return servers.result()
        finally:
            servers.cancel()

    # How it comes up and goes down.

    async def _prepare(self, begins: datetime | None) -> None:
        await _create_database(self.stack.postgres_dsn)
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            await prepare_database(connection, dict.fromkeys((*SERVICES, CONSOLE), self.password), test_clock=False)
            await self._set_the_clock(connection, begins)
        except MigrationError as problem:
            raise StackError(
                f"The tables in {self.directory} can't be brought up to date: {problem}. --fresh throws them away."
            ) from problem
        finally:
            await connection.close()
        await topics.create(Settings(kafka=self.stack.kafka))

    async def _set_the_clock(self, connection: asyncpg.Connection[Any], begins: datetime | None) -> None:
        """Data that has lived by a test clock goes on by it: what it knows may lie in the wall's future."""
        if self.clock == "system":
            if await connection.fetchval("select exists(select from lifecycle.test_clock)"):
                raise StackError(
                    f"The data in {self.directory} lives by a test clock. Go on with it (--test-clock), or throw it away (--fresh)."
                )
            return
        moment = begins or datetime.now(UTC)
        for service in SERVICES:
            async with connection.transaction():
                await connection.execute(f'set local search_path = "{service}"')
                await TestClock.start(connection, moment)

    async def _start_services(self, wanted: Mapping[str, int]) -> None:
        launched = [self._launch(service) for service in SERVICES for _ in range(wanted.get(service, 1))]
        async with _session() as session:
            await asyncio.gather(*(process.ready(session) for process in launched))

    def _launch(self, service: str, program: Path | None = None, settings: Mapping[str, str] | None = None) -> Process:
        number = self._started[service] = self._started.get(service, 0) + 1
        port = claim_port(self.ports.get(service) if number == 1 else None, service)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OFFRAMP_")}
        environment = inherited | self._environment(role_of(service)) | {"OFFRAMP_PORT": str(port)} | {**self.settings, **(settings or {})}
        command = [sys.executable, *((str(program),) if program else ("-m", f"services.{service}"))]
        child = Child.start(f"{service}-{number}", command, self.directory, dies_with=signal.SIGKILL, environment=environment)
        process = Process(service, child, port)
        self.processes[service].append(process)
        return process

    async def _stop(self) -> None:
        running = [process for each in self.processes.values() for process in each]
        await asyncio.gather(*(process.child.stop(signal.SIGTERM, _STOPS_WITHIN) for process in running))
        self.processes.update({service: [] for service in self.processes})


@contextlib.asynccontextmanager
async def _provider(directory: Path, port: int | None) -> AsyncIterator[Sandbox]:
    async with Sandbox.start(claim_port(port, "the payment provider"), file=directory / "provider.sqlite", accept_any=True) as provider:
        yield provider


async def _create_database(admin_dsn: str) -> None:
    connection = await asyncpg.connect(admin_dsn)
    try:
        if not await connection.fetchval("select 1 from pg_database where datname = $1", DATABASE):
            await connection.execute(f'create database "{DATABASE}"')
    finally:
        await connection.close()


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
