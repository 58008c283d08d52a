"""What the tables say, laid out by hand: refunds, dead letters, mails."""

import json
from typing import Any

import asyncpg
import pytest

from services.console import screen, settings
from services.console.database import Database
from tests.console.conftest import Offramp

REFUND, LATE, MAIL = "c0a8f6a2-6f0b-5d3e-9a41-7be1c1d7a2f4", "c0a8f6a2-6f0b-5d3e-9a41-7be1c1d7a2f5", "5f0c8a52-8f0e-5b1c-9a59-3c1d3f6b7f10"
PLACE = "subscription.payment.v1[2]@17"
ROWS = f"""
insert into lifecycle.test_clock(now) values('2026-03-12 12:00Z');
insert into refunds.policies values(1, 'x', '{{}}', '2026-01-01Z');
insert into refunds.accounts(subscription_id, version, country, consumer, open_refunds, wake_at, details)
  values('sub_anna', 3, 'IE', true, 2, '2026-03-12 14:00Z', '{{}}');
insert into refunds.payments(payment_id, subscription_id, provider_payment_id, currency, captured_minor, captured_at)
  values('pay_1', 'sub_anna', 'pi_1', 'EUR', 4900, '2026-03-01Z');
insert into refunds.refunds(refund_id, payment_id, currency, subscription_id, request_ref, amount_minor, basis, policy_version, version,
  locale, state, informed_at, promise_due_at, told_due_at, owner, next_action_at, deadline_at) values
  ('{REFUND}', 'pay_1', 'EUR', 'sub_anna', 'CAN-1', 2000, 'guarantee', 1, 3, 'en', 'pending', '2026-03-10 12:00Z', '2026-03-12 14:00Z',
   '2026-03-12 14:00Z', 'ops', '2026-03-12 14:00Z', '2026-03-17 14:00Z'),
  ('{LATE}', 'pay_1', 'EUR', 'sub_anna', 'CAN-2', 500, 'guarantee', 1, 3, 'en', 'unknown', '2026-03-10 12:00Z', '2026-03-12 11:00Z',
   '2026-03-12 11:00Z', 'ops', '2026-03-12 11:00Z', '2026-03-12 11:00Z');
insert into refunds.calls(idempotency_key, entity_id, kind, request, correlationid, asked_at, attempts, done_at, outcome)
  values('refund:{REFUND}:1', 'sub_anna', 'create refund', '{{}}', 'evt-1', '2026-03-10 12:01Z', 2, now(), 'answered');
insert into lifecycle.dead_letters(topic, part, off, key, value, headers, source, event_id, reason, error_class, message, attempts,
  first_failed_at, owner, next_action_at) values('subscription.payment.v1', 2, 17, 'sub_anna', '{{"amount_minor": 0}}', '[]', 'billing',
  'evt-7', 'invalid_data', 'poison', 'amount_minor: Input should be greater than 0', 1, '2026-03-12 10:00Z', 'ops', '2026-03-13 10:00Z');
insert into notifier.mails(mail_id, subscription_id, entity_id, version, template, locale, rendered, recipient_hash, class, state, tries,
  due_by, closed_at, message_id) values('{MAIL}', 'sub_anna', '{REFUND}', 3, 'refund-received', 'en', 'Subject: We have your request',
  'x', 'proof', 'sent', 1, '2026-03-10 12:05Z', '2026-03-10 12:00:02Z', '<1@offramp.example>');
"""


@pytest.fixture(autouse=True)
async def _rows(tables: "asyncpg.Connection[Any]") -> None:
    await tables.execute(ROWS)


async def test_open_refunds_say_whose_turn_it_is_and_by_when(offramp: Offramp) -> None:
    said = await offramp("refunds")
    row = next(line for line in said.out.splitlines() if REFUND in line)
    for expected in ("sub_anna", "pending", "20.00 EUR", "ops", "in 2h", "2026-03-17 14:00", "2d"):
        assert expected in row
    assert "2 open, 1 overdue" in said.out
    assert said.status == 0


async def test_a_row_is_whole_however_narrow_the_terminal(offramp: Offramp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen.out, "width", 40)
    for command, name, last in ((("refunds",), REFUND, "2d"), (("dead-letters", "list"), PLACE, "greater than 0")):
        row = next(line for line in (await offramp(*command)).out.splitlines() if name in line)
        assert row.endswith(last)


async def test_overdue_refunds_alone_and_a_status_that_a_script_can_ask_for(offramp: Offramp) -> None:
    said = await offramp("refunds", "--overdue")
    assert (LATE in said.out, REFUND in said.out, said.status) == (True, False, 1)


