"""How long two months take on the test clock: a thousand subscriptions, ten ways to stay or leave, all three services, every timer."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psutil

from bench import load
from bench.figures import Figure, at_most
from bench.scale import Scale
from bench.watch import cpu_seconds, database
from dev.system import System
from offramp_schemas import TOPIC_OF, Contact, Envelope, Event, encode
from offramp_schemas.account import DataDeleted, SubscriptionRenewed, SubscriptionStarted
from offramp_schemas.activity import InactivityDetected
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.refund_request import RefundChased, RefundDecided, RefundRequested
from offramp_schemas.request import CancellationRequested, CancellationWithdrawn, PauseRequested, Requester
from services.console import clock

BEGINS = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = 30 * DAY
LASTS, MOST_SECONDS = 61, 60
ENDED_AS = """
select state, count(*) from lifecycle.subscriptions group by state
union all select 'refund ' || state, count(*) from refunds.refunds group by state
"""


@dataclass(frozen=True)
class Customer:
    """One of those who live the same story, and the moment at which theirs begins."""

    number: int
    begins: datetime
    price_minor: int = 4900

    @property
    def subscription_id(self) -> str:
        return f"sub_{self.number:04d}"

    @property
    def user(self) -> Requester:
        return Requester(user_id=f"usr_{self.number}")

    def after(self, days: float) -> datetime:
        return self.begins + days * DAY

    def started(self) -> Event:
        return SubscriptionStarted(
            customer_id=f"cus_{self.number}", owner_id=self.user.user_id, plan="pro", plan_name="Pro", price_minor=self.price_minor,
            currency="EUR", contact=Contact(email=f"c{self.number}@example.com", name="Ada"), country="DE", consumer=True, interval="month",
            current_period_start=self.begins, current_period_end=self.begins + MONTH if self.price_minor else None,
        )  # fmt: skip

    def paid(self, month: int = 0) -> Event:
        return PaymentSucceeded(
            payment_id=f"pay_{self.number}_{month}", invoice_id=f"in_{self.number}_{month}", amount_minor=self.price_minor, currency="EUR",
            period_start=self.begins + month * MONTH, period_end=self.begins + (month + 1) * MONTH,
        )  # fmt: skip

    def failed(self, month: int) -> Event:
        return PaymentFailed(
            payment_id=f"pay_{self.number}_{month}", invoice_id=f"in_{self.number}_{month}", amount_minor=self.price_minor, currency="EUR",
            decline_code="insufficient_funds", kind="soft", card_last4="4242",
        )  # fmt: skip

    def renewed(self, month: int) -> Event:
        return SubscriptionRenewed(
            current_period_start=self.begins + month * MONTH, current_period_end=self.begins + (month + 1) * MONTH,
            price_minor=self.price_minor, currency="EUR",
        )  # fmt: skip

    def cancels(self, **how: object) -> Event:
        return CancellationRequested.model_validate({"reference": f"CAN-{self.number}", "requested_by": self.user, **how})


Happening = tuple[float, Event]
"""After so many days."""


def stays(c: Customer) -> list[Happening]:
    return [(0, c.started()), (0, c.paid()), (30, c.renewed(1)), (30, c.paid(1)), (60, c.renewed(2)), (60, c.paid(2))]


def leaves(c: Customer) -> list[Happening]:
    return [(0, c.started()), (0, c.paid()), (2, c.cancels(feedback=("too_expensive",))), (35.5, DataDeleted())]


def withdraws(c: Customer) -> list[Happening]:
    return [(0, c.started()), (0, c.paid()), (5, c.cancels(mode="immediately", wants_refund=True)), (10.5, DataDeleted())]


def thinks_again(c: Customer) -> list[Happening]:
    back = CancellationWithdrawn(reference=f"BACK-{c.number}", requested_by=c.user)
    return [(0, c.started()), (0, c.paid()), (3, c.cancels()), (6, back), *stays(c)[2:]]


def never_pays(c: Customer) -> list[Happening]:
    return [(0, c.started()), (0, c.paid()), (30, c.renewed(1)), (30, c.failed(1)), (43.5, DataDeleted())]


def pays_at_last(c: Customer) -> list[Happening]:
    return [(0, c.started()), (0, c.paid()), (30, c.renewed(1)), (30, c.failed(1)), (33, c.paid(1)), *stays(c)[4:]]


def does_not_use_it(c: Customer) -> list[Happening]:
    free = Customer(c.number, c.begins, price_minor=0)
    unused = InactivityDetected(last_seen_at=c.begins - 60 * DAY, inactive_days=60)
    return [(0, free.started()), (0, unused), (35.5, DataDeleted())]


def pauses(c: Customer) -> list[Happening]:
    rest = PauseRequested(reference=f"PAUSE-{c.number}", requested_by=c.user, days=40, keep_data=True)
    return [(0, c.started()), (0, c.paid()), (4, rest)]


def wants_some_back(c: Customer) -> list[Happening]:
    request = RefundRequested(request_ref=f"REF-{c.number}", amount_minor=1000)
    return [(0, c.started()), (0, c.paid()), (7, request), (8, RefundChased()), *stays(c)[2:]]


def wants_much_back(c: Customer) -> list[Happening]:
    big = Customer(c.number, c.begins, price_minor=90_000)
    request = RefundRequested(request_ref=f"REF-{c.number}")
    return [(0, big.started()), (0, big.paid()), (7, request), (8, RefundDecided(decision="approve", decided_by="olga"))]


WAYS: Sequence[Callable[[Customer], list[Happening]]] = (
    stays, leaves, withdraws, thinks_again, never_pays, pays_at_last, does_not_use_it, pauses, wants_some_back, wants_much_back,
)  # fmt: skip


def scenes(customers: int) -> Iterator[tuple[datetime, list[tuple[str, Event]]]]:
    """What is published at which moment, in order."""
    by_moment: dict[datetime, list[tuple[str, Event]]] = {}
    for number in range(customers):
        customer = Customer(number, BEGINS)
        for days, event in WAYS[number % len(WAYS)](customer):
            by_moment.setdefault(customer.after(days), []).append((customer.subscription_id, event))
    yield from sorted(by_moment.items(), key=lambda each: each[0])


async def measure(scale: Scale) -> list[Figure]:
    """From the first event to the end of the second month."""
    story = await live(scale.customers)
    name = f"two months of {scale.customers:,} subscriptions on the test clock"
    return [
        at_most(name, "s", [story.seconds], MOST_SECONDS),
        Figure(f"{name}: CPU of services, servers and all", "s", [story.cpu]),
        Figure(f"{name}: stops of the clock", "", [story.stops]),
        Figure(f"{name}: records, timers and answers", "", [story.handled]),
    ]


@dataclass
class Story:
    """What it took. `cpu` is that of all processes together, in seconds."""

    seconds: float = 0.0
    cpu: float = 0.0
    stops: int = 0
    handled: int = 0

    def stopped(self, _: clock.Step) -> None:
        self.stops += 1


async def live(customers: int) -> Story:
    """Publishes each event when the clock has come to its moment, and walks on."""
    story = Story()
    async with System.start(clock="test", begins=BEGINS) as system, load.producer(system.stack.kafka) as sending:
        began, cpu = time.monotonic(), _cpu_of_all()
        for at, happenings in scenes(customers):
            story.handled += (await clock.advance(system.urls, at, story.stopped)).moved
            for subscription, event in happenings:
                key, value, headers = encode(Envelope(uuid.uuid4().hex, "//bench", at, subscription, event))
                await sending.send(TOPIC_OF[type(event)].name, value, key=key, headers=headers)
            await sending.flush()
        story.handled += (await clock.advance(system.urls, BEGINS + LASTS * DAY, story.stopped)).moved
        story.seconds, story.cpu = time.monotonic() - began, _cpu_of_all() - cpu
        async with database(system) as connection:
            assert {row["state"]: row["count"] for row in await connection.fetch(ENDED_AS)} == _expected(customers)
    return story


def _expected(customers: int) -> dict[str, int]:
    """Four ways keep or regain it, five lead to its end, and refunds are over when they have been watched for a month."""
    of_each = customers // len(WAYS)
    return {"active": 5 * of_each, "ended": 5 * of_each, "refund closed": 3 * of_each}


def _cpu_of_all() -> float:
    """Of this process and all that it started: services, Kafka, PostgreSQL."""
    own = psutil.Process()
    return sum(cpu_seconds(process) for process in (own, *own.children(recursive=True)))
