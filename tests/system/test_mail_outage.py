"""The mail server is away for an hour, then busy, then slow: every mail leaves once, confirmations first, and what is late is told."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer

from dev.mailbox import Mailbox
from dev.system import System
from offramp_schemas import TOPIC_OF, Contact, Envelope, Event, encode
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.notification_events import AlertRaised, EmailFailed, EmailSent, EmailSuppressed
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.request import CancellationRequested, Requester
from services.notifier.mails import TEMPLATES
from services.runtime.stored import Connection
from tests.system.bad_records import NOW
from tests.system.conftest import audited, events

MINUTE = timedelta(minutes=1)
LEAVING, FAILING, PAYING_LATE, REFUNDED = "sub_leaving_", "sub_failing_", "sub_late", "sub_refunded"
NOBODY = "sub_nobody"


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[System]:
    settings = {"OFFRAMP_RETRY_PAUSE": "0.05", "OFFRAMP_LOOK_EVERY": "0.1"}
    async with System.start(clock="test", begins=NOW, settings=settings) as running:
        yield running


class Shop:
    """Customers who come and go, whatever the mail server does."""

    def __init__(self, system: System, producer: AIOKafkaProducer, tables: Connection) -> None:
        self.system, self.producer, self.tables = system, producer, tables
        self.published = 0

    @property
    def mailbox(self) -> Mailbox:
        return self.system.stack.mailbox

    async def now(self) -> datetime:
        now: datetime = await self.tables.fetchval("select now from notifier.test_clock")
        return now

    async def passes(self, time: timedelta) -> None:
        """So much later, and at rest."""
        await self.system.advance(await self.now() + time)

    async def tell(self, subject: str, *told: Event) -> None:
        for event in told:
            self.published += 1
            envelope = Envelope(f"{subject}-{self.published}", "//shop", await self.now(), subject, event)
            key, value, headers = encode(envelope)
            await self.producer.send_and_wait(TOPIC_OF[type(event)].name, value, key=key, headers=headers)

    async def begin(self, subject: str) -> None:
        """A subscription that has been paid for."""
        now = await self.now()
        await self.tell(
            subject,
            SubscriptionStarted(
                customer_id=f"cus_{subject}", owner_id="usr", contact=Contact(email=f"{subject}@example.com", name="Ada"), plan="pro",
                plan_name="Pro", price_minor=1900, currency="EUR", country="DE", consumer=True, current_period_start=now,
                current_period_end=now + 30 * 24 * 60 * MINUTE, account_created_at=now,
            ),
            PaymentSucceeded(payment_id=f"pay_{subject}", invoice_id="in_0", amount_minor=1900, currency="EUR"),
        )  # fmt: skip

    async def cancel(self, subject: str) -> None:
        await self.tell(subject, CancellationRequested(reference="CAN-1", requested_by=Requester(user_id="usr")))

    async def number(self, name: str) -> float:
        """What the notifier tells Prometheus."""
        async with aiohttp.ClientSession() as session:
            page = await (await session.get(f"{self.system.url('notifier')}/metrics")).text()
        found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
        assert found, f"{name} is not told"
        return float(found[1])

    async def told(self, kind: type[Event]) -> list[Any]:
        """What the notifier said, of one kind."""
        return [envelope.data for _, envelope in await events(self.system.stack.kafka) if isinstance(envelope.data, kind)]


def declined() -> PaymentFailed:
    return PaymentFailed(payment_id="pay_1", invoice_id="in_1", amount_minor=1900, currency="EUR", decline_code="x", kind="soft")


@pytest.fixture(scope="module")
async def shop(system: System, producer: AIOKafkaProducer, tables: Connection) -> Shop:
    """Back from an hour without a mail server; the clock stands five minutes after it."""
    shop = Shop(system, producer, tables)
    leaving, failing = [f"{LEAVING}{n}" for n in range(5)], [f"{FAILING}{n}" for n in range(5)]
    for subject in (*leaving, *failing, PAYING_LATE, REFUNDED):
        await shop.begin(subject)
    await shop.passes(MINUTE)
    await shop.mailbox.go_down()
    for subject in leaving:
        await shop.cancel(subject)
    for subject in (*failing, PAYING_LATE):
        await shop.tell(subject, declined())
    await shop.passes(20 * MINUTE)
    await shop.tell(REFUNDED, RefundRequested(request_ref="R-1", payment_id=f"pay_{REFUNDED}", amount_minor=500))
    await shop.tell(PAYING_LATE, PaymentSucceeded(payment_id="pay_2", invoice_id="in_1", amount_minor=1900, currency="EUR"))
    await shop.passes(20 * MINUTE)
    assert shop.mailbox.messages() == []
    assert await shop.number('offramp_mail_wait_seconds{class="proof"}') == 40 * 60, "half of the promised hour is gone: OfframpProofsLate"
    await shop.passes(20 * MINUTE)
    await shop.mailbox.come_back()
    await shop.passes(5 * MINUTE)
    return shop


async def templates(tables: Connection) -> dict[str, str]:
    """Of each mail, by its Message-ID."""
    return {row["message_id"]: row["template"] for row in await tables.fetch("select message_id, template from notifier.mails")}


async def test_five_minutes_after_the_server_is_back_every_confirmation_is_there(shop: Shop, tables: Connection) -> None:
    known = await templates(tables)
    sent = Counter(known[mail["Message-ID"]] for mail in shop.mailbox.messages())
    assert sent["cancellation_scheduled"] == 5
    assert {TEMPLATES[template] for template in sent} == {"proof"}, "and goes before what was promised to nobody"
    assert await shop.number('offramp_mail_wait_seconds{class="proof"}') == 0


async def test_confirmations_about_one_refund_come_in_their_order(shop: Shop, tables: Connection) -> None:
    known = await templates(tables)
    told = [known[mail["Message-ID"]] for mail in shop.mailbox.messages(f"{REFUNDED}@example.com")]
    assert told == ["refund_received", "refund_approved", "refund_issued"]


async def test_what_came_after_the_promised_hour_is_counted_and_nothing_else(shop: Shop) -> None:
    assert await shop.number('offramp_proofs_late{state="sent"}') == 5
    assert await shop.number('offramp_proofs_late{state="waiting"}') == 0


async def test_nothing_is_lost_nothing_is_doubled_and_nothing_untrue_is_said(shop: Shop, tables: Connection, system: System) -> None:
    await shop.passes(6 * 60 * MINUTE)
    known = await templates(tables)
    arrived = [mail["Message-ID"] for mail in shop.mailbox.messages()]
    assert len(arrived) == len(set(arrived))
    assert sorted(arrived) == sorted(fact.message_id for fact in await shop.told(EmailSent))
    assert Counter(known[each] for each in arrived)["payment_failed"] == 5
    assert [(fact.template, fact.reason) for fact in await shop.told(EmailSuppressed)] == [("payment_failed", "recovered")]
    assert await shop.told(EmailFailed) == []
    assert await tables.fetchval("select count(*) from notifier.mails where state = 'queued'") == 0
    assert {number: here for number, here in (await audited(system)).items() if here} == {}


async def test_a_busy_server_a_slow_one_and_one_that_knows_no_such_address(shop: Shop, tables: Connection, system: System) -> None:
    before = len(shop.mailbox.messages())
    shop.mailbox.refuse("451 4.3.0 Later")
    subjects = [*(f"sub_again_{n}" for n in range(5)), NOBODY]
    for subject in subjects:
        await shop.begin(subject)
    await shop.passes(MINUTE)  # else it would be charged when it is canceled
    for subject in subjects:
        await shop.cancel(subject)
    await shop.passes(10 * MINUTE)
    assert len(shop.mailbox.messages()) == before
    shop.mailbox.behave()
    shop.mailbox.be_slow(0.2)
    shop.mailbox.refuse("550 5.1.1 Nobody", recipient=f"{NOBODY}@example.com")
    await shop.passes(10 * MINUTE)
    arrived = Counter(mail["X-RcptTo"] for mail in shop.mailbox.messages()[before:])
    assert arrived == Counter([*(f"{subject}@example.com" for subject in subjects if subject != NOBODY), "ops@example.com"])
    [failed] = await shop.told(EmailFailed)
    assert (failed.reason, failed.owner, failed.act_by > await shop.now()) == ("refused: 550", "support", True)
    assert [(alert.cause, alert.about) for alert in await shop.told(AlertRaised)] == [("mail_undeliverable", failed.mail_id)]
    assert await shop.number('offramp_mails_open{class="proof",state="undeliverable"}') == 1, "OfframpMailsUndeliverable"
    assert {number: here for number, here in (await audited(system)).items() if here} == {}
