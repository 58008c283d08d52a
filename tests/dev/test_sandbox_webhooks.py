"""The sandbox says what happens to refunds: once, unless it is told to lose, double, delay or mix up its webhooks."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dev.sandbox import Sandbox
from dev.sandbox.behaviour import Behaviour
from services.refunds.providers.signature import authentic

SECRET = "whsec_of_these_tests"


class Listener:
    """Hears webhooks; answers the first `refuses` with 503."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.refuses = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert authentic(request.headers["Stripe-Signature"], body, [SECRET.encode()])
        if self.refuses:
            self.refuses -= 1
            return web.Response(status=503)
        self.heard.append(json.loads(body))
        return web.Response()

    @property
    def statuses(self) -> list[str]:
        return [each["data"]["object"]["status"] for each in self.heard]


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def sandbox(listener: Listener) -> AsyncIterator[Sandbox]:
    app = web.Application()
    app.router.add_post("/hooks", listener.take)
    async with TestServer(app) as server, Sandbox.start() as sandbox, aiohttp.ClientSession(sandbox.url) as session:
        sandbox.ledger.register("pay_1", 1000, "eur")
        async with session.post("/sandbox/webhooks", json={"url": str(server.make_url("/hooks")), "secret": SECRET}):
            yield sandbox


async def refund(sandbox: Sandbox, *then: str) -> None:
    """One is made, and the bank moves."""
    async with aiohttp.ClientSession(sandbox.url) as session:
        async with session.post("/v1/refunds", json={"payment_intent": "pay_1", "amount": 400}) as response:
            made = (await response.json())["id"]
        for status in then:
            async with session.post(f"/sandbox/refunds/{made}", json={"status": status}) as response:
                assert response.status == 200
    await sandbox.webhooks.settle()


async def test_what_happens_to_a_refund_is_told(sandbox: Sandbox, listener: Listener) -> None:
    await refund(sandbox, "failed")
    assert sorted((each["type"], each["data"]["object"]["status"]) for each in listener.heard) == [
        ("refund.created", "succeeded"),
        ("refund.failed", "failed"),
    ]
    assert len({each["id"] for each in listener.heard}) == 2


async def test_what_a_bank_does_when_it_is_asked_is_told_too(sandbox: Sandbox, listener: Listener) -> None:
    sandbox.behaviours.tell(Behaviour(do="pending"))
    await refund(sandbox)
    async with aiohttp.ClientSession(sandbox.url) as session, session.get(f"/v1/refunds/{sandbox.ledger.all()[0]['id']}"):
        await sandbox.webhooks.settle()
    assert listener.statuses == ["pending", "succeeded"]


async def test_it_can_be_lost(sandbox: Sandbox, listener: Listener) -> None:
    sandbox.behaviours.tell(Behaviour(do="lose_webhook"))
    await refund(sandbox, "failed")
    assert listener.statuses == ["failed"]


async def test_it_can_come_twice_as_the_same_event(sandbox: Sandbox, listener: Listener) -> None:
    sandbox.behaviours.tell(Behaviour(do="double_webhook"))
    await refund(sandbox)
    assert [each["id"] for each in listener.heard] == [listener.heard[0]["id"]] * 2


async def test_they_can_come_in_the_wrong_order(sandbox: Sandbox, listener: Listener) -> None:
    sandbox.behaviours.tell(Behaviour(do="hold_webhook"))
    await refund(sandbox, "failed")
    assert listener.statuses == ["failed", "succeeded"]


async def test_it_can_be_late(sandbox: Sandbox, listener: Listener) -> None:
    sandbox.behaviours.tell(Behaviour(do="late_webhook", seconds=0.2))
    await refund(sandbox, "failed")
    assert listener.statuses == ["failed", "succeeded"]


async def test_it_is_sent_again_until_it_is_taken(sandbox: Sandbox, listener: Listener) -> None:
    listener.refuses = 2
    await refund(sandbox)
    assert listener.statuses == ["succeeded"]


async def test_somebody_may_give_money_back_by_hand(sandbox: Sandbox, listener: Listener) -> None:
    async with aiohttp.ClientSession(sandbox.url) as session:
        async with session.post("/sandbox/refunds", json={"payment": "pay_1", "amount": 300}) as response:
            assert (await response.json())["amount"] == 300
        async with session.post("/sandbox/refunds", json={"payment": "pay_1", "amount": 701}) as response:
            assert response.status == 400
    await sandbox.webhooks.settle()
    assert [each["data"]["object"]["metadata"] for each in listener.heard] == [{}]


async def test_without_a_listener_nothing_is_told(sandbox: Sandbox, listener: Listener) -> None:
    sandbox.webhooks.url = None
    await refund(sandbox)
    assert (listener.heard, sandbox.webhooks.sent) == ([], [])
