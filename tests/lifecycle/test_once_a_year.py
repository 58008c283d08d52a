"""A pause and an offer come once a year for a customer, however many subscriptions they have, and whoever is at work on them at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest

from offramp_schemas import Event
from services.lifecycle.states import Subscription
from services.lifecycle.store import Subscriptions
from services.runtime import poison
from services.runtime.apply import Shell
from services.runtime.queues import Tally
from services.runtime.stored import Connection, Entity, Pool
from tests.lifecycle.given import LIFECYCLE, cancellation, pause, started
from tests.runtime.conftest import StillClock
from tests.runtime.toy import Publisher

SUBSCRIPTIONS = ("sub_1", "sub_2")
ACCOUNT, REQUESTS = Publisher("subscription.account.v1"), [Publisher("subscription.request.v1", partition) for partition in range(3)]
GROUP = "offramp.lifecycle.subscription.request.v1"


class AtOnce(Subscriptions):
    """Everybody has read before anybody writes, the first time."""

    def __init__(self, everybody: asyncio.Barrier) -> None:
        self._everybody: asyncio.Barrier | None = everybody

    async def load(self, connection: Connection, ids: Sequence[str], *, lock: bool = True) -> dict[str, Entity[Subscription]]:
        found = await super().load(connection, ids, lock=lock)
        everybody, self._everybody = self._everybody, None
        if everybody:
            await everybody.wait()
        return found


async def at_once(work: Callable[[], Awaitable[Tally]]) -> Tally:
    """No outage has to be waited out here."""
    return await work()


@pytest.fixture
async def pools(database: str) -> AsyncIterator[list[Pool]]:
    """One for each of two processes."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                asyncpg.create_pool(database, min_size=1, max_size=2, server_settings={"search_path": "lifecycle"})
            )
            for _ in SUBSCRIPTIONS
        ]


def shell(pool: Pool, tables: Subscriptions, clock: StillClock | None = None) -> Shell[Subscription]:
    return Shell("lifecycle", LIFECYCLE, tables, clock or StillClock(), pool)


async def subscribed(pool: Pool, *customers: str) -> None:
    """A subscription of each customer."""
    batch = [ACCOUNT.record(started(customer_id=each), f"sub_{n}") for n, each in enumerate(customers, start=1)]
    await shell(pool, Subscriptions()).hear(batch, "offramp.lifecycle.subscription.account.v1")


async def two_processes_hear(pools: Sequence[Pool], *events: Event) -> None:
    """Each of them one, of a subscription and partition of its own, in transactions that overlap."""
    everybody = asyncio.Barrier(len(events))
    await asyncio.gather(
        *(
            poison.hear(shell(pool, AtOnce(everybody)), [requests.record(event, subscription)], GROUP, at_once)
            for pool, requests, event, subscription in zip(pools, REQUESTS, events, SUBSCRIPTIONS, strict=False)
        )
    )


async def told(pool: Pool) -> list[str]:
    """The answers to all that was requested, in no order; what was said of the reasons is another matter."""
    rows = await pool.fetch("select facts from transitions where event <> 'subscription-started'")
    return sorted(fact for row in rows for fact in row["facts"].split(",") if fact != "feedback-recorded")


def leaving(reference: str) -> Event:
    return cancellation(reference, feedback=("too_expensive",))


ONE_OFFER = ["cancellation-scheduled", "cancellation-scheduled", "retention-offered"]


async def test_two_cancellations_at_once_by_two_processes_bring_one_offer(pools: list[Pool]) -> None:
    await subscribed(pools[0], "cus_1", "cus_1")
    await two_processes_hear(pools, leaving("CAN-1"), leaving("CAN-2"))
    assert await told(pools[0]) == ONE_OFFER


async def test_two_cancellations_in_one_batch_bring_one_offer_and_each_has_its_one_disposition(pools: list[Pool]) -> None:
    await subscribed(pools[0], "cus_1", "cus_1")
    batch = [REQUESTS[2].record(leaving(f"CAN-{each}"), each) for each in SUBSCRIPTIONS]
    pieces = await poison.hear(shell(pools[0], Subscriptions()), batch, GROUP, at_once)
    assert await told(pools[0]) == ONE_OFFER
    assert [(len(records), tally) for records, tally in pieces] == [(1, Tally(applied=1)), (1, Tally(applied=1))]
    assert await pools[0].fetchval("select count(*) from dead_letters") == 0


async def test_two_pauses_at_once_are_one_and_the_other_is_rejected_with_its_rule(pools: list[Pool]) -> None:
    await subscribed(pools[0], "cus_1", "cus_1")
    await two_processes_hear(pools, pause("PAU-1"), pause("PAU-2"))
    assert await told(pools[0]) == ["pause-rejected", "subscription-paused"]


async def test_two_customers_do_not_stand_in_each_others_way(pools: list[Pool]) -> None:
    await subscribed(pools[0], "cus_1", "cus_2")
    await two_processes_hear(pools, leaving("CAN-1"), leaving("CAN-2"))
    assert await told(pools[0]) == ["cancellation-scheduled", "cancellation-scheduled", "retention-offered", "retention-offered"]
