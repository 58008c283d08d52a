"""The command line against a real broker and a real database, as a person would use it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dev.kafka import Kafka
from services.console import settings
from services.console.main import app
from services.console.trouble import Trouble
from services.lifecycle.service import build
from services.runtime import topics
from services.runtime.engine import Engine
from services.runtime.prepare import SERVICES, prepare_database
from services.runtime.settings import Settings
from tests.conftest import as_one_deployment
from tests.console.pretended import Pretended, Serve


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str


Offramp = Callable[..., Awaitable[Said]]


@pytest.fixture
def offramp(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Offramp:
    """Runs a command line; what a person would be told on stderr is printed as well."""
    monkeypatch.setenv("COLUMNS", "200")

    async def run(*words: str) -> Said:
        status: Any
        try:
            status = await app.run_async(list(words), exit_on_error=False, print_error=False)
        except Trouble as trouble:
            return Said(1, f"{capsys.readouterr().out}{trouble}")
        return Said(status if isinstance(status, int) else 0, capsys.readouterr().out)

    return run


@pytest.fixture
async def stack(kafka: Kafka, database: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Topics and tables, and an environment that leads to them."""
    await topics.create(Settings(kafka=kafka.address))
    connection = await asyncpg.connect(database)
    await prepare_database(connection, {}, test_clock=False)
    await as_one_deployment(connection, *SERVICES)
    await connection.close()
    monkeypatch.setenv("OFFRAMP_KAFKA", kafka.address)
    monkeypatch.setenv("OFFRAMP_POSTGRES", database)
    return settings.load()


@pytest.fixture
async def tables(stack: Settings) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A connection to lay out rows with."""
    connection = await asyncpg.connect(stack.postgres.get_secret_value())
    yield connection
    await connection.close()


@pytest.fixture
async def lifecycle(stack: Settings) -> AsyncIterator[Engine]:
    """lifecycle, running."""
    connection = await asyncpg.connect(stack.postgres.get_secret_value(), server_settings={"search_path": "lifecycle"})
    service = await build(stack, connection)
    await connection.close()
    engine = Engine(service, stack)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves the pages of services that only pretend; gives the address of each."""
    async with AsyncExitStack() as servers:

        async def start(service: Pretended) -> str:
            pages = web.Application()
            pages.router.add_get("/readyz", service.ready)
            pages.router.add_get("/clock", service.look)
            pages.router.add_post("/clock", service.set)
            server = await servers.enter_async_context(TestServer(pages))
            return str(server.make_url("")).rstrip("/")

        yield start
