"""One process of a service, and what it says when it can't start."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass

import aiohttp

from dev import service_log
from dev.places import HOST, StackError
from dev.processes import Child

_READY_WITHIN = 60.0  # seconds
_GLANCE_EVERY = 0.05


@dataclass(frozen=True)
class Process:
    """One process of a service and where its pages are."""

    service: str
    child: Child
    port: int

    @property
    def url(self) -> str:
        """Of its pages: /readyz, /metrics, /clock."""
        return f"http://{HOST}:{self.port}"

    @property
    def last_words(self) -> str:
        """The end of its log, for an error message."""
        return service_log.last_words(self.child.log)

    async def ready(self, session: aiohttp.ClientSession) -> None:
        """Wait until it says so. Raises StackError if it ends instead, or takes too long."""
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            if not self.child.running:
                raise StackError(f"{self.child.name} ended at once. What it said last:\n{self.last_words}")
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with session.get(f"{self.url}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(_GLANCE_EVERY)
        raise StackError(f"{self.child.name} is not ready after {_READY_WITHIN:.0f} s. What it said last:\n{self.last_words}")
