"""The views that reports stand on, over histories laid out by the real rules: who comes, goes and stays, refunds, dunning, mails."""

import csv
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from offramp_schemas import TOPIC_OF, Contact, Event
from offramp_schemas.account import SubscriptionChanged, SubscriptionStarted
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.request import CancellationRequested, CancellationWithdrawn, Requester
from services.console import settings
from services.lifecycle.service import build
from services.runtime import migrations, postgres
from services.runtime.apply import Shell
from services.runtime.clock import TestClock
from services.runtime.prepare import SERVICES, prepare_database
from tests.console.conftest import Offramp
from tests.runtime.toy import Publisher

START = datetime(2026, 1, 10, 9, tzinfo=UTC)
DAY = timedelta(days=1)
OWNER = Requester(user_id="usr_1")
Told = tuple[float, str, Event]
Story = Callable[..., Awaitable[None]]


def started(price_minor: int = 4900, plan: str = "pro", interval: Any = "month", **more: Any) -> SubscriptionStarted:
    return SubscriptionStarted(
        customer_id="cus_1", owner_id="usr_1", contact=Contact(email="ada@example.com", name="Ada"), plan=plan, plan_name=plan.title(),
        price_minor=price_minor, currency="EUR", country="US", consumer=True, interval=interval, **more,
    )  # fmt: skip


def changed(price_minor: int = 4900, plan: str = "pro", **more: Any) -> SubscriptionChanged:
    return SubscriptionChanged.model_validate(started(price_minor, plan, **more).model_dump())


def leave(feedback: tuple[Any, ...] = (), mode: Any = "immediately", reference: str = "CAN-1") -> CancellationRequested:
    return CancellationRequested(reference=reference, requested_by=OWNER, mode=mode, feedback=feedback)


def failed(number: str) -> PaymentFailed:
    return PaymentFailed(
        payment_id=f"pay_{number}", invoice_id=f"in_{number}", amount_minor=4900, currency="EUR", decline_code="x", kind="soft"
    )


def paid(number: str) -> PaymentSucceeded:
    return PaymentSucceeded(payment_id=f"pay_{number}_2", invoice_id=f"in_{number}", amount_minor=4900, currency="EUR")


