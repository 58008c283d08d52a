"""The one transaction: every record gets exactly one disposition, every event at most one effect."""

from typing import Any

import asyncpg
import pytest

from offramp_schemas import Reason
from offramp_schemas.account import DataDeleted
from offramp_schemas.payment import PaymentMethodUpdated, PaymentSucceeded
from services.runtime.apply import Shell
from services.runtime.queues import Tally
from services.runtime.records import unpack_headers
from services.runtime.stored import Pool
from tests.runtime.toy import NOW, Publisher, Purse, failed, started

GROUP = "offramp.lifecycle.test"


@pytest.fixture
def account() -> Publisher:
    return Publisher("subscription.account.v1")


@pytest.fixture
def payments() -> Publisher:
    return Publisher("subscription.payment.v1")


async def count_failed(pool: Pool, subscription: str = "sub_1") -> int | None:
    failed_so_far: int | None = await pool.fetchval("select failed from purses where id = $1", subscription)
    return failed_so_far


async def test_an_event_changes_its_entity_and_tells_the_world_in_one_transaction(
    shell: Shell[Purse], pool: Pool, account: Publisher, payments: Publisher
) -> None:
    await shell.hear([account.record(started())], GROUP)
    tally = await shell.hear([payments.record(failed(), event_id="evt_1")], GROUP)
    assert tally == Tally(applied=1)
    assert await count_failed(pool) == 1
    row: Any = await pool.fetchrow("select * from outbox")
    headers = dict(unpack_headers(row["headers"]))
    assert (row["topic"], row["type"]) == ("lifecycle.events.v1", "offramp.lifecycle.payment-past-due.v1")
    assert (headers["ce_causationid"], headers["ce_correlationid"], row["record_key"]) == (b"evt_1", b"evt_1", b"sub_1")
    assert b'"version":2' in row["payload"]
    assert b'"state":"full"' in row["payload"]
    history = [tuple(r) for r in await pool.fetch("select version, event, from_state, to_state, facts from transitions order by version")]
    assert history == [(1, "subscription-started", None, "empty", ""), (2, "payment-failed", "empty", "full", "payment-past-due")]


async def test_events_of_one_entity_in_one_batch_fold_in_order_each_with_its_version(
    shell: Shell[Purse], pool: Pool, account: Publisher, payments: Publisher
) -> None:
    await shell.hear([account.record(started())], GROUP)
    await shell.hear([payments.record(failed(n)) for n in range(5)], GROUP)
    assert await count_failed(pool) == 5
    assert [row[0] for row in await pool.fetch("select version from transitions order by version")] == [1, 2, 3, 4, 5, 6]


async def test_the_same_event_twice_is_a_duplicate_in_the_same_batch_and_in_a_later_one(
    shell: Shell[Purse], pool: Pool, account: Publisher, payments: Publisher
) -> None:
    await shell.hear([account.record(started())], GROUP)
    first = await shell.hear([payments.record(failed(), event_id="evt_1"), payments.record(failed(), event_id="evt_1")], GROUP)
    again = await shell.hear([payments.record(failed(), event_id="evt_1")], GROUP)
    assert (first, again) == (Tally(applied=1, duplicate=1), Tally(duplicate=1))
    assert await count_failed(pool) == 1


async def test_the_same_id_with_another_body_is_a_conflict_without_effect(
    shell: Shell[Purse], pool: Pool, account: Publisher, payments: Publisher
) -> None:
    await shell.hear([account.record(started())], GROUP)
    await shell.hear([payments.record(failed(1), event_id="evt_1")], GROUP)
    assert await shell.hear([payments.record(failed(2), event_id="evt_1")], GROUP) == Tally(conflict=1)
    assert await count_failed(pool) == 1
    assert await pool.fetchval("select reason from dead_letters") == "conflict"


async def test_a_poison_record_among_500_dies_alone(shell: Shell[Purse], pool: Pool, account: Publisher, payments: Publisher) -> None:
    await shell.hear([account.record(started())], GROUP)
    batch = [payments.record(failed(n)) for n in range(250)]
    batch.append(payments.raw(b"sub_1", b"\xff not json", [("ce_specversion", b"1.0")]))
    batch += [payments.record(failed(n)) for n in range(251, 500)]
    assert await shell.hear(batch, GROUP) == Tally(applied=499, dead=1)
    assert await count_failed(pool) == 499
    mark: Any = await pool.fetchrow("select next_off, applied, dead from watermarks where topic = 'subscription.payment.v1'")
    assert tuple(mark) == (500, 499, 1)


