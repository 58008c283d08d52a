"""What rests on something that has changed meanwhile is decided again, by whatever door it came; nothing is lost, nothing buried."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest

from offramp_schemas.activity import ActivityResumed
from offramp_schemas.payment import PaymentMethodUpdated
from services.runtime import poison
from services.runtime.apply import Shell
from services.runtime.calls import Calls
from services.runtime.queues import Tally
from services.runtime.stored import Connection, Entity, Pool, Stale
from services.runtime.waker import Waker
from tests.runtime.conftest import StillClock
from tests.runtime.test_calls import Bank
from tests.runtime.toy import NOW, Publisher, Purse, Purses, Toy, failed, started

GROUP = "offramp.lifecycle.test"


class Hesitant(Purses):
    """What it stores is stale, so many times."""

    times = 0

    async def store(self, connection: Connection, entities: Sequence[Entity[Purse]]) -> None:
        if self.times:
            self.times -= 1
            raise Stale
        await super().store(connection, entities)


@pytest.fixture
def tables() -> Hesitant:
    return Hesitant()


@pytest.fixture
def shell(pool: Pool, clock: StillClock, tables: Hesitant) -> Shell[Purse]:
    return Shell("lifecycle", Toy(), tables, clock, pool, inputs=2)


async def at_once(work: Callable[[], Awaitable[Tally]]) -> Tally:
    return await work()


async def test_a_batch_is_decided_again_in_pieces(shell: Shell[Purse], pool: Pool, tables: Hesitant) -> None:
    account, payments = Publisher("subscription.account.v1"), Publisher("subscription.payment.v1")
    await shell.hear([account.record(started(), each) for each in ("sub_1", "sub_2")], GROUP)
    tables.times = 4
    pieces = await poison.hear(shell, [payments.record(failed(), each) for each in ("sub_1", "sub_2")], GROUP, at_once)
    assert [tally for _, tally in pieces] == [Tally(applied=1), Tally(applied=1)]
    assert await pool.fetchval("select array_agg(failed) from purses") == [1, 1]
    assert await pool.fetchval("select count(*) from dead_letters") == 0


async def test_what_was_parked_is_decided_again_one_by_one(shell: Shell[Purse], pool: Pool, tables: Hesitant) -> None:
    account, payments = Publisher("subscription.account.v1"), Publisher("subscription.payment.v1")
    await shell.hear([payments.record(failed(number)) for number in (1, 2)], GROUP)
    tables.times = 3
    await poison.hear(shell, [account.record(started())], GROUP, at_once)
    assert await pool.fetchval("select failed from purses") == 2
    assert await pool.fetchval("select count(*) from parked") == 0


async def test_a_timer_and_an_answer_are_decided_again(shell: Shell[Purse], pool: Pool, tables: Hesitant, clock: StillClock) -> None:
    account, payments, activity = (Publisher(f"subscription.{each}.v1") for each in ("account", "payment", "activity"))
    asks = [
        payments.record(PaymentMethodUpdated(card_brand="call")),
        activity.record(ActivityResumed(last_seen_at=NOW + timedelta(days=1))),
    ]
    await shell.hear([account.record(started()), *asks], GROUP)
    tables.times = 2
    await Calls(shell, {"bank": Bank()}).run_once()
    clock.time = NOW + timedelta(days=1)
    tables.times = 2
    assert await Waker(shell).run_once() == 1
    details = "select details #> '{answers}' = '[\"answered\"]' and details #> '{fired}' = '[\"tell\"]' from purses"
    assert await pool.fetchval(details)
