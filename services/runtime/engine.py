"""Everything that runs inside one service process, started, driven and drained in the right order."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from services.runtime import deployment, postgres
from services.runtime.apply import Shell
from services.runtime.calls import Calls
from services.runtime.clock import BusinessClock, SystemClock, TestClock
from services.runtime.dead_letters import channel
from services.runtime.deployment import ForeignGroup
from services.runtime.intake import Intake
from services.runtime.outages import Outages
from services.runtime.relay import Relay
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.waker import Waker
from services.runtime.watermarks import Watermarks

log = structlog.get_logger()
WATERMARKS = "watermarks"
WALKING_PACE = 0.1  # seconds
RUNG_BY = {"outbox": ("relay",), "calls": ("calls",), "clock": ("relay", "calls", "waker", WATERMARKS)}
"""The loops for which something was committed, by what the bell says."""
Step = Callable[[], Awaitable[int]]


class Engine:
    """The loops of one process: intakes, waker, calls, relay and the watermarks."""

    def __init__(self, service: Service[Any], settings: Settings) -> None:
        self.service, self.settings = service, settings
        self._walks = settings.clock == "test"  # from timer to timer, and guarded ones fire no sooner than the inputs are looked at
        self._pace = min(settings.look_every, WALKING_PACE) if self._walks else settings.look_every
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.ready = False
        self.outages = Outages(service.name)
        self._stopping = asyncio.Event()
        self._bells: dict[str, asyncio.Event] = {}  # one for each loop: two that share one could silence it for each other
        self._loops: list[asyncio.Task[None]] = []
        self._resources = AsyncExitStack()
        self.intakes: list[Intake] = []

    async def start(self) -> None:
        """Opens the pool, joins the groups, starts the loops."""
        for resource in self.service.resources:
            await self._resources.enter_async_context(resource)
        pool = await postgres.pool(self.settings, self.service.name)
        self._resources.push_async_callback(pool.close)
        clock: BusinessClock = TestClock() if self.settings.clock == "test" else SystemClock()
        partitions = sum(topic.partitions for topic in self.service.inputs)
        self.shell = Shell(self.service.name, self.service.decider, self.service.tables, clock, pool, partitions)
        self.relay = Relay(self.service.name, self.settings, pool)
        self.waker = Waker(self.shell, forgets=self.service.forgets)
        self.calls = Calls(self.shell, self.service.callers, retry_pause=self.settings.retry_pause)
        identity = await deployment.identity(pool)
        self.intakes = [Intake(self.shell, topic, self.settings, identity, self.outages) for topic in self.service.inputs]
        self.watermarks = Watermarks(self.shell, self.intakes, self.settings)
        await asyncio.gather(*(intake.start() for intake in self.intakes))
        self._start_loops()
        self.ready = True

    def _start_loops(self) -> None:
        steps: dict[str, Step] = {
            "relay": self.relay.run_once,
            "waker": self.waker.run_once,
            "calls": self.calls.run_once,
            WATERMARKS: self._look,
            "forget": self.waker.forget,
        }
        for name, step in steps.items():
            self._bells[name] = asyncio.Event()
            self._loops.append(asyncio.create_task(self._drive(name, step, self._bells[name]), name=name))
        self._loops.append(asyncio.create_task(self._listen(), name="bell"))
        for task in self._loops:
            task.add_done_callback(self._watch)

    async def stop(self) -> None:
        """Drains: intakes first, then what they left in the outbox; within the stop timeout."""
        self.ready = False
        try:
            async with asyncio.timeout(self.settings.stop_timeout):
                self._stopping.set()
                for bell in self._bells.values():
                    bell.set()
                await asyncio.gather(*(intake.stop() for intake in self.intakes), *self._loops, return_exceptions=True)
                await self.calls.drain()
                await self.watermarks.stop()
                if self.intakes:
                    await self._last_words()
        except TimeoutError:
            log.warning("stop was forced; what was under way will be done again after the next start")
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._resources.aclose()

    async def _last_words(self) -> None:
        try:
            while await self.relay.run_once():
                pass
        except (KafkaError, OSError, asyncpg.PostgresError) as error:
            log.warning("the outbox was not emptied; the next process will", error=type(error).__name__)
        finally:
            await self.relay.stop()

    async def _look(self) -> int:
        """On the test clock, a guarded timer fires as soon as the inputs were seen through its moment: nobody waits for another round."""
        busy = await self.watermarks.look()
        if self._walks:
            self._bells["waker"].set()
        return busy

    async def _drive(self, name: str, step: Step, bell: asyncio.Event) -> None:
        """Calls a step until the stop: at once again while it is busy, else when it is rung or after a while."""
        failures = 0
        while not self._stopping.is_set():
            bell.clear()
            try:
                busy = await step()
                failures = 0
                self.outages.over(name)
            except Exception as error:
                if not (isinstance(error, KafkaError) or postgres.is_outage(error)):
                    raise
                failures, busy = failures + 1, 0
                self.outages.met(name, name, error)
                log.warning("outage; trying again", loop=name, attempt=failures, error=type(error).__name__)
            if not busy:
                await _wait(self._stopping if failures else bell, self._pace)

    async def _listen(self) -> None:
        """Rings a loop when something for it was committed, by this process or another one. The loops' own pace is the safety net."""
        while not self._stopping.is_set():
            try:
                async with self.shell.pool.acquire() as connection:
                    await connection.add_listener(channel(self.service.name), self._ring)
                    while not self._stopping.is_set() and not connection.is_closed():
                        await _wait(self._stopping, 1.0)
                    if not connection.is_closed():
                        await connection.remove_listener(channel(self.service.name), self._ring)
            except Exception as error:
                if not postgres.is_outage(error):
                    raise
                await _wait(self._stopping, 1.0)

    def _ring(self, _: object, __: int, ___: str, payload: object) -> None:
        for name in RUNG_BY.get(str(payload), ()):
            self._bells[name].set()

    def _watch(self, task: asyncio.Task[None]) -> None:
        """A loop that ends by an error ends the process: somebody restarts it, nothing runs half."""
        if not task.cancelled() and (error := task.exception()) and not self.failed.done():
            self.failed.set_result(error)
            if not isinstance(error, ForeignGroup):  # whose message is for people, and the last word
                log.error("a loop failed", loop=task.get_name(), error=f"{type(error).__name__}: {error}", exc_info=error)


async def _wait(bell: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        pass
