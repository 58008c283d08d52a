"""What an event would do is told by the same rules, and nothing is done: not a row, not a lock."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from offramp_schemas import TYPE_OF, Event, inputs_of
from offramp_schemas.account import DataDeleted
from offramp_schemas.activity import ActivityResumed
from offramp_schemas.payment import PaymentMethodUpdated, PaymentSucceeded
from services.runtime.apply import Shell
from services.runtime.preview import BadPreview, preview
from services.runtime.stored import Connection, Entity, Pool
from tests.runtime.conftest import StillClock
from tests.runtime.toy import NOW, Publisher, Purse, Purses, Toy, failed, started

INPUTS = inputs_of("lifecycle")
GROUP = "offramp.lifecycle.test"
EVERYTHING = (
    "purses", "inbox", "watermarks", "parked", "outbox", "calls", "dead_letters", "transitions", "policies",
)  # fmt: skip


def event(data: Event, subject: str = "sub_1", **more: str) -> dict[str, Any]:
    return {"type": TYPE_OF[type(data)], "subject": subject, "data": data.model_dump(mode="json"), **more}


def card(brand: str) -> PaymentMethodUpdated:
    return PaymentMethodUpdated(card_brand=brand)


async def contents(pool: Pool) -> dict[str, list[Any]]:
    return {table: [tuple(row) for row in await pool.fetch(f"select * from {table} order by 1")] for table in EVERYTHING}


@pytest.fixture
async def known(shell: Shell[Purse]) -> Shell[Purse]:
    await shell.hear([Publisher("subscription.account.v1").record(started())], GROUP)
    return shell


async def test_a_preview_says_what_the_event_would_do(known: Shell[Purse]) -> None:
    seen = await preview(known, INPUTS, event(failed(), id="evt_1"))
    assert seen["events"] == [{"id": "evt_1", "type": TYPE_OF[type(failed())], "subject": "sub_1", "disposition": "applied", "why": None}]
    (entity,) = seen["entities"]
    assert [(entity[when]["state"], entity[when]["version"]) for when in ("before", "after")] == [("empty", 1), ("full", 2)]
    assert [entity[when]["details"]["failed"] for when in ("before", "after")] == [0, 1]
    (told,) = seen["told"]
    assert (told["type"], told["subject"], told["causationid"]) == ("offramp.lifecycle.payment-past-due.v1", "sub_1", "evt_1")
    assert (told["data"]["version"], told["data"]["state"], told["data"]["amount_minor"]) == (2, "full", 1999)


async def test_it_is_what_then_really_happens(known: Shell[Purse], pool: Pool) -> None:
    seen = await preview(known, INPUTS, event(failed(), id="evt_1", source="//test"))
    await known.hear([Publisher("subscription.payment.v1").record(failed(), event_id="evt_1")], GROUP)
    assert [told["id"] for told in seen["told"]] == [str(each) for each in await pool.fetchval("select array_agg(id) from outbox")]


async def test_what_would_wake_and_what_would_be_asked_is_told(known: Shell[Purse]) -> None:
    soon = NOW + timedelta(days=3)
    seen = await preview(known, INPUTS, [event(ActivityResumed(last_seen_at=soon)), event(card("call"))])
    assert seen["entities"][0]["timers"] == [{"name": "tell", "due_at": soon.isoformat(), "waits_for_inputs": False, "new": True}]
    assert [(each["kind"], each["entity"], each["request"]) for each in seen["asked"]] == [("bank", "sub_1", {"who": "sub_1"})]


async def test_several_events_are_decided_one_after_the_other(shell: Shell[Purse]) -> None:
    seen = await preview(shell, INPUTS, [event(started()), event(failed(1)), event(failed(2))])
    assert [each["disposition"] for each in seen["events"]] == ["applied", "applied", "applied"]
    assert [each["data"]["version"] for each in seen["told"]] == [2, 3]
    assert seen["entities"][0]["before"] is None


@pytest.mark.parametrize(
    ("data", "disposition", "why"),
    [
        (PaymentSucceeded(payment_id="pay_1", invoice_id="in_1", amount_minor=1, currency="EUR"), "ignored", "nothing to do"),
        (DataDeleted(), "ignored", "not for this service"),
        (card("wrong"), "dead", "not_allowed: no"),
        (card("bug"), "dead", "ZeroDivisionError in the rule for payment-method-updated"),
        (card("after a failure"), "parked", "waits for the failure"),
    ],
)
async def test_where_nothing_would_happen_the_reason_is_told(known: Shell[Purse], data: Event, disposition: str, why: str) -> None:
    seen = await preview(known, INPUTS, event(data))
    assert [(each["disposition"], each["why"]) for each in seen["events"]] == [(disposition, why)]
    assert (seen["told"], seen["entities"]) == ([], [])


async def test_what_waits_already_keeps_others_waiting_and_is_released_by_what_was_missing(known: Shell[Purse], pool: Pool) -> None:
    await known.hear([Publisher("subscription.payment.v1").record(card("after a failure"))], GROUP)
    behind = await preview(known, INPUTS, event(card("call")))
    assert [(each["disposition"], each["why"]) for each in behind["events"]] == [("parked", "others before it still wait")]
    released = await preview(known, INPUTS, event(failed()))
    assert released["entities"][0]["after"]["version"] == 3
    assert await pool.fetchval("select count(*) from parked") == 1


async def test_nothing_is_stored(known: Shell[Purse], pool: Pool) -> None:
    before = await contents(pool)
    for data in (failed(), card("call"), card("wrong"), card("bug"), card("after a failure"), started()):
        await preview(known, INPUTS, [event(data), event(data, subject="sub_new")])
    assert await contents(pool) == before


async def test_it_waits_for_nobody(known: Shell[Purse], pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select * from purses for update")
        assert (await preview(known, INPUTS, event(failed())))["told"]


async def test_nobody_waits_for_it(known: Shell[Purse], pool: Pool, clock: StillClock) -> None:
    class Watched(Purses):
        """Looks, while the preview's transaction is open, whether another one can have the row."""

        async def load(self, connection: Connection, ids: Sequence[str], *, lock: bool = True) -> dict[str, Entity[Purse]]:
            found = await super().load(connection, ids, lock=lock)
            assert await pool.fetchval("select failed from purses for update nowait") == 0
            await pool.execute("update purses set version = version + 1")
            return found

    seen = await preview(Shell("lifecycle", Toy(), Watched(), clock, pool), INPUTS, event(failed()))
    assert seen["entities"][0]["before"]["version"] == 1


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (None, "send a CloudEvent"),
        ([], "send a CloudEvent"),
        (["x"], "send a CloudEvent"),
        ({"subject": "sub_1"}, "an event without a type is not on a topic that this service reads"),
        ({"type": "offramp.subscription.payment-failed.v1", "subject": "sub_1", "data": {}}, "invalid_data: payment_id: Field required"),
        (event(failed(), subject="a b"), "missing_subject"),
        (event(failed(), time="yesterday"), "bad_time"),
        (event(failed(), time="2025-03-01T12:00:00Z"), "too_old"),
        (event(failed(), time="2027-03-01T12:00:00Z"), "from_the_future"),
        ({"type": "offramp.refund.refund-chased.v1", "subject": "sub_1", "data": {}}, "refund-chased.v1 is not on a topic"),
    ],
)
async def test_what_is_no_event_of_this_service_is_refused_in_words(shell: Shell[Purse], body: object, complaint: str) -> None:
    with pytest.raises(BadPreview) as refused:
        await preview(shell, INPUTS, body)
    assert complaint in str(refused.value)
