"""The account as Postgres keeps it, and what Postgres refuses to keep."""

from datetime import timedelta

import asyncpg
import pytest
from msgspec.structs import replace

from offramp_schemas.refund_provider import ProviderRefundUpdated
from offramp_schemas.refund_request import ForeignRefundExplained, RefundAppealed, RefundSettledManually
from services.refunds.policy import Policy
from services.refunds.states import Account, Refund
from services.refunds.store import QUERIES, RefundStore
from services.runtime.policies import single
from services.runtime.stored import Connection, Entity
from tests.refunds.desk import DAY, MONDAY, SUB, Desk, paid, requested

STORE = RefundStore(single(Policy()))


def entity(desk: Desk, version: int = 1) -> Entity[Account]:
    assert desk.account is not None
    timers = desk.rules.timers(desk.account)
    return Entity(desk.account.subscription_id, version, desk.account, min((each.due_at for each in timers), default=None))


def submitting() -> Desk:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    return desk


async def test_an_account_comes_back_as_it_was_stored(connection: Connection) -> None:
    desk = submitting()
    desk.answer(error="card_not_supported")
    desk.fire()
    desk.answer(id="re_1", status="requires_action")
    await STORE.store(connection, [entity(desk, 7)])
    assert await STORE.load(connection, [SUB, "sub_unknown"]) == {SUB: entity(desk, 7)}
    assert await STORE.known(connection, [SUB, "sub_unknown"]) == {SUB}


async def test_what_people_see_follows_the_state(connection: Connection) -> None:
    desk = submitting()
    await STORE.store(connection, [entity(desk)])
    desk.answer(error="card_not_supported")
    await STORE.store(connection, [entity(desk, 2)])
    desk.fire()
    desk.answer(id="re_1", status="pending")
    await STORE.store(connection, [entity(desk, 3)])
    refund = await connection.fetchrow("select * from refunds")
    attempts = await connection.fetch("select * from refund_attempts order by attempt")
    assert refund is not None
    assert (refund["state"], refund["owner"], refund["email"]) == ("pending", "ops", "ada@example.com")
    assert (refund["deadline_at"], refund["version"]) == (desk.refund.deadline_at, 3)
    assert [(each["idempotency_key"][-2:], each["provider_refund_id"], each["failed_at"] is None) for each in attempts] == [
        (":1", None, False),
        (":2", "re_1", True),
    ]
    assert await connection.fetchval("select reserved_minor from payments") == 4900


def settled_by_hand() -> Desk:
    """The card took nothing, and somebody paid it back another way."""
    desk = submitting()
    for _ in range(3):
        desk.answer(error="card_not_supported")
        desk.fire()
    desk.hear(RefundSettledManually(decided_by="ops_1", settlement_ref="SEPA-7"))
    return desk


async def test_a_refund_that_is_over_keeps_no_address_and_needs_nobody(connection: Connection) -> None:
    desk = settled_by_hand()
    await STORE.store(connection, [entity(desk)])
    row = await connection.fetchrow("select email, owner, next_action_at, settlement_ref from refunds")
    assert row is not None
    assert tuple(row) == (None, None, None, "SEPA-7")


async def test_what_did_not_change_is_not_written_again(connection: Connection) -> None:
    desk = submitting()
    await STORE.store(connection, [entity(desk)])
    before = [await connection.fetchval(f"select xmin::text from {table}") for table in ("payments", "refunds", "refund_attempts")]
    desk.hear(paid("pay_2"))
    await STORE.store(connection, [entity(desk, 2)])
    of_the_old = "select xmin::text from payments where payment_id = 'pay_1'"
    assert [await connection.fetchval(each) for each in (of_the_old, "select xmin::text from refunds")] == before[:2]
    assert await connection.fetchval("select xmin::text from refund_attempts") == before[2]


async def test_accounts_wake_when_they_are_due_the_longest_waiting_first(connection: Connection) -> None:
    later, sooner = entity(submitting()), entity(submitting())
    later.wake_at, sooner.wake_at = MONDAY + DAY, MONDAY
    sooner = renamed(sooner, "sub_0")
    guarded = renamed(entity(Desk.with_a_payment()), "sub_2")
    guarded.wake_at, guarded.guarded_wake_at = None, MONDAY + timedelta(minutes=1)
    await STORE.store(connection, [later, sooner, guarded])
    assert await STORE.due(connection, MONDAY + DAY, None, 10) == ["sub_0", SUB]
    assert await STORE.due(connection, MONDAY + DAY, MONDAY + DAY, 10) == ["sub_0", "sub_2", SUB]
    assert await STORE.due(connection, MONDAY + DAY, MONDAY, 1) == ["sub_0"]
    assert await STORE.next_wake(connection) == MONDAY


