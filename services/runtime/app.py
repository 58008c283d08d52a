"""Faust hosts a service (worker, signals, web pages); the engine does the work. See docs/decisions/0001."""

import asyncio
import faulthandler
import gc
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import aiokafka.errors
import asyncpg
import faust
from faust.app import BootStrategy
from mode import Service as ModeService

from services.runtime import deployment, migrations, policies, postgres, settings, telemetry, topics
from services.runtime.deployment import ForeignGroup
from services.runtime.engine import Engine
from services.runtime.intake import group_of
from services.runtime.pages import Pages
from services.runtime.service import Service
from services.runtime.settings import Settings, SettingsError
from services.runtime.stored import Connection
from services.runtime.waiting import patiently

Build = Callable[[Settings, Connection], Any]
PORTS = {"lifecycle": 8101, "refunds": 8102, "notifier": 8103}
PULSE = 1.0  # seconds


class _NoKafka(BootStrategy):
    """Faust's own producer would exit when Kafka is away; ours waits."""

    enable_kafka = False


class _Worker(faust.Worker):
    def _on_sigusr2(self) -> None:
        """Faust would open a debugger."""

    def _on_startup_end_spinner(self) -> None:
        """Faust would write to a terminal that is not there."""


def run(name: str, build: Build) -> NoReturn:
    """Runs a service until it is told to stop. Exits 0 after a drained stop, 1 after a failure, 2 when it can't start as configured."""
    try:
        wanted = settings.load()
        telemetry.configure(name, wanted.log_level)
        service = asyncio.run(_first(wanted, name, build))
    except (SettingsError, policies.PolicyError, migrations.MigrationError, topics.TopicError, ForeignGroup) as error:
        _exit(2, f"offramp {name}: {error}")
    except (aiokafka.errors.KafkaError, asyncpg.PostgresError, OSError, TimeoutError) as error:
        _exit(1, f"offramp {name}: {error}")
    except KeyboardInterrupt:
        _exit(130, f"offramp {name}: interrupted before it started")
    gc.freeze()  # what is loaded by now stays; a batch makes thousands of short-lived objects without a cycle among them
    gc.set_threshold(20_000, 20, 50)
    host = _Host(service, wanted)
    _listen_or_exit(name, wanted)
    worker = _Worker(host.app, loglevel="WARNING", quiet=True, redirect_stdouts=False, override_logging=False)
    worker.execute_from_commandline()
    raise AssertionError("the worker exits")


class _Host:
    """The Faust app around one engine."""

    def __init__(self, service: Service[Any], wanted: Settings) -> None:
        self.service, self.wanted = service, wanted
        self.engine: Engine | None = None
        self.app = faust.App(
            f"offramp-{service.name}", broker=f"kafka://{wanted.kafka}", web_bind=wanted.bind, web_port=wanted.port or PORTS[service.name],
            web_enabled=True, datadir=tempfile.gettempdir(), topic_allow_declare=False, topic_disable_leader=True,
        )  # fmt: skip
        self.app.producer_only = True
        self.app.boot_strategy = _NoKafka(self.app)
        web: Any = self.app.web  # typed as the abstract one; the driver is aiohttp's
        web.web_app.add_routes(Pages(lambda: self.engine, service.doors).routes())
        host = self

        @self.app.service
        class Hosted(ModeService):
            """Starts and stops the engine with the worker, and fails with it."""

            async def on_start(self) -> None:
                self.add_future(_beat(host.wanted.stuck_after))
                host.engine = Engine(host.service, host.wanted)
                await host.engine.start()
                self.add_future(self._fail_with_it(host.engine))

            async def _fail_with_it(self, engine: Engine) -> None:
                error = await engine.failed
                if isinstance(error, ForeignGroup):
                    await engine.stop()
                    _exit(2, f"offramp {host.service.name}: {error}")
                await self.crash(error)

            async def on_stop(self) -> None:
                if host.engine:
                    await host.engine.stop()


async def _beat(stuck_after: float) -> None:
    """A rule that does not come back holds up everything here, other watchdogs included. Then Python's own ends the process, from a thread
    that needs nothing of it, and says where it hung. Its partitions are somebody else's by then."""
    try:
        while True:
            faulthandler.dump_traceback_later(stuck_after, exit=True)
            await asyncio.sleep(PULSE)
    finally:
        faulthandler.cancel_dump_traceback_later()


async def _first(wanted: Settings, name: str, build: Build) -> Service[Any]:
    """Waits for Kafka and Postgres, checks what they hold, and builds the service. Raises with a message for people."""
    connection = await patiently(wanted, lambda: postgres.connect(wanted))
    try:
        await migrations.check(connection, name)
        await connection.execute(f'set search_path = "{name}"')
        has_clock = await connection.fetchval("select exists(select from test_clock)")
        if has_clock != (wanted.clock == "test"):
            raise SettingsError(
                "OFFRAMP_CLOCK=test, but the database has no test clock: run `OFFRAMP_CLOCK=test python -m services.runtime.prepare`"
                if wanted.clock == "test"
                else "the database runs on a test clock: start with OFFRAMP_CLOCK=test, or use another database"
            )
        identity = await deployment.identity(connection)
        service: Service[Any] = await build(wanted, connection)
    finally:
        await connection.close()
    await patiently(wanted, lambda: topics.check(wanted, service.inputs))
    groups = [group_of(name, topic) for topic in service.inputs]
    await patiently(wanted, lambda: deployment.check(wanted, name, identity, groups))
    return service


def _listen_or_exit(name: str, wanted: Settings) -> None:
    """Tries the port of the pages: Faust would tell of it in a traceback."""
    port = wanted.port or PORTS[name]
    try:
        with socket.create_server((wanted.bind, port), family=socket.AF_INET6 if ":" in wanted.bind else socket.AF_INET):
            pass
    except OSError as error:
        what = f"can't listen on port {port} of {wanted.bind} ({error.strerror})"
        _exit(1, f"offramp {name}: {what}: end what listens there, or choose another with OFFRAMP_PORT (OFFRAMP_BIND: the address)")


def _exit(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr, flush=True)
    with suppress(Exception):
        sys.stderr.flush()
    os._exit(code)