@pytest.fixture
async def tables(database: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OFFRAMP_POSTGRES", database)
    connection = await asyncpg.connect(database)
    await prepare_database(connection, {}, test_clock=True)
    yield connection
    await connection.close()


@pytest.fixture
async def story(tables: "asyncpg.Connection[Any]") -> Any:
    """Lets lifecycle live through what is told, day by day from the start, with its timers."""
    pool = await postgres.pool(settings.load(), "lifecycle")
    async with pool.acquire() as connection:
        service = await build(settings.load(), connection)
    shell = Shell("lifecycle", service.decider, service.tables, TestClock(), pool)

    async def at(days: float) -> None:
        now = START + days * DAY
        for schema in SERVICES:
            await tables.execute(f"update {schema}.test_clock set now = $1", now)
        await tables.execute("update lifecycle.watermarks set seen_through = $1", now)

    async def tell(*told: Told, until: float) -> None:
        waiting = sorted(told, key=lambda each: each[0])
        day = 0.0
        while day <= until:
            await at(day)
            while waiting and waiting[0][0] <= day:
                _, subscription, event = waiting.pop(0)
                publisher, id_ = Publisher(TOPIC_OF[type(event)].name), f"{subscription}-{len(waiting)}"
                record = publisher.record(event, subscription, id_, START + day * DAY)
                await shell.hear([record], "offramp.test")
                await tables.execute("update lifecycle.watermarks set seen_through = $1", START + day * DAY)
            while await shell.wake():
                pass
            day += 1

    yield tell
    await pool.close()


def row(text: str, first: str) -> list[str]:
    """The cells of a line of a table."""
    return next(line.split("  ") for line in text.splitlines() if line.startswith(first) and "#" not in line) if first else []


def cells(text: str, first: str) -> list[str]:
    return [cell.strip() for cell in row(text, first) if cell.strip()]


async def test_net_growth_stands_beside_churn_by_who_wanted_it(story: Story, offramp: Offramp) -> None:
    await story(
        (0, "sub_stays", started()), (0, "sub_leaves", started()), (0, "sub_fails", started()), (30, "sub_new", started(plan="team")),
        (0, "sub_free", started(0)), (2, "sub_free", leave()),
        (25, "sub_leaves", leave(("too_expensive", "unused"))), (8, "sub_fails", failed("f")),
        until=40,
    )  # fmt: skip
    said = (await offramp("report", "churn")).out
    assert cells(said, "2026-01") == ["2026-01", "0", "3", "0", "0", "1", "+2", "-", "49.00 EUR", "-"]  # the 26th: dunning is over
    assert cells(said, "2026-02") == ["2026-02", "2", "1", "0", "1", "0", "0", "50.0 %", "49.00 EUR", "-"]
    assert cells(said, "voluntary") == ["voluntary", "requested", "too_expensive", "1", "49.00 EUR"]
    assert cells(said, "involuntary") == ["involuntary", "payment_failed", "-", "1", "49.00 EUR"]
    assert cells(said, "team") == ["team", "1", "0", "0", "0", "0.00 EUR"]
    assert "2026-01  2  ########################################" in said


async def test_what_was_saved_is_told_beside_what_was_lost(story: Story, offramp: Offramp) -> None:
    undone = CancellationWithdrawn(reference="WDR-1", requested_by=OWNER)
    period: dict[str, Any] = {"current_period_end": START + 300 * DAY}
    await story(
        (0, "sub_back", started(12000, interval="year", **period)), (3, "sub_back", leave(mode="at_period_end")), (5, "sub_back", undone),
        (0, "sub_paid", started()), (6, "sub_paid", failed("p")), (9, "sub_paid", paid("p")),
        until=10,
    )  # fmt: skip
    said = (await offramp("report", "churn")).out
    assert cells(said, "2026-01")[-1] == "59.00 EUR"  # a twelfth of the year, and a month


async def test_cohorts_say_who_is_still_there(story: Story, offramp: Offramp) -> None:
    await story((0, "sub_1", started()), (0, "sub_2", started()), (30, "sub_2", leave()), until=60)
    said = (await offramp("report", "churn")).out
    assert cells(said.partition("Still there")[2], "2026-01") == ["2026-01", "2", "100.0 %", "50.0 %", "50.0 %"]


async def test_an_older_month_is_counted_at_the_plan_and_price_of_then(story: Story, offramp: Offramp) -> None:
    await story(
        (0, "sub_1", started()), (3, "sub_1", leave(mode="at_period_end")),
        (5, "sub_1", CancellationWithdrawn(reference="WDR-1", requested_by=OWNER)),
        (35, "sub_1", changed(9900, "team")), (36, "sub_1", failed("x")), (38, "sub_1", paid("x")),
        (65, "sub_1", changed(120_000, "team", interval="year")), (66, "sub_1", leave(reference="CAN-2")),
        until=70,
    )  # fmt: skip
    said = (await offramp("report", "churn")).out
    assert cells(said, "2026-01")[-2:] == ["-", "49.00 EUR"]
    assert cells(said, "2026-02")[-2:] == ["-", "99.00 EUR"]
    assert cells(said, "2026-03")[-2:] == ["100.00 EUR", "-"]
    assert cells(said, "pro ") == ["pro", "1", "0", "0", "0", "0.00 EUR"]
    assert cells(said, "team ") == ["team", "0", "0", "1", "0", "100.00 EUR"]


async def test_who_began_for_free_is_a_customer_since_they_pay(story: Story, offramp: Offramp) -> None:
    await story((0, "sub_1", started(0, "free")), (30, "sub_1", changed(4900)), (60, "sub_1", leave()), until=61)
    said = (await offramp("report", "churn")).out
    assert cells(said, "2026-02")[:3] == ["2026-02", "0", "1"]
    assert cells(said, "2026-03")[:6] == ["2026-03", "1", "0", "0", "1", "0"]


async def test_a_subscription_of_before_terms_were_kept_begins_with_those_of_the_upgrade(database: str) -> None:
    connection = await asyncpg.connect(database, server_settings={"search_path": "lifecycle"})
    await migrations.migrate(connection, "lifecycle", [each for each in migrations.of("lifecycle") if "terms" not in each.name])
    await connection.execute(
        "insert into subscriptions(subscription_id, version, state, customer_id, plan, price_minor, currency, wake_at, details) "
        """values('sub_1', 7, 'active', 'cus_1', 'pro', 12000, 'EUR', now(), '{"facts":{"interval":"year"}}')"""
    )
    await migrations.migrate(connection, "lifecycle")
    await connection.execute("update subscriptions set version = 8, price_minor = 24000")
    terms = await connection.fetch("select from_version, plan, currency, monthly_minor from subscription_terms order by 1")
    await connection.close()
    assert [tuple(each) for each in terms] == [(1, "pro", "EUR", 1000), (8, "pro", "EUR", 2000)]


async def test_a_plan_and_a_time_can_be_chosen(story: Story, offramp: Offramp) -> None:
    await story((0, "sub_1", started()), (0, "sub_2", started(plan="team")), (5, "sub_1", leave()), until=10)
    said = (await offramp("report", "churn", "--plan", "team", "--since", "2026-01-01", "--until", "2026-02-01")).out
    assert cells(said, "2026-01")[:6] == ["2026-01", "0", "1", "0", "0", "0"]
    refused = await offramp("report", "churn", "--since", "2026-02-01", "--until", "2026-01-01")
    assert (refused.status, "--since must be before --until" in refused.out) == (1, True)


async def test_the_rows_behind_it_are_for_a_spreadsheet_and_name_nobody(story: Story, offramp: Offramp) -> None:
    await story((0, "sub_1", started(plan="=cmd()")), (5, "sub_1", leave(("unused",))), until=6)
    said = (await offramp("report", "churn", "--csv")).out
    rows = list(csv.DictReader(said.splitlines()))
    assert [(each["movement"], each["kind"], each["reason"], each["plan"]) for each in rows] == [
        ("new", "", "", "'=cmd()"), ("lost", "voluntary", "requested", "'=cmd()"),
    ]  # fmt: skip
    assert "@" not in said


async def test_dunning_is_told_by_the_step_that_it_had_reached(story: Story, offramp: Offramp) -> None:
    await story(
        (0, "sub_soon", started()), (1, "sub_soon", failed("s")), (3.5, "sub_soon", paid("s")),
        (0, "sub_late", started()), (1, "sub_late", failed("l")),
        (0, "sub_open", started()), (11, "sub_open", failed("o")),
        until=12,
    )  # fmt: skip
    said = (await offramp("report", "dunning")).out
    assert cells(said, "1 ") == ["1", "1", "0", "0", "1", "50.0 %"]
    assert cells(said, "4 ") == ["4", "0", "1", "0", "0", "0.0 %"]


REFUNDS = """
insert into refunds.policies values(1, 'x', '{}', '2026-01-01Z');
insert into refunds.accounts(subscription_id, version, country, consumer, open_refunds, wake_at, details) values('sub_1', 3, 'IE', true, 2,
  '2026-03-12Z', '{"customer": {"plan_name": "Pro"}, "refunds": {"c0a8f6a2-6f0b-5d3e-9a41-7be1c1d7a2f6":
    {"attempts": [{"issued_at": "2026-02-27T00:00:00Z", "failed_at": "2026-02-27T01:00:00Z"},
                  {"issued_at": "2026-03-01T00:00:00Z", "failed_at": null}]}}}');
insert into refunds.payments(payment_id, subscription_id, provider_payment_id, currency, captured_minor, captured_at)
  values('pay_1', 'sub_1', 'pi_1', 'EUR', 4900, '2026-03-01Z');
insert into refunds.refunds(refund_id, payment_id, currency, subscription_id, request_ref, amount_minor, basis, policy_version, version,
  locale, state, informed_at, promise_due_at, told_due_at, owner, next_action_at, deadline_at) values
  ('c0a8f6a2-6f0b-5d3e-9a41-7be1c1d7a2f4', 'pay_1', 'EUR', 'sub_1', 'A', 2000, 'guarantee', 1, 3, 'en', 'pending_review',
   '2026-03-12 01:00Z', '2026-03-14Z', '2026-03-14Z', 'support', '2026-03-13Z', '2026-03-13Z'),
  ('c0a8f6a2-6f0b-5d3e-9a41-7be1c1d7a2f5', 'pay_1', 'EUR', 'sub_1', 'B', 500, 'guarantee', 1, 3, 'en', 'unknown', '2026-03-09Z',
   '2026-03-11Z', '2026-03-11Z', 'ops', '2026-03-11Z', '2026-03-11Z'),
  ('c0a8f6a2-6f0b-5d3e-9a41-7be1c1d7a2f6', 'pay_1', 'EUR', 'sub_1', 'C', 300, 'guarantee', 1, 3, 'en', 'closed', '2026-02-27Z',
   '2026-03-03Z', '2026-03-03Z', null, null, null);
update lifecycle.test_clock set now = '2026-03-12 12:00Z';
"""


async def test_open_refunds_are_told_by_age_against_promise_and_deadline(tables: "asyncpg.Connection[Any]", offramp: Offramp) -> None:
    await tables.execute(REFUNDS)
    said = (await offramp("report", "refunds")).out
    assert cells(said, "under 1 day") == ["under 1 day", "1", "20.00 EUR", "0", "0", "2026-03-13 00:00"]
    assert cells(said, "2 to 5 days") == ["2 to 5 days", "1", "5.00 EUR", "1", "1", "2026-03-11 00:00"]
    assert cells(said, "2026-02") == ["2026-02", "1", "3.00 EUR", "0", "1", "0", "0"]
    assert cells(said, "2026-03") == ["2026-03", "2", "25.00 EUR", "0", "0", "0", "2"]
    assert len((await offramp("report", "refunds", "--plan", "Pro", "--csv")).out.splitlines()) == 4


MAILS = """
insert into notifier.mails(mail_id, subscription_id, entity_id, version, template, locale, recipient_hash, class, state, reason, tries,
  owner, act_by, due_by, closed_at, message_id) values
  (gen_random_uuid(), 's', 'a', 1, 'ended', 'en', 'x', 'proof', 'sent', null, 1, null, null, now(), '2026-03-10Z', '1'),
  (gen_random_uuid(), 's', 'b', 1, 'ended', 'en', 'x', 'proof', 'undeliverable', 'bounced', 1, 'support', now(), now(),
   '2026-03-10Z', '2'),
  (gen_random_uuid(), 's', 'c', 1, 'payment_failed', 'en', 'x', 'status', 'suppressed', 'recovered', 0, null, null, now(),
   '2026-03-10Z', '3'),
  (gen_random_uuid(), 's', 'd', 1, 'alert', 'en', 'x', 'proof', 'sent', null, 1, null, null, now(), '2026-03-10Z', '4'),
  (gen_random_uuid(), 's', 'e', 1, 'ended', 'en', 'x', 'proof', 'sent', null, 9, null, null, now(), '2026-03-10Z', '5');
update notifier.mails set since = closed_at - interval '61 minutes', promised_by = closed_at - interval '1 minute' where message_id = '5';
update lifecycle.test_clock set now = '2026-03-12 12:00Z';
"""


async def test_mails_are_told_by_what_became_of_them(tables: "asyncpg.Connection[Any]", offramp: Offramp) -> None:
    await tables.execute(MAILS)
    said = (await offramp("report", "mails")).out
    assert cells(said, "ended ") == ["ended", "proof", "2", "1", "0", "1", "0", "0"]
    assert cells(said, "payment_failed") == ["payment_failed", "status", "0", "0", "1", "0", "0", "0"]
    assert cells(said, "suppressed") == ["suppressed", "recovered", "1"]
    assert "alert" not in said
    assert len((await offramp("report", "mails", "--csv")).out.splitlines()) == 4
    assert (await offramp("report", "mails", "--plan", "pro")).status == 1


async def test_the_command_lines_own_role_may_read_the_views_and_a_service_can_not_change_history_through_them(
    tables: "asyncpg.Connection[Any]",
) -> None:
    views = ("lifecycle.report_subscriptions", "lifecycle.report_facts", "lifecycle.report_movements", "lifecycle.report_dunnings")
    for view in (*views, "refunds.report_refunds", "notifier.report_mails"):
        assert await tables.fetchval("select has_table_privilege('offramp_console', $1, 'select')", view)
    changeable = "select table_name from information_schema.views where is_updatable = 'YES' and table_schema = 'lifecycle'"
    assert await tables.fetch(changeable) == []
