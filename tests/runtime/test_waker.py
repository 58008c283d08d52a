"""Timers are a function of the state: fired once, late rather than twice, and never before what may lie unread."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from offramp_schemas import Event
from offramp_schemas.activity import ActivityResumed, InactivityDetected
from offramp_schemas.payment import PaymentMethodUpdated
from services.runtime.apply import Shell
from services.runtime.stored import Pool
from services.runtime.waker import Waker
from tests.runtime.conftest import StillClock
from tests.runtime.toy import NOW, Publisher, Purse, started

GROUP = "offramp.lifecycle.test"
SOON = NOW + timedelta(days=3)


@pytest.fixture
def waker(shell: Shell[Purse]) -> Waker:
    return Waker(shell)


async def begin(shell: Shell[Purse], *events: Event) -> None:
    account, activity = Publisher("subscription.account.v1"), Publisher("subscription.activity.v1")
    payments = Publisher("subscription.payment.v1")
    batch = [(payments if isinstance(event, PaymentMethodUpdated) else activity).record(event) for event in events]
    await shell.hear([account.record(started()), *batch], GROUP)


async def fired(pool: Pool) -> list[str]:
    return [row[0] for row in await pool.fetch("select event from transitions where event like 'timer %' order by version")]


async def test_a_timer_fires_when_it_is_due_and_once(shell: Shell[Purse], pool: Pool, clock: StillClock, waker: Waker) -> None:
    await begin(shell, ActivityResumed(last_seen_at=SOON))
    assert await waker.run_once() == 0
    clock.time = SOON
    assert await waker.run_once() == 1
    assert await waker.run_once() == 0
    assert await fired(pool) == ["timer tell"]
    assert await pool.fetchval("select count(*) from outbox") == 1


async def test_one_that_takes_something_away_waits_until_every_input_was_read_past_it(
    shell: Shell[Purse], pool: Pool, clock: StillClock, waker: Waker
) -> None:
    await begin(shell, InactivityDetected(last_seen_at=SOON, inactive_days=90))
    clock.time = SOON + timedelta(hours=1)
    mark = """insert into watermarks(topic, part, next_off, seen_through) values($1, 0, 0, $2)
      on conflict(topic, part) do update set seen_through = $2"""
    await pool.execute("delete from watermarks")
    assert await waker.run_once() == 0, "no input was seen"
    await pool.execute(mark, "subscription.account.v1", clock.time)
    assert await waker.run_once() == 0, "one of two inputs was never seen"
    await pool.execute(mark, "subscription.activity.v1", SOON - timedelta(seconds=1))
    assert await waker.run_once() == 0, "the other was not read far enough"
    await pool.execute(mark, "subscription.activity.v1", SOON)
    assert await waker.run_once() == 1
    assert await fired(pool) == ["timer take"]


async def test_two_wakers_at_once_fire_each_timer_once(shell: Shell[Purse], pool: Pool, clock: StillClock) -> None:
    account, activity = Publisher("subscription.account.v1"), Publisher("subscription.activity.v1")
    for number in range(50):
        subject = f"sub_{number}"
        await shell.hear([account.record(started(), subject), activity.record(ActivityResumed(last_seen_at=SOON), subject)], GROUP)
    clock.time = SOON
    counts: list[int] = []
    for _ in range(3):  # they may all look at the same 20, and one of them fires these
        counts += await asyncio.gather(*(Waker(shell, batch=20).run_once() for _ in range(6)))
    assert sum(counts) == 50
    assert len(await fired(pool)) == 50


async def test_a_timer_that_does_not_go_away_puts_its_entity_to_sleep_and_tells_somebody(
    shell: Shell[Purse], pool: Pool, clock: StillClock, waker: Waker
) -> None:
    await begin(shell, PaymentMethodUpdated(card_brand="break"), ActivityResumed(last_seen_at=SOON))
    clock.time = SOON
    await waker.run_once()
    letter: Any = await pool.fetchrow("select reason, owner, next_action_at from dead_letters")
    assert (letter["reason"], letter["owner"]) == ("timer_stuck", "ops")
    assert await pool.fetchval("select wake_at from purses") == SOON + timedelta(days=1)
    assert await waker.run_once() == 0, "it is not spun on"


async def test_what_is_older_than_the_memory_is_forgotten_in_small_bites(shell: Shell[Purse], pool: Pool, clock: StillClock) -> None:
    account = Publisher("subscription.account.v1")
    await shell.hear([account.record(started(), f"sub_{number}") for number in range(5)], GROUP)
    waker = Waker(shell, bite=2)
    clock.time = NOW + timedelta(days=35)
    assert await waker.forget() == 0
    clock.time = NOW + timedelta(days=37)
    waker = Waker(shell, bite=2)
    assert [await waker.forget() for _ in range(4)] == [2, 2, 1, 0]
    assert await pool.fetchval("select count(*) from inbox") == 0


async def test_a_repeat_is_known_as_long_as_it_is_not_too_old(shell: Shell[Purse], pool: Pool, clock: StillClock) -> None:
    event = Publisher("subscription.account.v1").record(started(), time=NOW + timedelta(hours=23))  # its publisher's clock is ahead
    await shell.hear([event], GROUP)
    clock.time = NOW + timedelta(days=35, hours=22)
    await Waker(shell).forget()
    assert (await shell.hear([event], GROUP)).duplicate == 1
    clock.time = NOW + timedelta(days=37)
    await Waker(shell).forget()
    assert (await shell.hear([event], GROUP)).dead == 1
    assert await pool.fetchval("select reason from dead_letters") == "too_old"


async def test_an_entity_whose_new_state_is_refused_sleeps_and_its_neighbours_wake(
    shell: Shell[Purse], pool: Pool, clock: StillClock, waker: Waker
) -> None:
    account, activity = Publisher("subscription.account.v1"), Publisher("subscription.activity.v1")
    for subject, at in (("sub_1", SOON), ("sub_bad", SOON + timedelta(seconds=13)), ("sub_2", SOON)):
        await shell.hear([account.record(started(), subject), activity.record(ActivityResumed(last_seen_at=at), subject)], GROUP)
    clock.time = SOON + timedelta(minutes=1)
    assert await waker.run_once() == 2
    woken = await pool.fetchval("select array_agg(entity_id order by entity_id) from transitions where event like 'timer %'")
    assert woken == ["sub_1", "sub_2"]
    assert await pool.fetchval("select wake_at from purses where id = 'sub_bad'") == clock.time + timedelta(days=1)
    assert await pool.fetchval("select reason from dead_letters") == "timer_stuck"
