"""A service's own pages: is it alive, is it ready, its numbers, previews, its dead letters, and the test clock."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import prometheus_client
from aiohttp import web
from aiokafka.errors import KafkaError
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from services.runtime import dead_letters, postgres, sql, telemetry
from services.runtime import preview as previewing
from services.runtime.engine import Engine
from services.runtime.redrive import StillDead, redrive
from services.runtime.service import Door
from services.runtime.stored import Connection

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_TABLE_GAUGES = (
    telemetry.UNREAD, telemetry.OPEN_CALLS, telemetry.OUTBOX, telemetry.OPEN_DEAD_LETTERS, telemetry.PARKED, telemetry.OVERDUE,
)  # fmt: skip


class Pages:
    """The handlers, over one engine."""

    def __init__(self, engine: Callable[[], Engine | None], doors: Mapping[str, Door] | None = None) -> None:
        """`doors`: the service's own, by path."""
        self._engine, self._doors = engine, doors or {}

    def routes(self) -> list[web.RouteDef]:
        """What is served where."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
            web.get("/clock", self.clock),
            web.post("/clock", self.advance),
            web.post("/preview", self.preview),
            web.post("/dead-letters/{topic}/{partition}/{offset}/redrive", self.redrive),
            web.post("/dead-letters/{topic}/{partition}/{offset}/discard", self.discard),
            *(web.post(path, self._through(door)) for path, door in self._doors.items()),
        ]

    async def healthz(self, request: web.Request) -> web.Response:
        """200 while the process works; 503 once one of its loops has failed."""
        engine = self._engine()
        alive = engine is None or not engine.failed.done()
        return web.json_response({"alive": alive}, status=200 if alive else 503)

    async def readyz(self, request: web.Request) -> web.Response:
        """200 when it reads its topics, Postgres answers, and nothing has to be waited for."""
        engine = self._engine()
        if engine is None or not engine.ready:
            return web.json_response({"ready": False, "why": "starting or stopping"}, status=503)
        try:
            async with engine.shell.pool.acquire(timeout=2) as connection:
                await connection.fetchval("select 1", timeout=2)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the process is not ready
            return web.json_response({"ready": False, "why": f"Postgres: {type(error).__name__}"}, status=503)
        if why := str(engine.outages):
            return web.json_response({"ready": False, "why": f"trying again: {why}"}, status=503)
        return web.json_response({"ready": True})

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus' text format."""
        if (engine := self._engine()) and engine.ready:
            await _refresh(engine)
        return web.Response(body=prometheus_client.generate_latest(telemetry.REGISTRY), headers={"content-type": CONTENT_TYPE_LATEST})

    async def clock(self, request: web.Request) -> web.Response:
        """Business time, the next timer, and whether everything has settled (and if not, why).

        From one snapshot, and Kafka is asked after it: else something could move from one place to another while we look, and be in none.
        """
        engine = self._ready()
        try:
            return web.json_response(await _clock(engine))
        except Exception as error:
            if not (isinstance(error, KafkaError) or postgres.is_outage(error)):
                raise
            return web.json_response({"error": f"Kafka or Postgres does not answer ({type(error).__name__})"}, status=503)

    async def advance(self, request: web.Request) -> web.Response:
        """Moves the test clock forward: {"now": "2026-03-01T00:00:00+00:00"}."""
        engine = self._ready()
        if engine.settings.clock != "test":
            return web.json_response({"error": "this service runs on the system clock: start it with OFFRAMP_CLOCK=test"}, status=409)
        try:
            to = datetime.fromisoformat((await request.json())["now"])
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": 'send {"now": "<RFC 3339 time with a zone>"}'}, status=400)
        if to.tzinfo is None:
            return web.json_response({"error": "the time needs a zone"}, status=400)
        async with engine.shell.pool.acquire() as connection, connection.transaction():
            now = await connection.fetchval(QUERIES["set_clock"], to)
            await connection.execute("select pg_notify($1, 'clock')", dead_letters.channel(engine.service.name))
        return web.json_response({"now": now.isoformat()})

    async def preview(self, request: web.Request) -> web.Response:
        """What a CloudEvent, or a list of them, would do. Nothing is stored, nobody is told, no row is locked."""
        engine = self._ready()
        try:
            body = await request.json()
        except (ValueError, RecursionError):  # no JSON, or brackets without end
            body = None
        try:
            return web.json_response(await previewing.preview(engine.shell, engine.service.inputs, body))
        except previewing.BadPreview as bad:
            return web.json_response({"error": str(bad)}, status=400)

    async def redrive(self, request: web.Request) -> web.Response:
        """Applies a dead letter once more: {"became": "applied"}, or 409 with what is still in the way."""
        try:
            return web.json_response({"became": await redrive(self._ready().shell, _place(request))})
        except dead_letters.NoSuchDeadLetter as error:
            return web.json_response({"error": str(error)}, status=404)
        except StillDead as error:
            return web.json_response({"error": f"it can't be redriven yet: {error}"}, status=409)
        except Exception as error:
            if not postgres.is_outage(error):
                raise
            return web.json_response({"error": f"Postgres: {type(error).__name__}: try again"}, status=503)

    async def discard(self, request: web.Request) -> web.Response:
        """Closes a dead letter: {"note": "why"}."""
        engine = self._ready()
        body = await request.json() if request.can_read_body else {}
        note = str(body.get("note", "")).strip() if isinstance(body, dict) else ""
        if not note:
            return web.json_response({"error": 'say why: {"note": "…"}'}, status=400)
        async with engine.shell.pool.acquire() as connection:
            now = await engine.shell.clock.now(connection)
            try:
                await dead_letters.discard(connection, _place(request), note, now)
            except dead_letters.NoSuchDeadLetter as error:
                return web.json_response({"error": str(error)}, status=404)
        return web.json_response({"became": "discarded"})

    def _through(self, door: Door) -> Handler:
        """503 while Postgres is away: who posted it does so again."""

        async def take(request: web.Request) -> web.StreamResponse:
            engine = self._ready()
            try:
                return await door(request, engine.shell)
            except Exception as error:
                if not postgres.is_outage(error):
                    raise
                raise web.HTTPServiceUnavailable from None

        return take

    def _ready(self) -> Engine:
        engine = self._engine()
        if engine is None or not engine.ready:
            raise web.HTTPServiceUnavailable(text='{"error": "starting or stopping"}', content_type="application/json")
        return engine


