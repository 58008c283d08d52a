"""Load whose effects are known beforehand: what each event must be answered with, whatever happens meanwhile."""

import asyncio
import random
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer

from offramp_schemas import TOPIC_OF, Contact, Envelope, Event, encode
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.request import CancellationRequested, Requester

PRICE, BACK = 1900, 150  # minor units
SOURCE = "//billing/load"


@dataclass
class Customer:
    """One subscription: charges fail and are paid in turn, and a little of each payment is asked back."""

    number: int
    turns: int = 0

    @property
    def subscription_id(self) -> str:
        return f"sub_{self.number:03d}"

    def started(self, now: datetime) -> Event:
        return SubscriptionStarted(
            customer_id=f"cus_{self.number}", owner_id=f"usr_{self.number}", plan="pro", plan_name="Pro", price_minor=PRICE, currency="EUR",
            contact=Contact(email=f"customer{self.number}@example.com", name="Ada"), country="DE", consumer=True,
            current_period_start=now, current_period_end=now + timedelta(days=30), account_created_at=now,
        )  # fmt: skip

    def turn(self) -> Iterator[tuple[Event, tuple[str, ...]]]:
        """A charge that fails, its payment, and a refund of a part, each with the facts that must come of it."""
        self.turns += 1
        invoice, payment = f"in_{self.number}_{self.turns}", f"pay_{self.number}_{self.turns}"
        failed = PaymentFailed(
            payment_id=payment, invoice_id=invoice, amount_minor=PRICE, currency="EUR", decline_code="declined", kind="soft"
        )  # fmt: skip
        yield failed, ("payment-past-due",)
        paid = PaymentSucceeded(payment_id=payment, invoice_id=invoice, amount_minor=PRICE, currency="EUR")
        yield paid, ("payment-recovered",)
        request = RefundRequested(request_ref=f"REF-{self.number}-{self.turns}", payment_id=payment, amount_minor=BACK)
        yield request, ("refund-received", "refund-approved")

    def cancels(self) -> Event:
        """The end of what is paid for."""
        return CancellationRequested(reference=f"CAN-{self.number}", requested_by=Requester(user_id=f"usr_{self.number}"))

    def leaves(self) -> Event:
        """The end at once, with whatever is left of the money."""
        user = Requester(user_id=f"usr_{self.number}")
        return CancellationRequested(reference=f"CAN-{self.number}", requested_by=user, mode="immediately", wants_refund=True)


@dataclass
class Load:
    """Publishes, and remembers what. Some records are sent twice, some are no events at all."""

    producer: AIOKafkaProducer
    now: datetime
    chance: random.Random
    customers: list[Customer]
    name: str = "load"
    published: dict[str, Event] = field(default_factory=dict)
    expected: dict[str, tuple[str, ...]] = field(default_factory=dict)
    repeats: int = 0
    poison: int = 0
    _sent: list[Awaitable[Any]] = field(default_factory=list)

    async def begin(self) -> None:
        for customer in self.customers:
            await self.publish(customer, customer.started(self.now))

    async def some(self) -> None:
        """A turn of a few customers; the events of several are mixed, those of one stay in order."""
        turns = [(customer, customer.turn()) for customer in self.chance.sample(self.customers, 2)]
        for customer, events in [*turns, *turns, *turns]:
            event, facts = next(events)
            await self.publish(customer, event, facts)
        if self.chance.random() < 0.2:
            await self.producer.send("subscription.payment.v1", b"{not json", key=self.customers[0].subscription_id.encode())
            self.poison += 1

    async def publish(self, customer: Customer, event: Event, facts: tuple[str, ...] | None = None) -> None:
        envelope = Envelope(f"{self.name}-{len(self.published)}", SOURCE, self.now, customer.subscription_id, event)
        self.published[envelope.id] = event
        if facts is not None:
            self.expected[envelope.id] = facts
        key, value, headers = encode(envelope)
        for _ in range(1 + (self.chance.random() < 0.1)):
            self._sent.append(await self.producer.send(TOPIC_OF[type(event)].name, value, key=key, headers=headers))
            self.repeats += 1
        self.repeats -= 1

    async def acknowledged(self) -> None:
        """Until Kafka has everything."""
        await asyncio.gather(*self._sent)
