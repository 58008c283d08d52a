"""Whatever speaks of something not heard of yet waits, and what comes later for the same entity waits behind it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from offramp_schemas.payment import PaymentMethodUpdated, PaymentSucceeded
from services.runtime import poison
from services.runtime.apply import Shell
from services.runtime.queues import Tally
from services.runtime.stored import Pool
from tests.runtime.conftest import StillClock
from tests.runtime.toy import NOW, Publisher, Purse, failed, started

GROUP = "offramp.lifecycle.test"
PAID = {"payment_id": "pay_0", "invoice_id": "in_0", "amount_minor": 1999, "currency": "EUR"}


async def counts(pool: Pool, topic: str = "subscription.payment.v1") -> tuple[int, int, int]:
    row: Any = await pool.fetchrow("select applied, parked, dead from watermarks where topic = $1", topic)
    return row["applied"], row["parked"], row["dead"]


async def test_a_payment_before_its_subscription_waits_and_is_applied_with_it(shell: Shell[Purse], pool: Pool) -> None:
    payments, account = Publisher("subscription.payment.v1"), Publisher("subscription.account.v1")
    assert await shell.hear([payments.record(failed(1)), payments.record(failed(2))], GROUP) == Tally(parked=2)
    assert await counts(pool) == (0, 2, 0)
    await shell.hear([account.record(started())], GROUP)
    events = [row[0] for row in await pool.fetch("select event from transitions order by version")]
    assert events == ["subscription-started", "payment-failed", "payment-failed"]
    assert await counts(pool) == (2, 0, 0)
    assert {row[0] for row in await pool.fetch("select disposition from inbox")} == {"applied"}
    assert await pool.fetchval("select count(*) from parked") == 0


async def test_what_was_missing_may_come_in_the_same_batch(shell: Shell[Purse], pool: Pool) -> None:
    mixed = Publisher("subscription.payment.v1")
    account = Publisher("subscription.account.v1")
    tally = await shell.hear([mixed.record(failed(1)), account.record(started()), mixed.record(failed(2))], GROUP)
    assert tally == Tally(applied=3)
    assert await pool.fetchval("select failed from purses") == 2
    assert {row[0] for row in await pool.fetch("select disposition from inbox")} == {"applied"}


async def test_what_the_first_waits_for_may_stand_behind_it(shell: Shell[Purse], pool: Pool) -> None:
    payments, account = Publisher("subscription.payment.v1"), Publisher("subscription.account.v1")
    after = payments.record(PaymentMethodUpdated(card_brand="after a failure"))
    await shell.hear(
        [after, payments.record(PaymentSucceeded.model_validate(PAID)), payments.record(failed(1)), payments.record(failed(2))], GROUP
    )
    assert await shell.hear([account.record(started())], GROUP) == Tally(applied=1)
    events = [row[0] for row in await pool.fetch("select event from transitions order by version")]
    assert events == ["subscription-started", "payment-failed", "payment-method-updated", "payment-failed"]
    assert await pool.fetchval("select count(*) from parked") == 0
    assert await counts(pool) == (3, 0, 0)


async def test_a_parked_event_that_comes_again_is_a_duplicate(shell: Shell[Purse], pool: Pool) -> None:
    payments = Publisher("subscription.payment.v1")
    record = payments.record(failed(1))
    await shell.hear([record], GROUP)
    assert await shell.hear([record], GROUP) == Tally(duplicate=1)
    assert await pool.fetchval("select count(*) from parked") == 1


async def test_it_is_given_up_a_quarter_of_an_hour_after_every_input_was_read_past_it(
    shell: Shell[Purse], pool: Pool, clock: StillClock
) -> None:
    payments = Publisher("subscription.payment.v1")
    await shell.hear([payments.record(failed(1), event_id="evt_1")], GROUP)
    clock.time = NOW + timedelta(hours=1)
    assert await poison.give_up(shell) == 0, "the account topic has not been seen at all"
    await pool.execute("insert into watermarks(topic, part, next_off, seen_through) values('subscription.account.v1', 0, 0, $1)", NOW)
    await pool.execute("update watermarks set seen_through = $1 where topic = 'subscription.payment.v1'", clock.time)
    assert await poison.give_up(shell) == 0, "the account topic was not read far enough"
    await pool.execute("update watermarks set seen_through = $1", clock.time)
    assert await poison.give_up(shell) == 1
    assert await pool.fetchval("select reason from dead_letters") == "never_seen"
    assert await pool.fetchval("select disposition from inbox where event_id = 'evt_1'") == "dead"
    assert await counts(pool) == (0, 0, 1)


async def test_a_parked_event_that_the_database_refuses_dies_alone_and_not_the_one_that_released_it(
    shell: Shell[Purse], pool: Pool
) -> None:
    payments, account = Publisher("subscription.payment.v1"), Publisher("subscription.account.v1")
    await shell.hear([payments.record(failed(1)), payments.record(failed(2, weight=100)), payments.record(failed(3))], GROUP)
    heavy = [payments.record(failed(number, weight=100)) for number in range(4, 14)]
    await shell.hear(heavy, GROUP)

    async def at_once(work: Callable[[], Awaitable[Tally]]) -> Tally:
        return await work()

    pieces = await poison.hear(shell, [account.record(started())], GROUP, at_once)
    assert [tally for _, tally in pieces] == [Tally(applied=1)]
    assert await pool.fetchval("select failed from purses") == 902
    assert await counts(pool) == (11, 0, 2)
    assert await pool.fetchval("select count(*) from parked") == 0


async def test_a_head_that_can_go_on_by_now_is_not_given_up(shell: Shell[Purse], pool: Pool, clock: StillClock) -> None:
    payments, account = Publisher("subscription.payment.v1"), Publisher("subscription.account.v1")
    await shell.hear([payments.record(failed(1))], GROUP)
    await shell.hear([account.record(started())], GROUP, release=False)
    clock.time = NOW + timedelta(hours=1)
    await pool.execute("update watermarks set seen_through = $1", clock.time)
    await poison.give_up(shell)
    assert await pool.fetchval("select failed from purses") == 1
    assert await pool.fetchval("select count(*) from dead_letters") == 0
