"""A dead letter whose reason has gone is applied once, and only once; one whose reason has not gone stays what it is."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from aiohttp.test_utils import make_mocked_request

from offramp_schemas.payment import PaymentMethodUpdated
from services.runtime import poison
from services.runtime.apply import Shell
from services.runtime.dead_letters import NoSuchDeadLetter
from services.runtime.engine import Engine
from services.runtime.pages import Pages
from services.runtime.queues import Tally
from services.runtime.records import Record
from services.runtime.redrive import StillDead, redrive
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.stored import Pool
from tests.runtime.conftest import StillClock
from tests.runtime.toy import NOW, Publisher, Purse, Purses, Toy, failed, started

GROUP = "offramp.lifecycle.test"
PLACE = ("subscription.payment.v1", 0, 0)
FAULT = "alter table purses add constraint too_small check(failed < 50)"
MENDED = "alter table purses drop constraint too_small"


async def at_once(work: Callable[[], Awaitable[Tally]]) -> Tally:
    return await work()


@pytest.fixture
def record() -> Record:
    """More than the fault lets through."""
    return Publisher("subscription.payment.v1").record(failed(weight=60), event_id="evt_heavy")


@pytest.fixture
async def buried(shell: Shell[Purse], pool: Pool, record: Record) -> None:
    await pool.execute(FAULT)
    await shell.hear([Publisher("subscription.account.v1").record(started())], GROUP)
    await poison.hear(shell, [record], GROUP, at_once)


async def letter(pool: Pool) -> tuple[str | None, bool]:
    row: Any = await pool.fetchrow("select resolution, resolved_at is null as open from dead_letters")
    return row["resolution"], row["open"]


async def counted(pool: Pool) -> tuple[int, int]:
    row: Any = await pool.fetchrow("select applied, dead from watermarks where topic = $1", PLACE[0])
    return row["applied"], row["dead"]


@pytest.mark.usefixtures("buried")
async def test_it_applies_once_the_fault_is_mended_and_then_never_again(shell: Shell[Purse], pool: Pool, record: Record) -> None:
    assert await counted(pool) == (0, 1)
    await pool.execute(MENDED)
    assert await redrive(shell, PLACE) == "applied"
    assert await pool.fetchval("select failed from purses") == 60
    assert (await letter(pool), await counted(pool)) == (("redriven", False), (1, 0))
    with pytest.raises(NoSuchDeadLetter):
        await redrive(shell, PLACE)
    assert await shell.hear([record], GROUP) == Tally(duplicate=1)


@pytest.mark.usefixtures("buried")
async def test_nothing_changes_while_the_fault_is_there(shell: Shell[Purse], pool: Pool) -> None:
    with pytest.raises(StillDead, match="the database refuses it"):
        await redrive(shell, PLACE)
    assert (await letter(pool), await counted(pool)) == ((None, True), (0, 1))
    assert await pool.fetchval("select disposition from inbox where event_id = 'evt_heavy'") == "dead"


async def test_one_whose_missing_piece_never_came_says_so_and_applies_when_it_has(
    shell: Shell[Purse], pool: Pool, clock: StillClock
) -> None:
    payments, account = Publisher("subscription.payment.v1"), Publisher("subscription.account.v1")
    await shell.hear([payments.record(failed())], GROUP)
    clock.time = NOW + timedelta(hours=1)
    await pool.execute(
        "insert into watermarks(topic, part, next_off, seen_through) values('subscription.account.v1', 0, 0, $1)", clock.time
    )
    await pool.execute("update watermarks set seen_through = $1", clock.time)
    await poison.give_up(shell)
    with pytest.raises(StillDead, match="nobody has told of yet"):
        await redrive(shell, PLACE)
    assert await letter(pool) == (None, True)
    await shell.hear([account.record(started())], GROUP)
    assert await redrive(shell, PLACE) == "applied"
    assert await pool.fetchval("select failed from purses") == 1


async def test_what_is_no_event_stays_none(shell: Shell[Purse], pool: Pool) -> None:
    await shell.hear([Publisher("subscription.payment.v1").raw(b"sub_1", b"{")], GROUP)
    with pytest.raises(StillDead, match="not_a_cloudevent"):
        await redrive(shell, PLACE)
    assert await letter(pool) == (None, True)


async def test_a_rule_that_still_fails_is_named(shell: Shell[Purse], pool: Pool) -> None:
    await shell.hear([Publisher("subscription.account.v1").record(started())], GROUP)
    await shell.hear([Publisher("subscription.payment.v1").record(PaymentMethodUpdated(card_brand="bug"))], GROUP)
    with pytest.raises(StillDead, match="rule_failed"):
        await redrive(shell, PLACE)
    assert await letter(pool) == (None, True)


@pytest.mark.usefixtures("buried")
async def test_one_whose_publisher_has_sent_it_anew_under_its_id_is_a_conflict(shell: Shell[Purse], pool: Pool) -> None:
    await pool.execute(MENDED)
    await pool.execute("update inbox set disposition = 'applied', body_sha256 = 'another' where event_id = 'evt_heavy'")
    with pytest.raises(StillDead, match="conflict"):
        await redrive(shell, PLACE)


async def test_a_masked_card_number_is_not_taken_for_another_body(shell: Shell[Purse], pool: Pool) -> None:
    await shell.hear([Publisher("subscription.account.v1").record(started())], GROUP)
    unheard_of = PaymentMethodUpdated(card_brand="4111 1111 1111 1111")
    await shell.hear([Publisher("subscription.payment.v1").record(unheard_of)], GROUP)
    assert await pool.fetchval("select redacted from dead_letters")
    with pytest.raises(StillDead, match="rule_failed"):  # and no conflict
        await redrive(shell, PLACE)


@pytest.mark.usefixtures("buried")
async def test_a_conflict_is_counted_back_as_one(shell: Shell[Purse], pool: Pool) -> None:
    """The first under this id died, and the publisher has sent a better one under it: the operator takes that."""
    payments = Publisher("subscription.payment.v1")
    payments.offset = 1
    better = payments.record(failed(weight=2), event_id="evt_heavy")
    assert await shell.hear([better], GROUP) == Tally(conflict=1)
    assert await redrive(shell, (PLACE[0], 0, 1)) == "applied"
    row: Any = await pool.fetchrow("select applied, conflict, dead from watermarks where topic = $1", PLACE[0])
    assert tuple(row) == (1, 0, 1)
    with pytest.raises(StillDead, match="conflict"):
        await redrive(shell, PLACE)


async def test_one_that_lets_a_bad_one_out_of_the_queue_is_applied_all_the_same(shell: Shell[Purse], pool: Pool) -> None:
    payments = Publisher("subscription.payment.v1")
    await shell.hear([Publisher("subscription.account.v1").record(started())], GROUP)
    await pool.execute(FAULT)
    await poison.hear(shell, [payments.record(failed(weight=60))], GROUP, at_once)
    waiting = [payments.record(PaymentMethodUpdated(card_brand=brand)) for brand in ("after a failure", "bug")]
    assert await shell.hear(waiting, GROUP) == Tally(parked=2)
    await pool.execute(MENDED)
    assert await redrive(shell, PLACE) == "applied"
    assert await pool.fetchval("select failed from purses") == 60
    row: Any = await pool.fetchrow("select applied, parked, dead from watermarks where topic = $1", PLACE[0])
    assert tuple(row) == (2, 0, 1)
    assert await pool.fetchval("select reason from dead_letters where resolved_at is null") == "rule_failed"


@pytest.mark.usefixtures("buried")
async def test_while_postgres_is_busy_it_is_said_that_it_may_be_tried_again(database: str, shell: Shell[Purse], pool: Pool) -> None:
    await pool.execute(MENDED)
    impatient = {"search_path": "lifecycle", "lock_timeout": "50ms"}
    place = dict(zip(("topic", "partition", "offset"), map(str, PLACE), strict=True))
    async with pool.acquire() as connection, asyncpg.create_pool(database, min_size=1, server_settings=impatient) as other:
        engine = Engine(Service("lifecycle", Toy(), Purses()), Settings())
        engine.shell, engine.ready = replace(shell, pool=other), True
        async with connection.transaction():
            await connection.execute("select from dead_letters for update")
            answer = await Pages(lambda: engine).redrive(make_mocked_request("POST", "/", match_info=place))
    assert (answer.status, answer.text) == (503, '{"error": "Postgres: LockNotAvailableError: try again"}')
    assert await letter(pool) == (None, True)
