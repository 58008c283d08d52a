"""What is measured with: events of the contract, and the same ones in the yardsticks' own simple shape."""

import json
import random
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from offramp_schemas import TOPIC_OF, Contact, Envelope, Event, encode, examples
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.refund_events import RefundApproved, RefundIssued, RefundReceived

SUBSCRIPTIONS = 20_000
LANGUAGES = ("en", "bg", "et", "tr", "fr", "es")
REFUND_MAILS = tuple(examples.load(kind) for kind in (RefundReceived, RefundApproved, RefundIssued))
FEW = 5_000
YARDSTICK_EVENTS, YARDSTICK_OUT = "yardstick.events", "yardstick.out"


@asynccontextmanager
async def producer(kafka: str, linger_ms: int = 5) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent one that batches."""
    made = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, linger_ms=linger_ms, max_batch_size=262_144)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def publish(kafka: str, events: Iterable[tuple[str, Event]]) -> None:
    """Publishes (subscription, event) in order, as they would come from billing or the web."""
    async with producer(kafka) as sending:
        for subscription, event in events:
            key, value, headers = encode(Envelope(uuid.uuid4().hex, "//bench", datetime.now(UTC), subscription, event))
            await sending.send(TOPIC_OF[type(event)].name, value, key=key, headers=headers)
        await sending.flush()


def name_of(number: int) -> str:
    """The id of one subscription."""
    return f"sub_{number:06d}"


def started(count: int = SUBSCRIPTIONS) -> Iterable[tuple[str, Event]]:
    """Paying customers in the middle of their month."""
    now = datetime.now(UTC)
    for number in range(count):
        yield (
            name_of(number),
            SubscriptionStarted(
                customer_id=f"cus_{number}", owner_id=f"usr_{number}", contact=Contact(email=f"c{number}@example.com", name="Ada"),
                plan="pro", plan_name="Pro", price_minor=1999, currency="EUR", country="DE", consumer=True,
                current_period_start=now - timedelta(days=3), current_period_end=now + timedelta(days=27),
            ),
        )  # fmt: skip


def failed(count: int, subscriptions: int = SUBSCRIPTIONS) -> Iterable[tuple[str, Event]]:
    """Declined charges, each of an invoice of its own, spread over the subscriptions by chance (the same one every time)."""
    chance = random.Random(7)
    for number in range(count):
        yield (
            name_of(chance.randrange(subscriptions)),
            PaymentFailed(
                payment_id=f"pay_{number}", invoice_id=f"in_{number}", amount_minor=1999, currency="EUR",
                decline_code="insufficient_funds", kind="soft", card_brand="Visa", card_last4="4242",
            ),
        )  # fmt: skip


def retried(count: int, subscriptions: int = FEW) -> Iterable[tuple[str, Event]]:
    """Declined charges of one invoice for each subscription, tried again and again."""
    for number in range(count):
        yield (
            name_of(number % subscriptions),
            PaymentFailed(
                payment_id=f"pay_{number}", invoice_id=f"in_{number % subscriptions}", amount_minor=1999, currency="EUR",
                decline_code="insufficient_funds", kind="soft", attempt=min(100, 1 + number // subscriptions),
            ),
        )  # fmt: skip


def paid(count: int) -> Iterable[tuple[str, Event]]:
    """A payment of the current period for each subscription."""
    now = datetime.now(UTC)
    for number in range(count):
        yield (
            name_of(number),
            PaymentSucceeded(
                payment_id=f"pay_{number}", invoice_id=f"in_{number}", amount_minor=1999, currency="EUR",
                period_start=now - timedelta(days=3), period_end=now + timedelta(days=27),
            ),
        )  # fmt: skip


def refunded(count: int) -> Iterable[tuple[str, Event]]:
    """What refunds says of so many refunds, each of another customer: three facts, and a mail for each."""
    told_due_at = datetime.now(UTC) + timedelta(days=2)
    for number in range(count):
        contact = Contact(email=f"c{number}@example.com", name="Ada", locale=LANGUAGES[number % len(LANGUAGES)])
        for version, fact in enumerate(REFUND_MAILS, 1):
            own = {
                "refund_id": f"re_{number}",
                "contact": contact,
                "version": version,
                "told_due_at": told_due_at,
                "deadline_at": told_due_at,
            }
            yield name_of(number), fact.model_copy(update=own)


async def yardstick_events(kafka: str, count: int, subscriptions: int = SUBSCRIPTIONS) -> None:
    """The same declined charges for the yardsticks: one JSON object each, on topics of their own with four partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, 4, 1) for name in (YARDSTICK_EVENTS, YARDSTICK_OUT)])
    await admin.close()
    chance, now = random.Random(7), datetime.now(UTC).isoformat()
    async with producer(kafka) as sending:
        for number in range(count):
            subscription = name_of(chance.randrange(subscriptions))
            data = {"payment_id": f"pay_{number}", "invoice_id": f"in_{number}", "amount_minor": 1999, "currency": "EUR",
                    "decline_code": "insufficient_funds", "kind": "soft", "attempt": 1}  # fmt: skip
            body = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "//billing", "time": now, "subject": subscription,
                    "type": "offramp.subscription.payment-failed.v1", "data": data}  # fmt: skip
            await sending.send(YARDSTICK_EVENTS, json.dumps(body).encode(), key=subscription.encode())
        await sending.flush()
