"""Subscriptions in a real PostgreSQL: they come back as they were, and no row can break a rule of the table."""

from collections.abc import AsyncIterator
from datetime import datetime

import asyncpg
import pytest
from msgspec.structs import replace

from services.lifecycle.states import Subscription
from services.lifecycle.store import Subscriptions
from services.runtime.stored import Connection, Entity
from tests.lifecycle.given import DAY, HOUR, LIFECYCLE, NOW, cancellation
from tests.lifecycle.states import STORIES, every_state

TABLE = Subscriptions()


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database, server_settings={"search_path": "lifecycle"})
    yield connection
    await connection.close()


def entity(id_: str, state: Subscription, version: int = 1) -> Entity[Subscription]:
    timers = LIFECYCLE.timers(state)
    wake_at = min((timer.due_at for timer in timers if not timer.takes_away), default=None)
    guarded = min((timer.due_at for timer in timers if timer.takes_away), default=None)
    return Entity(id_, version, state, wake_at, guarded)


def of_customer(customer_id: str, state: Subscription) -> Subscription:
    return replace(state, facts=replace(state.facts, customer_id=customer_id))


def one(name: str) -> Entity[Subscription]:
    return entity("sub_1", STORIES[name]().state)


async def test_every_state_comes_back_as_it_was(connection: Connection) -> None:
    entities = {name: entity(name, of_customer(name, state)) for name, state in every_state().items()}
    await TABLE.store(connection, list(entities.values()))
    assert await TABLE.load(connection, list(entities)) == entities


async def test_what_a_customer_had_with_one_subscription_is_known_of_their_others(connection: Connection) -> None:
    rested, other = STORIES["active, resumed"]().state, STORIES["active"]().state
    stranger = of_customer("cus_2", other)
    await TABLE.store(connection, [entity("rested", rested), entity("other", other), entity("stranger", stranger)])
    states = {id_: each.state for id_, each in (await TABLE.load(connection, ["rested", "other", "stranger"])).items()}
    assert states["other"].heard.paused_at == rested.heard.paused_at == NOW
    assert (states["rested"], states["stranger"]) == (rested, stranger)


async def test_a_row_is_rewritten_as_a_whole(connection: Connection) -> None:
    for version, name in enumerate(("past due", "non-renewing", "ended, deleted", "active, free and asleep"), start=1):
        await TABLE.store(connection, [entity("sub_1", STORIES[name]().state, version)])
    columns = await connection.fetchrow("select version, state, return_state, ends_at, ended_at, data_stage, wake_at from subscriptions")
    assert columns is not None
    assert tuple(columns) == (4, "active", None, None, None, None, None)


async def test_people_see_what_it_is_about_without_reading_the_state(connection: Connection) -> None:
    await TABLE.store(connection, [one("non-renewing, past due")])
    row = await connection.fetchrow("select state, return_state, canceled_at, ends_at, plan, details::jsonb ->> 'state' from subscriptions")
    assert row is not None
    assert tuple(row) == ("non_renewing", "past_due", NOW, datetime(2026, 4, 1, tzinfo=NOW.tzinfo), "pro", "non_renewing")


async def test_a_service_that_has_no_rights_to_a_new_table_yet_can_write_on(connection: Connection) -> None:
    """It may wait for the very migration that makes the table, and be faster than whoever gives it the rights."""
    async with connection.transaction():
        await connection.execute("create role before; grant usage on schema lifecycle to before; grant all on subscriptions to before")
        await connection.execute("set local role before")
        await TABLE.store(connection, [one("active")])
        await connection.execute("reset role; drop owned by before; drop role before")
    assert await connection.fetchval("select count(*) from subscription_terms") == 1


async def test_unknown_ids_are_left_out(connection: Connection) -> None:
    await TABLE.store(connection, [one("active")])
    assert await TABLE.known(connection, ["sub_1", "sub_2"]) == {"sub_1"}
    assert set(await TABLE.load(connection, ["sub_2", "sub_1"])) == {"sub_1"}
    await TABLE.store(connection, [])


