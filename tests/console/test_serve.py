"""The test clock over HTTP, in front of services that only pretend."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.console import clock
from services.console.preview import Page
from services.console.serve import Front
from services.console.settings import load
from tests.console.pretended import START, Pretended, Serve, day


@dataclass(frozen=True)
class Asked:
    """A front, and how to ask it: the answer's status and body."""

    client: TestClient[Any, Any]

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        async with self.client.get(path) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.send(path, data, "application/json")

    async def send(self, path: str, data: bytes, content_type: str) -> tuple[int, dict[str, Any]]:
        async with self.client.post(path, data=data, headers={"content-type": content_type}) as answer:
            return answer.status, await answer.json()


Open = Callable[..., Any]


@pytest.fixture
async def front(serve: Serve) -> AsyncIterator[Open]:
    """Opens a front over lifecycle and refunds; a quiet one where none is given."""
    async with AsyncExitStack() as clients:

        async def opened(lifecycle: Pretended | None = None, refunds: Pretended | str | None = None) -> Asked:
            other = refunds if isinstance(refunds, str) else await serve(refunds or Pretended())
            urls = {"lifecycle": await serve(lifecycle or Pretended()), "refunds": other}
            server = TestServer(Front(urls, Page(load(), urls)).app(), handler_cancellation=True)
            return Asked(await clients.enter_async_context(TestClient(server)))

        yield opened


async def test_an_advance_answers_when_every_timer_before_has_had_its_effects(front: Open) -> None:
    lifecycle = Pretended([day(3)])
    asked = await front(lifecycle)
    assert await asked.post("/clock/advance", {"by": "7d"}) == (200, {"now": day(7).isoformat(), "handled": 1})
    assert await asked.post("/clock/advance", {"to": "2026-05-10T00:00:00Z"}) == (200, {"now": day(9).isoformat(), "handled": 0})
    assert lifecycle.set_to == [day(3), day(7), day(9)]


async def test_to_settle_leaves_the_clock_alone(front: Open) -> None:
    lifecycle = Pretended([day(3)], unsettled=2)
    assert await (await front(lifecycle)).post("/clock/settle") == (200, {"now": START.isoformat(), "handled": 0})
    assert lifecycle.set_to == []


async def test_one_look_shows_each_services_time_and_what_is_under_way(front: Open) -> None:
    status, said = await (await front(Pretended([day(3)], unsettled=1), Pretended(now=day(1)))).get("/clock")
    assert status == 200
    assert (said["now"], said["next_timer"], said["settled"]) == (START.isoformat(), day(3).isoformat(), False)
    assert said["why"] == ["lifecycle: timers are due"]
    assert said["services"]["refunds"] == {"now": day(1).isoformat(), "next_timer": None, "settled": True, "why": []}


async def test_it_is_ready_when_every_service_is(front: Open) -> None:
    assert await (await front()).get("/readyz") == (200, {"ready": True, "why": []})
    status, said = await (await front(Pretended(is_ready=False), "http://127.0.0.1:1")).get("/readyz")
    assert (status, len(said["why"])) == (503, 2)
    assert await (await front(Pretended(is_ready=False))).get("/healthz") == (200, {"alive": True})


@pytest.mark.parametrize("path", ["/clock/advance", "/clock/settle"])
async def test_services_on_different_clocks_are_refused_and_named(front: Open, path: str) -> None:
    lifecycle = Pretended()
    asked = await front(lifecycle, Pretended(test_clock=False))
    status, said = await asked.post(path, {"by": "1d"})
    assert status == 409
    assert "on the system clock, which nobody can advance: http://" in said["error"]
    assert "(on the test clock: http://" in said["error"]
    assert lifecycle.set_to == []
    assert (await asked.get("/clock"))[1]["now"] is None


async def test_a_clock_never_goes_back(front: Open) -> None:
    status, said = await (await front()).post("/clock/advance", {"to": "2026-04-30"})
    assert (status, said["error"]) == (409, "it is 2026-05-01T00:00:00+00:00 already, and a clock never goes back")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"rubbish", b"\xff", b"[" * 4000, b"null", b"[]", b"7", {}, {"by": 30}, {"by": ["30d"]}, {"until": "30d"},
        {"by": "30d", "to": "2026-06-01"}, {"by": "30d", "force": True},
    ],
    ids=repr,
)  # fmt: skip
async def test_who_sends_something_else_hears_what_to_send(front: Open, body: object) -> None:
    status, said = await (await front()).post("/clock/advance", body)
    assert (status, said["error"]) == (400, 'send {"by": "30d"} or {"to": "2026-05-01T09:00:00Z"}')


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/octet-stream", ""]
)
async def test_what_any_site_can_make_a_browser_send_moves_no_clock(front: Open, content_type: str) -> None:
    lifecycle = Pretended([day(3)])
    status, said = await (await front(lifecycle)).send("/clock/advance", b'{"by": "1d"}', content_type)
    assert (status, "as content-type: application/json, not " in said["error"]) == (415, True)
    assert lifecycle.set_to == []