async def test_a_dead_letter_carries_the_original_and_why_it_died(shell: Shell[Purse], pool: Pool, payments: Publisher) -> None:
    value = b'{"comment": "my card 4111 1111 1111 1111"}'
    await shell.hear([payments.raw(b"\x00key", value, [("odd", b"\xff\x00")])], GROUP)
    row: Any = await pool.fetchrow("select * from outbox")
    headers = dict(unpack_headers(row["headers"]))
    assert (row["topic"], row["record_key"]) == ("lifecycle.dead-letters.v1", b"\x00key")
    assert row["payload"] == b'{"comment": "my card [card number removed]"}'
    assert headers["odd"] == b"\xff\x00"
    assert headers["dlq.topic"] == b"subscription.payment.v1"
    assert (headers["dlq.offset"], headers["dlq.partition"], headers["dlq.consumer-group"]) == (b"0", b"0", GROUP.encode())
    assert (headers["dlq.reason"], headers["dlq.error-class"], headers["dlq.redacted"]) == (b"not_a_cloudevent", b"poison", b"true")
    stored: Any = await pool.fetchrow("select owner, next_action_at, redacted, value from dead_letters")
    assert stored["owner"] == "ops"
    assert stored["next_action_at"] > NOW
    assert stored["redacted"]
    assert b"4111" not in stored["value"]


async def test_a_rule_with_a_bug_kills_its_event_and_no_other(
    shell: Shell[Purse], pool: Pool, account: Publisher, payments: Publisher
) -> None:
    await shell.hear([account.record(started())], GROUP)
    batch = [
        payments.record(failed(1)),
        payments.record(PaymentMethodUpdated(card_brand="bug"), event_id="evt_bug"),
        payments.record(failed(2)),
    ]
    assert await shell.hear(batch, GROUP) == Tally(applied=2, dead=1)
    assert await count_failed(pool) == 2
    assert await pool.fetchval("select reason from dead_letters") == Reason.RULE_FAILED
    assert await pool.fetchval("select disposition from inbox where event_id = 'evt_bug'") == "dead"


async def test_refused_ignored_and_unrouted_events_change_nothing(
    shell: Shell[Purse], pool: Pool, account: Publisher, payments: Publisher
) -> None:
    await shell.hear([account.record(started()), account.record(DataDeleted(), event_id="evt_unrouted")], GROUP)
    paid = PaymentSucceeded(payment_id="p", invoice_id="i", amount_minor=1, currency="EUR")
    batch = [
        payments.record(PaymentMethodUpdated(card_brand="wrong"), event_id="evt_refused"),
        payments.record(paid, event_id="evt_ignored"),
    ]
    assert await shell.hear(batch, GROUP) == Tally(ignored=1, dead=1)
    dispositions = dict(await pool.fetch("select event_id, disposition from inbox where event_id like 'evt_%'"))
    assert dispositions == {"evt_unrouted": "ignored", "evt_refused": "dead", "evt_ignored": "ignored"}
    assert await pool.fetchval("select version from purses") == 1


async def test_replaying_a_topic_from_the_start_changes_nothing(
    shell: Shell[Purse], pool: Pool, account: Publisher, payments: Publisher
) -> None:
    await shell.hear([account.record(started())], GROUP)
    batch = [payments.record(failed(1)), payments.raw(None, None), payments.record(PaymentMethodUpdated(card_brand="wrong"))]
    await shell.hear(batch, GROUP)
    before = await pool.fetchval("select count(*) from outbox"), await pool.fetchval("select version from purses")
    assert await shell.hear(batch, GROUP) == Tally(duplicate=2, dead=1)
    assert before == (await pool.fetchval("select count(*) from outbox"), await pool.fetchval("select version from purses"))
    assert await pool.fetchval("select count(*) from dead_letters") == 2


async def test_a_transaction_that_fails_leaves_no_trace(shell: Shell[Purse], pool: Pool, account: Publisher, payments: Publisher) -> None:
    await shell.hear([account.record(started())], GROUP)
    poisoned = [
        payments.record(failed(1)),
        payments.record(failed(2, weight=100)),
        *(payments.record(failed(n, weight=100)) for n in range(9)),
    ]
    with pytest.raises(asyncpg.CheckViolationError):
        await shell.hear(poisoned, GROUP)
    assert await pool.fetchval("select count(*) from inbox") == 1
    assert await pool.fetchval("select count(*) from outbox") == 0


async def test_an_event_older_than_the_memory_or_from_the_future_is_not_applied_by_accident(
    shell: Shell[Purse], pool: Pool, account: Publisher
) -> None:
    old = account.record(started(), time=NOW.replace(year=2025))
    ahead = account.record(started(), time=NOW.replace(year=2036))
    assert await shell.hear([old, ahead], GROUP) == Tally(dead=2)
    assert {row[0] for row in await pool.fetch("select reason from dead_letters")} == {"too_old", "from_the_future"}
    assert await count_failed(pool) is None