async def test_what_takes_away_is_due_only_when_every_input_was_read_past_it(connection: Connection) -> None:
    ack = entity("acknowledgement", STORIES["ended, in grace"]().state)
    trial = entity("trial", STORIES["trialing, nothing to charge"]().state)
    await TABLE.store(connection, [ack, trial])
    due = trial.guarded_wake_at
    assert due is not None
    assert await TABLE.due(connection, NOW, None, 10) == []
    assert await TABLE.due(connection, due + DAY, None, 10) == ["acknowledgement"]
    assert set(await TABLE.due(connection, due + DAY, due - HOUR, 10)) == {"acknowledgement"}
    assert set(await TABLE.due(connection, due + DAY, due, 10)) == {"acknowledgement", "trial"}
    assert set(await TABLE.due(connection, due - HOUR, due + DAY, 10)) == {"acknowledgement"}
    assert len(await TABLE.due(connection, due + DAY, due, 1)) == 1


async def test_the_next_wake_up_is_the_earliest_of_either_kind(connection: Connection) -> None:
    assert await TABLE.next_wake(connection) is None
    trial, ack = (
        entity("trial", STORIES["trialing, nothing to charge"]().state),
        entity("acknowledgement", STORIES["ended, in grace"]().state),
    )
    await TABLE.store(connection, [trial])
    assert await TABLE.next_wake(connection) == trial.guarded_wake_at
    await TABLE.store(connection, [ack])
    assert await TABLE.next_wake(connection) == ack.wake_at


async def test_a_text_with_anything_in_it_can_be_stored(connection: Connection) -> None:
    story = STORIES["active"]()
    story.hears(cancellation(comment="\u202e<script> {{7*7}} \U0001f9e8 '; drop table subscriptions"))
    await TABLE.store(connection, [entity("sub_1", story.state)])
    assert (await TABLE.load(connection, ["sub_1"]))["sub_1"].state == story.state


BREAKS = {
    "version_check": ("active", "version = 0"),
    "state_check": ("active", "state = 'asleep'"),
    "return_state_check": ("non-renewing", "return_state = 'ended'"),
    "price_minor_check": ("active", "price_minor = -1"),
    "end_reason_check": ("ended, in grace", "end_reason = 'bored'"),
    "data_stage_check": ("ended, in grace", "data_stage = 'lost'"),
    "trial_has_an_end": ("trialing", "trial_ends_at = null"),
    "non_renewing_returns": ("non-renewing", "return_state = null"),
    "non_renewing_returns from elsewhere": ("active", "return_state = 'active'"),
    "non_renewing_ends": ("non-renewing", "ends_at = null"),
    "ended_when_and_why": ("ended, in grace", "ended_at = null, end_reason = null"),
    "ended_when_and_why without a reason": ("ended, in grace", "end_reason = null"),
    "ended_when_and_why while it goes on": ("active", "ended_at = now(), end_reason = 'requested'"),
    "paused_until": ("paused", "resumes_at = null"),
    "paused_until nothing else": ("active", "resumes_at = now()"),
    "data_has_a_stage while it rests": ("paused", "data_stage = null"),
    "data_has_a_stage": ("ended, in grace", "data_stage = null"),
    "data_has_a_stage only after the end": ("active", "data_stage = 'grace'"),
    "inactivity_has_an_end": ("active, free, warned", "deactivation_due_at = null"),
    "open_means_awake": ("past due", "wake_at = null, guarded_wake_at = null"),
    "open_means_awake for what owes an answer": ("ended, deleted, unacknowledged", "wake_at = null"),
    "open_means_awake for a plan that costs": ("active", "wake_at = null"),
}


@pytest.mark.parametrize("broken", BREAKS)
async def test_no_row_can_break_a_rule_of_the_table(connection: Connection, broken: str) -> None:
    story, change = BREAKS[broken]
    await TABLE.store(connection, [one(story)])
    with pytest.raises(asyncpg.CheckViolationError) as violation:
        await connection.execute(f"update subscriptions set {change}")
    assert broken.partition(" ")[0] in str(violation.value.constraint_name)


async def test_every_rule_of_the_table_has_a_row_that_breaks_it(connection: Connection) -> None:
    rows = await connection.fetch("select conname from pg_constraint where contype = 'c' and conrelid = 'subscriptions'::regclass")
    assert {row[0].removeprefix("subscriptions_") for row in rows} == {name.partition(" ")[0] for name in BREAKS}
