"""The sandbox provider behaves as Stripe's refunds do."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dev.sandbox import Sandbox


class Client:
    """Plain HTTP: what any client would send."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def post(self, path: str, key: str | None = None, **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Idempotency-Key": key} if key else {}
        async with self.session.post(path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def get(self, path: str, **query: str) -> tuple[int, dict[str, Any]]:
        async with self.session.get(path, params=query) as response:
            return response.status, await response.json()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Sandbox.start() as sandbox, aiohttp.ClientSession(sandbox.url) as session:
        client = Client(session)
        await client.post("/sandbox/payments", id="pay_1", amount=1000, currency="EUR")
        yield client


async def test_a_refund_succeeds_and_can_be_read(client: Client) -> None:
    status, refund = await client.post("/v1/refunds", payment_intent="pay_1", amount=400, metadata={"ours": "1"})
    assert (status, refund["status"], refund["amount"], refund["currency"]) == (200, "succeeded", 400, "eur")
    assert await client.get(f"/v1/refunds/{refund['id']}") == (200, refund)


async def test_without_an_amount_all_that_is_left_is_refunded(client: Client) -> None:
    await client.post("/v1/refunds", payment_intent="pay_1", amount=400)
    assert (await client.post("/v1/refunds", payment_intent="pay_1"))[1]["amount"] == 600


async def test_the_same_key_and_body_is_answered_the_same_and_done_once(client: Client) -> None:
    first = await client.post("/v1/refunds", "key-1", payment_intent="pay_1", amount=400)
    assert await client.post("/v1/refunds", "key-1", payment_intent="pay_1", amount=400) == first
    assert len((await client.get("/sandbox/refunds"))[1]["data"]) == 1


async def test_the_same_key_with_another_body_is_a_mistake(client: Client) -> None:
    await client.post("/v1/refunds", "key-1", payment_intent="pay_1", amount=400)
    status, body = await client.post("/v1/refunds", "key-1", payment_intent="pay_1", amount=401)
    assert (status, body["error"]["code"]) == (400, "idempotency_error")


async def test_a_forgotten_key_is_done_again(client: Client) -> None:
    await client.post("/v1/refunds", "key-1", payment_intent="pay_1", amount=400)
    await client.post("/sandbox/forget-keys")
    await client.post("/v1/refunds", "key-1", payment_intent="pay_1", amount=400)
    assert len((await client.get("/sandbox/refunds"))[1]["data"]) == 2


@pytest.mark.parametrize(("before", "amount", "code"), [(400, 601, "amount_too_large"), (1000, 1, "charge_already_refunded")])
async def test_more_than_is_left_is_refused(client: Client, before: int, amount: int, code: str) -> None:
    await client.post("/v1/refunds", payment_intent="pay_1", amount=before)
    status, body = await client.post("/v1/refunds", payment_intent="pay_1", amount=amount)
    assert (status, body["error"]["code"]) == (400, code)


async def test_a_failed_refund_gives_its_money_back_to_the_payment(client: Client) -> None:
    _, refund = await client.post("/v1/refunds", payment_intent="pay_1", amount=1000)
    await client.post(f"/sandbox/refunds/{refund['id']}", status="failed")
    assert (await client.post("/v1/refunds", payment_intent="pay_1", amount=1000))[0] == 200


async def test_an_unknown_payment_is_refused_unless_any_is_accepted(client: Client) -> None:
    assert (await client.post("/v1/refunds", payment_intent="pay_9", amount=1))[0] == 404
    async with Sandbox.start(accept_any=True) as open_hearted, aiohttp.ClientSession(open_hearted.url) as session:
        assert (await Client(session).post("/v1/refunds", payment_intent="pay_9", amount=1))[0] == 200


async def test_a_list_comes_in_pages_the_newest_first(client: Client) -> None:
    ids = [(await client.post("/v1/refunds", payment_intent="pay_1", amount=1))[1]["id"] for _ in range(3)]
    _, page = await client.get("/v1/refunds", payment_intent="pay_1", limit="2")
    assert ([each["id"] for each in page["data"]], page["has_more"]) == ([ids[2], ids[1]], True)
    _, page = await client.get("/v1/refunds", payment_intent="pay_1", limit="2", starting_after=ids[1])
    assert ([each["id"] for each in page["data"]], page["has_more"]) == ([ids[0]], False)


async def test_a_late_failure_comes_when_the_refund_is_read_often_enough(client: Client) -> None:
    await client.post("/sandbox/behave", do="fail_late", after_reads=2)
    _, refund = await client.post("/v1/refunds", payment_intent="pay_1", amount=1)
    assert refund["status"] == "succeeded"
    statuses = [(await client.get(f"/v1/refunds/{refund['id']}"))[1]["status"] for _ in range(3)]
    assert statuses == ["succeeded", "failed", "failed"]


async def test_it_misbehaves_as_often_as_it_was_told_and_only_for_that_payment(client: Client) -> None:
    await client.post("/sandbox/payments", id="pay_2", amount=1000)
    await client.post("/sandbox/behave", do="error_500", payment="pay_2", times=2)
    answers = [(await client.post("/v1/refunds", payment_intent=each, amount=1))[0] for each in ("pay_1", "pay_2", "pay_2", "pay_2")]
    assert answers == [200, 500, 500, 200]


async def test_a_misspelt_behaviour_is_refused(client: Client) -> None:
    assert (await client.post("/sandbox/behave", do="explode"))[0] == 400
    assert (await client.post("/sandbox/behave", do="slow", secnods=1))[0] == 400


async def test_with_a_file_its_books_outlive_it(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.sqlite"
    for expected in (1, 1):
        async with Sandbox.start(file=file, accept_any=True) as sandbox, aiohttp.ClientSession(sandbox.url) as session:
            client = Client(session)
            await client.post("/v1/refunds", "key-1", payment_intent="pay_1", amount=1)
            assert len((await client.get("/sandbox/refunds"))[1]["data"]) == expected