def renamed(entity: Entity[Account], name: str) -> Entity[Account]:
    """The same account of another subscription, its payments with it."""
    payments = {f"{name}_{key}": replace(each, payment_id=f"{name}_{key}") for key, each in entity.state.payments.items()}
    state = replace(entity.state, subscription_id=name, payments=payments, refunds={})
    return Entity(name, entity.version, state, entity.wake_at, entity.guarded_wake_at)


async def test_a_payment_belongs_to_one_subscription(connection: Connection) -> None:
    account = Desk.with_a_payment().account
    assert account is not None
    stolen = Entity("sub_9", 1, replace(account, subscription_id="sub_9"))
    await STORE.store(connection, [Entity(SUB, 1, account)])
    with pytest.raises(asyncpg.UniqueViolationError):
        await STORE.store(connection, [stolen])


def with_refund(desk: Desk, refund: Refund) -> Entity[Account]:
    assert desk.account is not None
    desk.account = desk.account.with_refund(refund)
    return entity(desk)


async def test_more_than_was_captured_can_not_be_stored(connection: Connection) -> None:
    desk = submitting()
    with pytest.raises(asyncpg.CheckViolationError, match="never_more_than_captured"):
        await STORE.store(connection, [with_refund(desk, replace(desk.refund, amount_minor=4901))])


async def test_another_currency_than_the_payments_can_not_be_stored(connection: Connection) -> None:
    desk = submitting()
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await STORE.store(connection, [with_refund(desk, replace(desk.refund, currency="USD"))])


async def test_a_second_open_attempt_can_not_be_stored(connection: Connection) -> None:
    desk = submitting()
    second = replace(desk.refund.attempts[0], number=2, key="another")
    with pytest.raises(asyncpg.UniqueViolationError, match="one_open_attempt"):
        await STORE.store(connection, [with_refund(desk, replace(desk.refund, attempts=(*desk.refund.attempts, second)))])


async def test_an_open_refund_without_a_timer_can_not_be_stored(connection: Connection) -> None:
    sleeping = entity(submitting())
    sleeping.wake_at = None
    with pytest.raises(asyncpg.CheckViolationError, match="accounts"):
        await STORE.store(connection, [sleeping])


BROKEN = {
    "no owner": "owner = null",
    "no next action": "next_action_at = null",
    "no deadline": "deadline_at = null",
    "no basis": "basis = null",
    "a withdrawal without its legal date": "legal_due_at = null",
    "a legal date without a withdrawal": "basis = 'goodwill'",
    "a state that DOMAIN has not": "state = 'paid'",
    "settled without a reference": "state = 'settled_manually'",
    "nothing to pay back": "amount_minor = 0",
    "a level above the manager": "escalation = 4",
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=list(BROKEN))
async def test_postgres_refuses_a_refund_with(connection: Connection, change: str) -> None:
    await STORE.store(connection, [entity(submitting())])
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(f"update refunds set {change}")


def with_theirs(desk: Desk, amount_minor: int = 1000) -> Desk:
    """Somebody else gave part of the payment back."""
    desk.hear(ProviderRefundUpdated(provider_refund_id="re_theirs", provider_payment_id="pay_1", provider_event_id="evt_1"))
    desk.answer(refunds=[{"id": "re_theirs", "status": "succeeded", "amount_minor": amount_minor}])
    return desk


async def test_what_somebody_else_gave_back_is_a_row_with_an_owner_until_it_is_explained(connection: Connection) -> None:
    desk = with_theirs(Desk.with_a_payment())
    await STORE.store(connection, [entity(desk)])
    assert await STORE.load(connection, [SUB]) == {SUB: entity(desk)}
    query = "select amount_minor, provider_status, owner, next_action_at, deadline_at from foreign_refunds"
    assert tuple(await connection.fetchrow(query) or ()) == (1000, "succeeded", "ops", MONDAY + DAY, MONDAY + DAY)
    assert await connection.fetchval("select open_cases from accounts") == 1
    assert [tuple(each) for each in await connection.fetch(QUERIES["count_cases"], desk.now)] == [("ops", "no", 1)]
    desk.hear(ForeignRefundExplained(provider_refund_id="re_theirs", decided_by="grace"))
    await STORE.store(connection, [entity(desk, 2)])
    assert tuple(await connection.fetchrow(query) or ()) == (1000, "succeeded", None, None, MONDAY + DAY)
    assert await connection.fetchval("select open_cases from accounts") == 0
    assert await connection.fetchval("select external_minor from payments") == 1000