def _place(request: web.Request) -> tuple[str, int, int]:
    info = request.match_info
    try:
        return info["topic"], int(info["partition"]), int(info["offset"])
    except ValueError:
        raise web.HTTPBadRequest(text='{"error": "partition and offset are numbers"}', content_type="application/json") from None


async def _clock(engine: Engine) -> dict[str, Any]:
    async with engine.shell.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        now = await engine.shell.clock.now(connection)
        next_wake = await engine.shell.tables.next_wake(connection)
        why = await _unsettled(engine, connection, now)
        progress = await connection.fetchval(QUERIES["progress"])
    return {
        "now": now.isoformat() if engine.settings.clock == "test" else None,
        "next_wake": next_wake.isoformat() if next_wake else None,
        "settled": not why,
        "why": why,
        "progress": int(progress),
    }


async def _unsettled(engine: Engine, connection: Any, now: datetime) -> list[str]:
    """What is still under way, for people to read."""
    why = []
    known = {(row["topic"], row["part"]): row["next_off"] for row in await connection.fetch(QUERIES["next_offsets"])}
    ends = await engine.watermarks.ends()
    lag: Counter[str] = Counter()
    for partition, end in ends.items():
        lag[partition.topic] += max(0, end - known.get((partition.topic, partition.partition), 0))
    why += [f"{records} records of {topic} to read" for topic, records in lag.items() if records]
    work: Any = await connection.fetchrow(QUERIES["open_work"])
    why += [
        f"{work[name]} rows in the {name}" if name == "outbox" else f"{work[name]} open calls" for name in ("outbox", "calls") if work[name]
    ]
    if await engine.shell.tables.due(connection, now, now, 1):
        why.append("timers are due")
    if await connection.fetch(QUERIES["given_up"], now):
        why.append("parked records have waited long enough")
    return why


async def _refresh(engine: Engine) -> None:
    """Gauges that are read from the tables when somebody asks. While Postgres is away there are none of them: old ones would lie."""
    service = engine.service.name
    telemetry.INFO.labels(service, engine.settings.clock).set(1)
    for gauge in (*_TABLE_GAUGES, *(each.gauge for each in engine.service.gauges)):
        gauge.clear()
    try:
        async with engine.shell.pool.acquire(timeout=2) as connection:
            now = await engine.shell.clock.now(connection)
            await _of_the_shell(engine, connection, now)
            for each in engine.service.gauges:
                for *labels, number in await connection.fetch(each.statement, now):
                    each.gauge.labels(*labels).set(number)
    except Exception as error:
        if not postgres.is_outage(error):
            raise
        telemetry.POSTGRES.labels(service).set(0)
    else:
        telemetry.POSTGRES.labels(service).set(1)


async def _of_the_shell(engine: Engine, connection: Connection, now: datetime) -> None:
    service = engine.service.name
    next_wake = await engine.shell.tables.next_wake(connection)
    work: Any = await connection.fetchrow(QUERIES["open_work"])
    telemetry.OUTBOX.labels(service).set(work["outbox"])
    telemetry.OPEN_CALLS.labels(service).set(work["calls"])
    telemetry.PARKED.labels(service).set(await connection.fetchval(QUERIES["parked_count"]))
    telemetry.OVERDUE.labels(service).set(max(0.0, (now - next_wake).total_seconds()) if next_wake else 0.0)
    for row in await connection.fetch(QUERIES["open_dead_letters"]):
        telemetry.OPEN_DEAD_LETTERS.labels(service, row["reason"]).set(row["count"])
    seen = {row["topic"]: row for row in await connection.fetch(QUERIES["seen_by_topic"])}
    partitions = {topic.name: topic.partitions for topic in engine.service.inputs}
    for name, number in (partitions | {intake.topic.name: intake.partitions for intake in engine.intakes}).items():
        telemetry.UNREAD.labels(service, name).set(_unread(seen.get(name), number, now))


def _unread(seen: Any, partitions: int, now: datetime) -> float:
    if seen is None or seen["partitions"] < partitions or seen["seen_through"] is None:
        return float("inf")
    return max(0.0, float((now - seen["seen_through"]).total_seconds()))
