"""The notifier in the real shell: facts in, one transaction, SMTP, and the mail's fate in the tables and on its way to Kafka."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from dev.mailbox import Mailbox
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import retention_events as retention
from offramp_schemas.email_feedback import MailCaseResolved, Unsubscribed
from services.notifier.render import Renderer
from services.notifier.smtp import MailServer, Postman
from services.notifier.states import Letters
from services.notifier.store import Correspondences
from services.runtime.apply import Shell
from services.runtime.calls import Calls
from services.runtime.stored import Connection, Pool
from tests.notifier.given import NOTIFIER, POLICY, example
from tests.runtime.toy import NOW, Publisher

GROUP = "offramp.notifier.test"


class Clock:
    """Business time stands where the test puts it."""

    time = NOW
    ahead = timedelta(days=1)

    async def now(self, connection: Connection) -> datetime:
        return self.time

    def received(self, appended_at: datetime, now: datetime) -> datetime:
        return appended_at


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with asyncpg.create_pool(database, min_size=1, max_size=4, server_settings={"search_path": "notifier"}) as made:
        yield made


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Mailbox]:
    started = await Mailbox.start(tmp_path / "maildir")
    yield started
    await started.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shell(pool: Pool, clock: Clock) -> Shell[Letters]:
    return Shell("notifier", NOTIFIER, Correspondences(), clock, pool, inputs=1)


async def told(pool: Pool) -> list[str]:
    """What is on its way to Kafka."""
    return [row["type"].split(".")[2] for row in await pool.fetch("select type from outbox order by seq")]


async def test_a_fact_becomes_one_mail_and_a_repeat_none(shell: Shell[Letters], pool: Pool, server: Mailbox) -> None:
    facts = Publisher("lifecycle.events.v1")
    record = facts.record(example(lifecycle.CancellationScheduled))
    await shell.hear([record], GROUP)
    async with MailServer("127.0.0.1", server.port) as mail_server:
        calls = Calls(shell, {"mail": Postman(mail_server, POLICY, Renderer(POLICY))})
        assert await calls.run_once() == 1
        await calls.drain()
        await shell.hear([record], GROUP)
        assert await calls.run_once() == 0
    [mail] = server.messages()
    row = await pool.fetchrow("select * from mails")
    assert row is not None
    assert (row["state"], row["message_id"], row["address"]) == ("sent", mail["Message-ID"], None)
    assert "Reference: CAN-7Q2M4X" in row["rendered"]
    assert await told(pool) == ["email-sent"]
    assert await pool.fetchval("select count(*) from correspondences where wake_at is null and guarded_wake_at is null") == 1


async def test_good_news_in_the_same_batch_suppresses_what_it_overtakes(shell: Shell[Letters], pool: Pool, clock: Clock) -> None:
    facts = Publisher("lifecycle.events.v1")
    failed = example(lifecycle.PaymentPastDue, version=5, invoice_id="in_1")
    paid = example(lifecycle.PaymentRecovered, version=6, invoice_id="in_1")
    await shell.hear([facts.record(failed), facts.record(paid)], GROUP)
    states = {row["template"]: (row["state"], row["reason"]) for row in await pool.fetch("select * from mails")}
    assert states == {"payment_failed": ("suppressed", "recovered"), "payment_recovered": ("queued", None)}
    assert await told(pool) == ["email-suppressed"]


async def test_a_held_mail_leaves_when_its_time_has_come_and_all_has_been_read(shell: Shell[Letters], pool: Pool, clock: Clock) -> None:
    facts = Publisher("lifecycle.events.v1")
    await shell.hear([facts.record(example(lifecycle.PaymentPastDue))], GROUP)
    clock.time = NOW + POLICY.hold_status + timedelta(minutes=1)
    assert await shell.wake() == 0
    await pool.execute("update watermarks set seen_through = $1", clock.time)
    assert await shell.wake() == 1
    assert await pool.fetchval("select count(*) from calls where done_at is null") == 1


async def test_who_unsubscribes_is_told_to_the_account_service_even_before_any_mail(shell: Shell[Letters], pool: Pool) -> None:
    await shell.hear([Publisher("email.feedback.v1").record(example(Unsubscribed, message_id=None))], GROUP)
    await shell.hear([Publisher("lifecycle.events.v1").record(example(retention.RetentionOffered))], GROUP)
    assert await told(pool) == ["marketing-opted-out", "email-suppressed"]
    assert await pool.fetchval("select reason from mails") == "opted_out.unsubscribed"


async def test_an_undeliverable_mail_is_a_case_until_a_person_closes_it(shell: Shell[Letters], pool: Pool, clock: Clock) -> None:
    await shell.hear([Publisher("lifecycle.events.v1").record(example(lifecycle.CancellationScheduled))], GROUP)
    calls = Calls(shell, {"mail": refuse})
    await calls.run_once()
    await calls.drain()
    clock.time = NOW + POLICY.undeliverable.act_within
    assert await shell.wake() == 1
    mail_id = str(await pool.fetchval("select mail_id from mails"))
    await shell.hear([Publisher("email.feedback.v1").record(example(MailCaseResolved, mail_id=mail_id, decided_by="mari"))], GROUP)
    assert await told(pool) == ["email-failed", "alert-raised", "mail-case-overdue", "alert-raised", "mail-case-closed"]
    assert await pool.fetchval("select case_closed_by from mails") == "mari"
    assert await pool.fetchval("select count(*) from correspondences where wake_at is null and open_cases = 0") == 1


async def refuse(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """A mail server that takes nothing."""
    return {"refused": 550}