async def test_a_case_without_a_timer_can_not_be_stored(connection: Connection) -> None:
    sleeping = entity(with_theirs(Desk.with_a_payment()))
    sleeping.wake_at = None
    with pytest.raises(asyncpg.CheckViolationError, match="accounts"):
        await STORE.store(connection, [sleeping])


async def test_theirs_may_come_when_all_is_promised_but_nothing_more_is_promised_then(connection: Connection) -> None:
    desk = Desk.with_a_payment()
    desk.hear(requested(amount_minor=4000))
    await STORE.store(connection, [entity(desk)])
    with_theirs(desk, 4900)
    await STORE.store(connection, [entity(desk, 2)])
    assert tuple(await connection.fetchrow("select reserved_minor, external_minor from payments") or ()) == (4000, 4900)
    with pytest.raises(asyncpg.CheckViolationError, match="4001 reserved and 4900 given back by others are more than 4900 captured") as no:
        await STORE.store(connection, [with_refund(desk, replace(desk.refund, amount_minor=4001))])
    assert no.value.constraint_name == "never_more_than_captured"


async def test_a_version_that_knows_of_no_cases_can_still_write(connection: Connection) -> None:
    await STORE.store(connection, [entity(Desk.with_a_payment())])
    await connection.execute("update accounts set open_cases = null")
    assert await STORE.known(connection, [SUB]) == {SUB}


async def test_an_appeal_changes_by_which_right_and_the_promise(connection: Connection) -> None:
    desk = Desk.with_a_payment()
    desk.now += 31 * DAY
    desk.hear(requested(payment_id="pay_1"))
    await STORE.store(connection, [entity(desk)])
    assert await connection.fetchval("select basis from refunds") is None
    desk.hear(RefundAppealed(request_ref="CAN-1"))
    await STORE.store(connection, [entity(desk, 2)])
    row = await connection.fetchrow("select basis, state, promise_due_at, owner from refunds")
    assert tuple(row or ()) == ("goodwill", "pending_review", desk.refund.promise_due_at, "support")


async def test_a_subscription_is_found_by_the_providers_names(connection: Connection) -> None:
    desk = submitting()
    desk.answer(id="re_1", status="pending")
    await STORE.store(connection, [entity(desk)])
    for refund, charges, found in (("re_1", [], SUB), ("re_x", ["ch_1", "pay_1"], SUB), ("re_x", ["ch_1"], None), ("re_x", [], None)):
        row = await connection.fetchrow(QUERIES["subscription_of"], refund, charges)
        assert (tuple(row)[:2] if row else None) == ((found, "pay_1") if found else None)


@pytest.mark.parametrize("change", ["captured_minor = 0, reserved_minor = 0", "reserved_minor = -1", "external_minor = -1"])
async def test_postgres_refuses_a_payment_with(connection: Connection, change: str) -> None:
    await STORE.store(connection, [entity(Desk.with_a_payment())])
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(f"update payments set {change}")


async def test_the_same_key_or_the_same_provider_refund_can_not_serve_two_attempts(connection: Connection) -> None:
    desk = submitting()
    desk.answer(id="re_1", status="failed")
    await STORE.store(connection, [entity(desk)])
    for column, value in (("idempotency_key", desk.refund.attempts[0].key), ("provider_refund_id", "re_1")):
        values = {"idempotency_key": "'other'", "provider_refund_id": "null"} | {column: f"'{value}'"}
        with pytest.raises(asyncpg.UniqueViolationError, match=column):
            await connection.execute(
                "insert into refund_attempts select refund_id, 2, "
                f"{values['idempotency_key']}, now(), {values['provider_refund_id']}, null, now() from refunds"
            )


async def test_open_refunds_are_counted_by_whose_turn_it_is_and_whether_it_is_late(connection: Connection) -> None:
    desk = submitting()

    async def counted() -> list[tuple[object, ...]]:
        await STORE.store(connection, [entity(desk)])
        return [tuple(row) for row in await connection.fetch(QUERIES["count_open"], desk.now)]

    assert await counted() == [("submitting", "ops", 0, "no", 1)]
    desk.wait(desk.policy.submit_within + timedelta(seconds=1), trouble="unreachable")
    assert await counted() == [("unknown", "ops", 1, "yes", 1)]
    desk.wait(7 * DAY, trouble="unreachable")
    assert await counted() == [("unknown", "ops", 3, "yes", 1)]


async def test_a_refund_that_is_over_is_not_counted(connection: Connection) -> None:
    desk = settled_by_hand()
    await STORE.store(connection, [entity(desk)])
    assert await connection.fetch(QUERIES["count_open"], desk.now) == []
