"""What others post to a service's own pages: it is told to come again rather than lost."""

from types import SimpleNamespace
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.runtime.apply import Shell
from services.runtime.pages import Pages


async def post(engine: Any, fails: Exception | None = None) -> int:
    """To a door that does what it should, or fails."""

    async def door(request: web.Request, shell: Shell[Any]) -> web.Response:
        if fails:
            raise fails
        return web.Response(text=shell.service)

    app = web.Application()
    app.add_routes(Pages(lambda: engine, {"/door": door}).routes())
    async with TestServer(app) as server, aiohttp.ClientSession() as session, session.post(server.make_url("/door")) as response:
        return response.status


READY = SimpleNamespace(ready=True, shell=SimpleNamespace(service="toy"))


@pytest.mark.parametrize(
    ("engine", "fails", "status"),
    [
        (READY, None, 200),
        (READY, asyncpg.CannotConnectNowError("starting up"), 503),
        (READY, OSError("no route"), 503),
        (READY, KeyError("a bug"), 500),
        (None, None, 503),
        (SimpleNamespace(ready=False), None, 503),
    ],
    ids=["ready", "Postgres starts", "Postgres away", "a bug", "not started", "stopping"],
)
async def test_a_door_is_open_while_the_service_can_store_what_it_hears(engine: Any, fails: Exception | None, status: int) -> None:
    assert await post(engine, fails) == status
