"""Runs a yardstick: a process of its own that prints its result as one line of JSON."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg

from dev.places import StackError
from dev.processes import Child
from dev.system import System

ROOT = Path(__file__).parent.parent


async def run(system: System, module: str, **options: Any) -> dict[str, float]:
    """What it printed. Raises StackError with the end of its log if it failed."""
    command = [sys.executable, "-m", module, *(f"--{name}={value}" for name, value in options.items())]
    await checkpoint(system)
    child = Child.start(module, command, system.directory, dies_with=signal.SIGKILL, environment=environment())
    if not await child.done():
        raise StackError(f"{module} failed:\n{child.last_words(15)}")
    result: dict[str, float] = json.loads(child.last_words(1))
    return result


def servers(system: System) -> dict[str, str]:
    """The options of a yardstick that reads Kafka and writes to Postgres."""
    return {"kafka": system.stack.kafka, "dsn": system.stack.postgres_dsn}


def environment() -> dict[str, str]:
    """In which a process finds the code that is measured."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "schemas")])}


async def checkpoint(system: System) -> None:
    """So that no run pays for what the one before has left to write."""
    async with contextlib.AsyncExitStack() as exits:
        connection = await asyncpg.connect(system.stack.postgres_dsn)
        exits.push_async_callback(connection.close)
        await connection.execute("checkpoint")
        await asyncio.sleep(1.0)