@pytest.mark.parametrize(
    "body", [{"by": "-3d"}, {"by": "30 days"}, {"by": "9" * 40 + "d"}, {"to": "soon"}, {"to": "0001-01-01T00:00+14:00"}]
)
async def test_a_time_that_is_none_is_told_in_words(front: Open, body: dict[str, str]) -> None:
    status, said = await (await front()).post("/clock/advance", body)
    assert status == 400
    assert next(iter(body.values()))[:9] in said["error"]


@pytest.mark.parametrize(
    "query", ["timeout=0", "timeout=-1", "timeout=nan", "timeout=inf", "timeout=soon", "timeout=", "timout=5", "timeout=5&by=3d"]
)
async def test_a_wait_has_a_bound_of_seconds_and_nothing_else_can_be_chosen(front: Open, query: str) -> None:
    status, said = await (await front()).post(f"/clock/settle?{query}")
    assert (status, "?timeout=<seconds>" in said["error"]) == (400, True)


async def test_what_does_not_settle_in_time_is_told_with_its_reasons_and_where_the_clock_stands(front: Open) -> None:
    status, said = await (await front(Pretended(never_settles=True))).post("/clock/advance?timeout=0.2", {"by": "1d"})
    assert (status, said["now"], said["why"]) == (504, START.isoformat(), ["lifecycle: timers are due"])
    assert said["error"].startswith("not done within 0.2 s")


async def test_where_nothing_moves_for_long_the_rest_of_the_wait_is_spared(front: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_PATIENCE", 0.1)
    status, said = await (await front(Pretended(never_settles=True))).post("/clock/settle?timeout=3600")
    assert (status, said["why"]) == (504, ["lifecycle: timers are due"])


async def test_a_service_that_is_away_is_named_at_once(front: Open) -> None:
    for path in ("/clock/advance", "/clock/settle"):
        status, said = await (await front(refunds="http://127.0.0.1:1")).post(path, {"by": "1d"})
        assert (status, said["error"][:46]) == (503, "no service answers at http://127.0.0.1:1/clock")


async def test_a_second_advance_waits_for_its_turn_and_goes_on_from_there(front: Open) -> None:
    lifecycle = Pretended([day(1), day(2), day(3), day(11)])
    asked = await front(lifecycle)
    answers = await asyncio.gather(*(asked.post("/clock/advance", {"by": "10d"}) for _ in range(2)))
    assert [said["now"] for _, said in answers] == [day(10).isoformat(), day(20).isoformat()]
    assert lifecycle.set_to == [day(1), day(2), day(3), day(10), day(11), day(20)]


async def test_whose_turn_does_not_come_in_time_is_told(front: Open) -> None:
    asked = await front(Pretended(never_settles=True))
    first = asyncio.create_task(asked.post("/clock/settle?timeout=1"))
    status, said = await asked.post("/clock/settle?timeout=0.2")
    assert (status, said["why"]) == (504, ["lifecycle: timers are due"])
    assert (await first)[0] == 504


async def test_when_a_client_goes_away_its_walk_ends_and_the_next_one_has_its_turn(front: Open) -> None:
    lifecycle = Pretended(never_settles=True)
    asked = await front(lifecycle)
    with pytest.raises(TimeoutError):
        await asked.client.post("/clock/advance", json={"by": "1d"}, timeout=aiohttp.ClientTimeout(total=0.2))
    lifecycle.never_settles = False
    assert await asked.post("/clock/settle") == (200, {"now": START.isoformat(), "handled": 0})


async def test_what_is_not_there_is_told_in_json_too(front: Open) -> None:
    asked = await front()
    assert await asked.get("/cluck") == (404, {"error": "GET /cluck: Not Found"})
    assert await asked.post("/clock") == (405, {"error": "POST /clock: Method Not Allowed"})
    assert (await asked.post("/clock/advance", b" " * 5000))[0] == 413
