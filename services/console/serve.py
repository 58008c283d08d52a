"""Previews, and the test clock for tests of other teams, over HTTP: what there is to ask and to say stands in docs/testing.md.

It holds nothing itself: it looks at the services' own pages and moves their clocks. One walk at a time; the next one waits for its turn.
"""

import asyncio
import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

import aiohttp
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from services.console import clock, preview, words
from services.console.clock import Clock, Step
from services.console.trouble import Trouble
from services.runtime import telemetry
from services.runtime.settings import Settings

PORT = 8104
_TIMEOUT, _LONGEST = 120.0, 3600.0  # seconds that a walk may take: unless told otherwise, and whatever is told
_GLANCE = aiohttp.ClientTimeout(total=5)  # one look at the services
_WHAT_TO_SEND = 'send {"by": "30d"} or {"to": "2026-05-01T09:00:00Z"}'
_JSON = "application/json"  # no page of another site can send it unasked
log = structlog.get_logger()


def serve(settings: Settings, urls: Mapping[str, str]) -> None:
    """Listens until SIGTERM or Ctrl-C. Raises Trouble where it can't."""
    telemetry.configure("console", settings.log_level)
    port = settings.port or PORT
    try:
        web.run_app(
            Front(urls, preview.Page(settings, urls)).app(), host=settings.bind, port=port, shutdown_timeout=1.0, access_log=None,
            handler_cancellation=True,  # nobody waits, nobody goes further
            print=lambda _: log.info("listening", port=port),
        )  # fmt: skip
    except OSError as error:
        what = f"can't listen on port {port} of {settings.bind} ({error.strerror})"
        raise Trouble(f"{what}: end what listens there, or choose another with OFFRAMP_PORT (OFFRAMP_BIND: the address)") from None


class NotJson(Trouble):
    """A browser sends everything else for any site that is open in it."""


class Front:
    """The handlers, over the services at `urls`."""

    def __init__(self, urls: Mapping[str, str], page: preview.Page) -> None:
        self._urls, self._page = urls, page
        self._turn = asyncio.Lock()
        self._bounds: set[asyncio.Timeout] = set()
        self._stopping = False

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[_in_words], client_max_size=4096)
        app.add_routes(
            [
                web.get("/healthz", self.healthz),
                web.get("/readyz", self.readyz),
                web.get("/clock", self.look),
                web.post("/clock/advance", self.advance),
                web.post("/clock/settle", self.settle),
                web.post("/preview", self.preview),
            ]
        )
        app.on_shutdown.append(self._stop)
        return app

    async def healthz(self, request: web.Request) -> web.Response:
        """200 while the process works."""
        return _answer({"alive": True})

    async def readyz(self, request: web.Request) -> web.Response:
        """200 when every service is ready."""
        async with aiohttp.ClientSession(timeout=_GLANCE) as session:
            answers = await asyncio.gather(*(_unready(session, url) for url in self._urls.values()))
        why = [answer for answer in answers if answer]
        return _answer({"ready": not why, "why": why}, status=503 if why else 200)

    async def look(self, request: web.Request) -> web.Response:
        """One look at every service's clock; `now` is null where a service goes by the wall's."""
        return _answer(await self._seen())

    async def advance(self, request: web.Request) -> web.Response:
        """Moves business time, from timer to timer, and answers when everything has settled."""
        if request.content_type != _JSON:
            raise NotJson(f"{_WHAT_TO_SEND} as content-type: {_JSON}, not {request.content_type} (`curl --json`)")
        return await self._walk(request, _goal(await request.read()))

    async def settle(self, request: web.Request) -> web.Response:
        """Answers when everything has settled. The clock stands still."""
        return await self._walk(request, timedelta())

    async def preview(self, request: web.Request) -> web.Response:
        """What an event would lead to in all services. Nothing is stored."""
        return _answer(await self._page.answer(request))

    async def _walk(self, request: web.Request, to: datetime | timedelta) -> web.Response:
        seconds, began = _timeout(request), monotonic()
        try:
            step = await self._in_turn(to, seconds)
        except (TimeoutError, clock.Unsettled) as error:
            if self._stopping:
                raise Trouble("stopping; the clock stays where it has come to") from None
            log.warning("not settled", what=request.path, seconds=round(monotonic() - began, 1))
            return await self._not_settled(str(error) or f"not done within {seconds:g} s; the clock stays where it has come to")
        log.info("settled", what=request.path, records=step.moved, seconds=round(monotonic() - began, 1))
        return _answer({"now": step.now.isoformat(), "handled": step.moved})

    async def _in_turn(self, to: datetime | timedelta, seconds: float) -> Step:
        async with asyncio.timeout(seconds) as bound:
            self._bounds.add(bound)
            try:
                async with self._turn:
                    return await clock.advance(list(self._urls.values()), to)
            finally:
                self._bounds.discard(bound)

    async def _not_settled(self, error: str) -> web.Response:
        seen = await self._seen()
        return _answer({"error": error, "now": seen["now"], "why": seen["why"]}, status=504)

    async def _seen(self) -> dict[str, Any]:
        async with aiohttp.ClientSession(timeout=_GLANCE) as session:
            clocks = await clock.read(session, list(self._urls.values()))
        each = dict(zip(self._urls, clocks, strict=True))
        times, timers = [one.now for one in clocks], [one.next_wake for one in clocks if one.next_wake]
        return {
            "now": _iso(None if None in times else min(time for time in times if time)),
            "next_timer": _iso(min(timers, default=None)),
            "settled": all(one.settled for one in clocks),
            "why": [f"{service}: {why}" for service, one in each.items() for why in one.why],
            "services": {service: _document(one) for service, one in each.items()},
        }

    async def _stop(self, app: web.Application) -> None:
        """Whoever waits hears so at once."""
        self._stopping = True
        for bound in self._bounds:
            if not bound.expired():
                bound.reschedule(asyncio.get_running_loop().time())
        log.info("stopping")


