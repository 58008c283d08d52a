"""What the provider posts to us: who is believed, what is passed on, and what nobody learns."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from offramp_schemas import Envelope, decode
from offramp_schemas.refund_provider import ProviderRefundUpdated
from services.refunds.decide import Refunds
from services.refunds.policy import Policy
from services.refunds.providers.signature import authentic
from services.refunds.service import _doors
from services.refunds.states import Account
from services.refunds.store import RefundStore
from services.refunds.webhooks import PATH, Webhooks
from services.runtime.apply import Shell
from services.runtime.policies import single
from services.runtime.records import unpack_headers
from services.runtime.stored import Connection, Entity, Pool
from tests.refunds.desk import MONDAY, SUB, Desk, requested

OLD, NEW = b"whsec_old", b"whsec_new"
BODY = b'{"id": "evt_1"}'
NOW = 1_772_445_600.0


def signed(body: bytes, *secrets: bytes, at: float = NOW) -> str:
    signatures = [hmac.new(each, f"{int(at)}.".encode() + body, hashlib.sha256).hexdigest() for each in secrets]
    return ",".join([f"t={int(at)}", *(f"v1={each}" for each in signatures)])


@pytest.mark.parametrize(
    ("header", "believed"),
    [
        (signed(BODY, NEW), True),
        (signed(BODY, OLD), True),
        (signed(BODY, b"whsec_of_the_future", NEW), True),
        (signed(BODY, NEW, at=NOW - 300), True),
        (signed(BODY, NEW, at=NOW + 300), True),
        (signed(BODY, NEW, at=NOW - 301), False),
        (signed(BODY, NEW, at=NOW + 301), False),
        (signed(BODY, b"whsec_of_somebody"), False),
        (signed(BODY + b" ", NEW), False),
        (signed(BODY, NEW).replace("v1=", "v0="), False),
        (signed(BODY, NEW).replace(f"t={int(NOW)}", f"t={int(NOW) + 1}"), False),
        (f"t={int(NOW) + 900},{signed(BODY, NEW)}", False),
        (signed(BODY, NEW).partition(",")[2], False),
        (f"t={int(NOW)}", False),
        (f"t={int(NOW)},v1=", False),
        ("t=soon,v1=\u00e9", False),
        ("", False),
    ],
)
def test_only_what_was_signed_lately_with_a_secret_in_force_is_believed(header: str, believed: bool) -> None:
    assert authentic(header, BODY, (OLD, NEW), NOW) is believed


def test_without_a_secret_nothing_is_believed_and_there_is_no_door() -> None:
    assert not authentic(signed(BODY, b""), BODY, (), NOW)
    assert _doors(None) == _doors(SecretStr(" , ")) == {}
    door = _doors(SecretStr("whsec_old, whsec_new"))[PATH]
    assert door.__self__.secrets == (OLD, NEW)  # type: ignore[attr-defined]  # a bound method


class Monday:
    """Business time stands still."""

    ahead = timedelta(days=1)

    async def now(self, connection: Connection) -> datetime:
        return MONDAY

    def received(self, appended_at: datetime, now: datetime) -> datetime:
        return appended_at


@pytest.fixture
async def pool(connection: Connection, database: str) -> AsyncIterator[Pool]:
    """A database that knows one payment, and one refund of it that is with the provider."""
    desk = Desk.with_a_payment()
    desk.hear(requested(amount_minor=1000))
    desk.answer(id="re_1", status="pending")
    assert desk.account is not None
    await RefundStore(single(Policy())).store(connection, [Entity(SUB, 1, desk.account, MONDAY)])
    async with asyncpg.create_pool(database, min_size=1, max_size=2, server_settings={"search_path": "refunds"}) as made:
        yield made


class Provider:
    """Posts webhooks."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def posts(self, body: bytes, header: str | None = None) -> tuple[int, bytes]:
        signature = signed(body, NEW, at=time.time()) if header is None else header
        async with self.session.post(self.url, data=body, headers={"Stripe-Signature": signature}) as response:
            return response.status, await response.read()

    async def says(self, **refund: Any) -> int:
        status, body = await self.posts(event(**refund))
        assert body == b""
        return status


