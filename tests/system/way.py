"""A way to a server that can be lost, as behind a router that forgets its connections."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import Event, StreamReader, StreamWriter, Task
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from dev.places import HOST, free_port

_AT_ONCE = 65_536  # bytes


class Way:
    """TCP from an address of its own to the server's port. `swallowed` counts the bytes that have got lost on it."""

    def __init__(self, to: int) -> None:
        self.to, self.swallowed = to, 0
        self._port, self._lost = free_port(), Event()
        self._carrying: set[Task[Any]] = set()

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{HOST}:{self._port}"

    @classmethod
    @asynccontextmanager
    async def open(cls, to: int) -> AsyncIterator[Way]:
        """For as long as the block lasts; the server need not listen yet."""
        way = cls(to)
        listening = await asyncio.start_server(way._connected, HOST, way._port)
        try:
            yield way
        finally:
            listening.close()
            for task in way._carrying:
                task.cancel()
            await asyncio.gather(*way._carrying, return_exceptions=True)

    @contextmanager
    def lost(self) -> Iterator[None]:
        """Whatever is connected, or connects while the block lasts, hears nothing for good, not even an end. Later ones come through."""
        self._lost.set()
        try:
            yield
        finally:
            self._lost = Event()

    def _connected(self, client: StreamReader, back: StreamWriter) -> None:
        task = asyncio.create_task(self._carry(client, back, self._lost))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _carry(self, client: StreamReader, back: StreamWriter, lost: Event) -> None:
        async with contextlib.AsyncExitStack() as exits:
            exits.enter_context(contextlib.suppress(ConnectionError))  # nobody listens there just now
            exits.callback(back.close)
            if lost.is_set():
                await self._pour(client, back, lost)
                return
            server, forth = await asyncio.open_connection(HOST, self.to)
            exits.callback(forth.close)
            answers = asyncio.create_task(self._pour(server, back, lost))
            exits.callback(answers.cancel)
            await self._pour(client, forth, lost)

    async def _pour(self, source: StreamReader, into: StreamWriter, lost: Event) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(_AT_ONCE):
                if lost.is_set():
                    self.swallowed += len(data)
                else:
                    into.write(data)
                    await into.drain()
        if not lost.is_set():
            into.close()