async def _unready(session: aiohttp.ClientSession, url: str) -> str | None:
    try:
        await clock.request(session, "GET", f"{url}/readyz")
    except Trouble as trouble:
        return str(trouble)
    return None


def _answer(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(body, status=status, dumps=partial(json.dumps, ensure_ascii=False))


def _document(seen: Clock) -> dict[str, Any]:
    return {"now": _iso(seen.now), "next_timer": _iso(seen.next_wake), "settled": seen.settled, "why": seen.why}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _goal(body: bytes) -> datetime | timedelta:
    try:
        match json.loads(body):
            case {"by": str(by), **rest} if not rest:
                return words.duration(by)
            case {"to": str(to), **rest} if not rest:
                return words.when(to)
    except Trouble as trouble:
        raise preview.BadRequest(str(trouble)) from None
    except (ValueError, RecursionError):  # no JSON, or brackets without end
        pass
    raise preview.BadRequest(_WHAT_TO_SEND)


def _timeout(request: web.Request) -> float:
    if not request.query:
        return _TIMEOUT
    try:
        seconds = float(request.query["timeout"]) if len(request.query) == 1 else math.nan
    except (KeyError, ValueError):
        seconds = math.nan
    if not 0 < seconds <= _LONGEST:
        raise preview.BadRequest(f"the query takes ?timeout=<seconds> alone, more than 0 and up to {_LONGEST:.0f}")
    return seconds


_STATUS = {preview.BadRequest: 400, NotJson: 415, clock.NoTestClock: 409, clock.OutOfReach: 409}


@web.middleware
async def _in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal is JSON with one sentence."""
    try:
        return await handler(request)
    except Trouble as trouble:
        status = _STATUS.get(type(trouble), 503)
        log.warning("refused", what=request.path, error=str(trouble))
        return _answer({"error": str(trouble)}, status=status)
    except web.HTTPException as refused:
        return _answer({"error": f"{request.method} {request.path}: {refused.reason}"}, status=refused.status)