def event(event_id: str = "evt_1", **refund: Any) -> bytes:
    about = {"object": "refund", "id": "re_1", "status": "succeeded", "amount": 999_999, "payment_intent": "pay_1", "metadata": {}} | refund
    return json.dumps({"id": event_id, "type": "refund.updated", "created": 1_772_445_600, "data": {"object": about}}).encode()


@pytest.fixture
async def provider(pool: Pool) -> AsyncIterator[Provider]:
    rules = single(Policy())
    shell: Shell[Account] = Shell("refunds", Refunds(rules), RefundStore(rules), Monday(), pool)
    door = Webhooks((OLD, NEW))

    async def take(request: web.Request) -> web.Response:
        return await door.take(request, shell)

    app = web.Application()
    app.router.add_post(PATH, take)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield Provider(session, str(server.make_url(PATH)))


async def published(pool: Pool) -> list[Envelope]:
    rows = await pool.fetch("select topic, record_key, payload, headers from outbox order by seq")
    return [decode(row["topic"], row["record_key"], row["payload"], unpack_headers(row["headers"])) for row in rows]


async def test_word_of_our_refund_is_passed_on_to_its_subscription_without_what_it_claims(provider: Provider, pool: Pool) -> None:
    assert await provider.says() == 200
    (envelope,) = await published(pool)
    assert (envelope.id, envelope.subject, envelope.time) == ("evt_1", SUB, MONDAY)
    assert envelope.data == ProviderRefundUpdated(
        provider_refund_id="re_1",
        provider_payment_id="pay_1",
        provider_event_id="evt_1",
        provider_event_at=MONDAY,
    )


async def test_the_same_webhook_twice_is_one_event(provider: Provider, pool: Pool) -> None:
    for _ in range(2):
        assert await provider.says() == 200
    rows = await pool.fetch("select distinct id, record_key, payload from outbox")
    assert len(rows) == 1, "the inbox of refunds knows the second by its id and body"


@pytest.mark.parametrize("named", [{"payment_intent": "pay_1"}, {"payment_intent": None, "charge": "pay_1"}])
async def test_word_of_somebody_elses_refund_finds_its_subscription_by_the_charge(provider: Provider, pool: Pool, named: Any) -> None:
    assert await provider.says(id="re_theirs", metadata={"refund_id": "their own numbering", "subscription_id": "sub_9"}, **named) == 200
    (envelope,) = await published(pool)
    assert isinstance(envelope.data, ProviderRefundUpdated)
    assert (envelope.subject, envelope.data.provider_refund_id, envelope.data.refund_id) == (SUB, "re_theirs", None)


async def test_what_we_wrote_on_our_refund_is_passed_on(provider: Provider, pool: Pool) -> None:
    ours = "c0a8f6a2-6f0b-5d3e-9a41-7be1c1d7a2f4"
    await provider.says(id="re_unheard_of", metadata={"refund_id": ours})
    (envelope,) = await published(pool)
    assert isinstance(envelope.data, ProviderRefundUpdated)
    assert envelope.data.refund_id == ours


async def test_charges_that_we_never_heard_of_and_other_matters_are_taken_and_forgotten(provider: Provider, pool: Pool) -> None:
    assert await provider.says(id="re_x", payment_intent="pi_of_another_shop", metadata={"subscription_id": SUB}) == 200
    assert await provider.says(object="customer") == 200
    assert await published(pool) == []


async def test_whoever_is_not_the_provider_learns_nothing(provider: Provider, pool: Pool) -> None:
    for header in ("", signed(event(), b"whsec_guess", at=time.time()), signed(event(), NEW, at=time.time() - 301)):
        assert await provider.posts(event(), header) == (401, b"")
    assert await published(pool) == []


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[]", b"\xff", b'{"id": "evt_1"}', event(id="two words"), event(event_id="two words"), event(id=7)]
)
async def test_what_can_not_be_read_is_refused_without_detail(provider: Provider, pool: Pool, body: bytes) -> None:
    assert await provider.posts(body) == (400, b"")
    assert await published(pool) == []