async def test_a_refund_that_somebody_else_made_is_listed_until_it_is_explained(
    offramp: Offramp, tables: "asyncpg.Connection[Any]"
) -> None:
    await tables.execute(
        "insert into refunds.foreign_refunds values('pay_1', 're_77', 'sub_anna', 'EUR', 900, 'succeeded', '2026-03-11 12:00Z', 'ops', "
        "'2026-03-12 11:30Z', '2026-03-12 11:30Z')"
    )
    said = await offramp("refunds", "--overdue")
    row = next(line for line in said.out.splitlines() if "re_77" in line)
    for expected in ("sub_anna", "foreign", "9.00 EUR", "ops", "2026-03-12 11:30", "1d"):
        assert expected in row
    assert "2 overdue" in said.out
    await tables.execute("update refunds.foreign_refunds set owner = null, next_action_at = null")
    assert "re_77" not in (await offramp("refunds")).out


async def test_refunds_are_json_for_programs(offramp: Offramp) -> None:
    rows = json.loads((await offramp("refunds", "--json")).out)
    assert {row["refund_id"] for row in rows} == {REFUND, LATE}


@pytest.mark.parametrize("name", [REFUND, "CAN-1"])
async def test_a_refund_is_shown_by_its_id_or_its_reference(offramp: Offramp, name: str) -> None:
    shown = (await offramp("show", name)).out
    for expected in (
        f"refund {REFUND}  pending  20.00 EUR",
        "create refund: answered",
        "2 tries",
        "refund-received",
        f"offramp show {MAIL}",
    ):
        assert expected in shown
    assert LATE not in shown


async def test_whoever_decides_sees_what_the_customer_says_and_who_approved_it_before(
    offramp: Offramp, tables: "asyncpg.Connection[Any]"
) -> None:
    stage = {"state": "pending_review", "approvals_needed": 2, "approved_by": ["grace"], "comment": "it never worked\nfor me"}
    await tables.execute("update refunds.accounts set details = $1", json.dumps({"refunds": {REFUND: {"stage": stage}}}))
    shown = " ".join((await offramp("show", REFUND)).out.split())
    assert "approved by grace comment it never worked for me" in shown


async def test_a_mail_is_shown_with_its_text(offramp: Offramp) -> None:
    shown = (await offramp("show", MAIL)).out
    for expected in (f"mail {MAIL}  sent", "refund-received (proof, en)", "Subject: We have your request"):
        assert expected in shown


async def test_what_nobody_knows_is_told(offramp: Offramp) -> None:
    said = await offramp("show", "sub_nobody")
    assert (said.status, "nobody knows 'sub_nobody'" in said.out) == (1, True)


async def test_a_story_is_one_json_document_for_programs(offramp: Offramp) -> None:
    story = json.loads((await offramp("show", "sub_anna", "--json")).out)
    assert [each["verb"] for each in story["timeline"]] == ["mail sent", "call", "dead letter", "timer", "timer"]


async def test_dead_letters_name_place_reason_and_owner(offramp: Offramp) -> None:
    row = next(line for line in (await offramp("dead-letters", "list")).out.splitlines() if PLACE in line)
    for expected in ("lifecycle", "sub_anna", "invalid_data", "ops, in 22h", "Input should be greater than 0"):
        assert expected in row


async def test_a_dead_letter_is_shown_with_its_value(offramp: Offramp) -> None:
    shown = (await offramp("dead-letters", "show", PLACE)).out
    for expected in (f"{PLACE}  lifecycle  invalid_data (poison)", "open, ops's", "evt-7", '{"amount_minor": 0}'):
        assert expected in shown


async def test_a_dead_letter_that_is_not_there_is_told(offramp: Offramp) -> None:
    said = await offramp("dead-letters", "redrive", "subscription.payment.v1[2]@18")
    assert (said.status, "there is no dead letter at subscription.payment.v1[2]@18" in said.out) == (1, True)


async def test_a_resolved_one_is_not_resolved_again(offramp: Offramp, tables: "asyncpg.Connection[Any]") -> None:
    await tables.execute("update lifecycle.dead_letters set resolved_at = now(), resolution = 'discarded', next_action_at = null")
    said = await offramp("dead-letters", "discard", PLACE, "--note", "ours")
    assert (said.status, "was resolved before" in said.out) == (1, True)
    assert "No dead letter is open." in (await offramp("dead-letters", "list")).out
    assert PLACE in (await offramp("dead-letters", "list", "--all")).out


async def test_resolving_needs_the_service_and_says_where_it_was_looked_for(offramp: Offramp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_LIFECYCLE_URL", "http://127.0.0.1:1")
    said = await offramp("dead-letters", "redrive", PLACE)
    assert (said.status, "no service answers at http://127.0.0.1:1/dead-letters/subscription.payment.v1/2/17/redrive" in said.out) == (
        1,
        True,
    )


async def test_the_console_never_writes() -> None:
    async with Database(settings.load()) as database:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await database._connections["lifecycle"].execute("delete from dead_letters")
