"""`offramp serve` as a process: it listens, says so, and ends when it is told to."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dev.places import free_port
from tests.console.pretended import Pretended, Serve

Process = asyncio.subprocess.Process
Launch = Callable[..., Awaitable[Process]]


@pytest.fixture
async def launch(serve: Serve, tmp_path: Path) -> AsyncIterator[Launch]:
    """Starts one on a port, in front of services that are not there and one that never settles."""
    (tmp_path / "empty.env").touch()
    started: list[Process] = []

    async def start(port: int) -> Process:
        urls = {f"OFFRAMP_{service}_URL": await serve(Pretended(never_settles=True)) for service in ("LIFECYCLE", "REFUNDS", "NOTIFIER")}
        nowhere = {"OFFRAMP_KAFKA": "127.0.0.1:1", "OFFRAMP_POSTGRES": "postgresql://127.0.0.1:1/none"}
        settings = {"OFFRAMP_PORT": str(port), "OFFRAMP_ENV_FILE": str(tmp_path / "empty.env")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.console", "serve", env=os.environ | urls | nowhere | settings, stderr=asyncio.subprocess.PIPE
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def line(process: Process) -> dict[str, Any]:
    """What it logs next."""
    assert process.stderr
    found: dict[str, Any] = json.loads(await asyncio.wait_for(process.stderr.readline(), 60))
    return found


async def rest(process: Process) -> str:
    """What it says until it ends, which is soon."""
    assert process.stderr
    said = await asyncio.wait_for(process.stderr.read(), 60)
    await process.wait()
    return said.decode()


async def test_when_it_is_stopped_whoever_waits_hears_so_and_it_ends_well_at_once(launch: Launch) -> None:
    port = free_port()
    process = await launch(port)
    assert (await line(process))["event"] == "listening"
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        async with client.get("/healthz") as alive:
            assert alive.status == 200, "it needs neither Kafka nor Postgres"
        waiting = asyncio.create_task(client.post("/clock/settle"))
        async with client.post("/clock/settle?timeout=0.5") as second:
            assert second.status == 504, "by now the first one waits"
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10), await waiting as answer:
            assert (answer.status, await answer.json()) == (503, {"error": "stopping; the clock stays where it has come to"})
    assert "Traceback" not in await rest(process)
    assert process.returncode == 0


async def test_a_client_that_goes_away_leaves_no_traceback(launch: Launch) -> None:
    port = free_port()
    process = await launch(port)
    await line(process)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b'POST /clock/advance HTTP/1.1\r\nHost: clock\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"by": "1d"}')
    await writer.drain()
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/clock") as look:
        assert look.status == 200
    writer.transport.abort()
    async with aiohttp.ClientSession() as client, client.post(f"http://127.0.0.1:{port}/clock/settle?timeout=0.2") as settled:
        assert settled.status == 504
    process.send_signal(signal.SIGTERM)
    assert "Traceback" not in await rest(process)
    assert process.returncode == 0


async def test_a_port_that_is_taken_is_told_in_a_sentence(launch: Launch) -> None:
    port = free_port()
    server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", port)
    async with server:
        process = await launch(port)
        said = await rest(process)
    assert f"can't listen on port {port}" in said
    assert "OFFRAMP_PORT" in said
    assert "Traceback" not in said
    assert process.returncode == 1
