"""The provider's word reaches the refund: business time stands still here, so that nothing is learnt by polling."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from dev.publisher import Publisher
from dev.sandbox.behaviour import Behaviour
from dev.system import System
from offramp_schemas import Contact
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.payment import PaymentSucceeded
from offramp_schemas.refund_request import RefundRequested
from services.refunds.webhooks import PATH
from tests.system.conftest import until

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECRET = "whsec_of_this_system"


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[System]:
    alone = {"lifecycle": 0, "refunds": 1, "notifier": 0}
    settings = {"OFFRAMP_PROVIDER_WEBHOOK_SECRETS": f"whsec_of_yesterday,{SECRET}", "OFFRAMP_LOOK_EVERY": "0.1"}
    async with System.start(clock="test", begins=NOW, processes=alone, settings=settings) as running:
        running.provider.webhooks.url, running.provider.webhooks.secret = running.url("refunds") + PATH, SECRET
        yield running


class Shop:
    """Customers, the bank, and whoever sits at the provider's dashboard."""

    def __init__(self, system: System, tables: "asyncpg.Connection[Any]", publisher: Publisher) -> None:
        self.system, self.tables, self.publisher = system, tables, publisher

    async def pending(self, name: str) -> None:
        """A refund of 10 of 49 euros that is with the bank."""
        self.system.provider.ledger.register(f"pi_{name}", 4900, "eur")
        self.system.provider.behaviours.tell(Behaviour(do="status", status="pending", payment=f"pi_{name}"))
        facts = {
            "customer_id": name, "owner_id": name, "contact": Contact(email="ada@example.com", name="Ada"), "plan": "pro",
            "plan_name": "Pro", "price_minor": 4900, "currency": "EUR", "country": "DE", "consumer": True,
        }  # fmt: skip
        await self.publisher.publish(name, SubscriptionStarted.model_validate(facts), NOW)
        paid = PaymentSucceeded(
            payment_id=f"pay_{name}", invoice_id=name, amount_minor=4900, currency="EUR", provider_payment_id=f"pi_{name}"
        )
        await self.publisher.publish(name, paid, NOW)
        await self.publisher.publish(name, RefundRequested(request_ref=name, payment_id=f"pay_{name}", amount_minor=1000), NOW)
        await self.until_it_is(name, "pending")

    def the_bank(self, name: str, **moves: Any) -> None:
        (refund,) = self.system.provider.ledger.all(f"pi_{name}")
        self.system.provider.backstage.move(refund["id"], **moves)

    async def until_it_is(self, name: str, *states: str) -> None:
        query = "select count(*) from refunds.refunds where subscription_id = $1 and state = any($2::text[])"
        await until(lambda: self.tables.fetchval(query, name, states))

    async def told(self, name: str, fact: str) -> int:
        """How often refunds said so."""
        told: list[str] = [each["facts"] for each in await self.tables.fetch(
            "select facts from refunds.transitions where entity_id = $1", name)]  # fmt: skip
        return sum(facts.split(",").count(fact) for facts in told)


@pytest.fixture(scope="module")
async def shop(system: System, tables: "asyncpg.Connection[Any]", producer: AIOKafkaProducer) -> Shop:
    return Shop(system, tables, Publisher(producer))


async def test_what_the_bank_did_is_known_at_once(shop: Shop) -> None:
    await shop.pending("sub_once")
    shop.the_bank("sub_once", status="succeeded")
    await shop.until_it_is("sub_once", "succeeded")


@pytest.mark.parametrize("how", ["double_webhook", "late_webhook", "hold_webhook"])
async def test_webhooks_that_misbehave_lead_to_the_same_end(shop: Shop, how: Any) -> None:
    name = f"sub_{how}"
    await shop.pending(name)
    shop.system.provider.behaviours.tell(Behaviour(do=how, payment=f"pi_{name}", seconds=0.3))
    shop.the_bank(name, status="succeeded")
    shop.the_bank(name, status="failed", failure_reason="expired_or_canceled_card")
    await shop.system.provider.webhooks.settle()
    await shop.until_it_is(name, "approved", "needs_attention")  # it failed, whether or not it was seen to succeed before
    assert await shop.told(name, "refund-issued") == 1
    assert await shop.tables.fetchval("select count(*) from refunds.dead_letters") == 0


async def test_a_webhook_that_is_lost_costs_time_and_nothing_else(shop: Shop) -> None:
    await shop.pending("sub_lost")
    shop.system.provider.behaviours.tell(Behaviour(do="lose_webhook", payment="pi_sub_lost"))
    shop.the_bank("sub_lost", status="succeeded")
    await shop.system.provider.webhooks.settle()
    await shop.system.advance(await shop.tables.fetchval("select now from refunds.test_clock") + timedelta(minutes=10))
    await shop.until_it_is("sub_lost", "succeeded")


async def test_money_that_somebody_gave_back_by_hand_is_seen_and_counted(shop: Shop) -> None:
    await shop.pending("sub_theirs")
    by_hand = {"payment": "pi_sub_theirs", "amount": 700}
    async with aiohttp.ClientSession() as session, session.post(f"{shop.system.provider.url}/sandbox/refunds", json=by_hand) as response:
        assert response.status == 200
    await until(lambda: shop.tables.fetchval("select count(*) from refunds.foreign_refunds where subscription_id = 'sub_theirs'"))
    row = await shop.tables.fetchrow("select reserved_minor, external_minor from refunds.payments where payment_id = 'pay_sub_theirs'")
    assert tuple(row or ()) == (1000, 700)
    assert await shop.told("sub_theirs", "foreign-refund-seen") == 1
