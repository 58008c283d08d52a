"""Who is in the play, and what billing has told of them before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from offramp_schemas import Event
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.base import Contact
from offramp_schemas.payment import PaymentSucceeded

BEGINS = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
ENDS = datetime(2026, 5, 2, 9, tzinfo=UTC)
_OLDEST = BEGINS - timedelta(days=30)  # what is older than a month is not told any more


def day(month: int, number: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of the year of the play, UTC."""
    return datetime(2026, month, number, hour, minute, tzinfo=UTC)


@dataclass(frozen=True)
class Customer:
    """One of them; `about` says what will happen. `period` is what they have paid for: none on the free plan."""

    first: str
    last: str
    about: str
    plan: str = "Pro"
    price_minor: int = 4900
    period: tuple[datetime, datetime] | None = None
    country: str = "IE"

    @property
    def subscription_id(self) -> str:
        """`sub_anna`"""
        return f"sub_{self._id}"

    @property
    def email(self) -> str:
        """Where they are written to."""
        return f"{self._id}@example.com"

    @property
    def user_id(self) -> str:
        """Who they are when they ask for something."""
        return f"usr_{self._id}"

    def payment(self, number: int = 1) -> str:
        """Of what they have paid, or are to pay."""
        return f"pay_{self._id}_{number}"

    def invoice(self, number: int = 1) -> str:
        """What it is for."""
        return f"in_{self._id}_{number}"

    def past(self) -> Iterator[tuple[datetime, Event]]:
        """What billing has told, with when."""
        began, ends = self.period or (None, None)
        told_at = max(began or _OLDEST, _OLDEST)
        yearly = began is not None and ends is not None and ends - began > timedelta(days=100)
        yield told_at, SubscriptionStarted(
            customer_id=f"cus_{self._id}", owner_id=self.user_id, contact=Contact(email=self.email, name=f"{self.first} {self.last}"),
            plan=self.plan.lower(), plan_name=self.plan, price_minor=self.price_minor, currency="EUR",
            interval="year" if yearly else "month", current_period_start=began, current_period_end=ends,
            account_created_at=began or told_at, country=self.country, consumer=True,
        )  # fmt: skip
        if began and told_at == began:
            yield began + timedelta(minutes=1), PaymentSucceeded(
                payment_id=self.payment(), invoice_id=self.invoice(), amount_minor=self.price_minor, currency="EUR", period_start=began,
                period_end=ends, provider_payment_id=f"pi_{self._id}_1",
            )  # fmt: skip

    @property
    def _id(self) -> str:
        return self.first.lower()


def _year_from(began: datetime) -> tuple[datetime, datetime]:
    return began, began.replace(year=began.year + 1)


ANNA = Customer("Anna", "Keane", "finds it too expensive, and leaves when her month is over", period=(day(3, 1, 9), day(4, 1, 9)))
BEN = Customer("Ben", "Moreau", "withdraws within 14 days, and has his money back", period=(day(3, 1, 10), day(4, 1, 10)), country="FR")
CARA = Customer(
    "Cara", "Lind", "wants 40 EUR back, and the payment provider falls silent", price_minor=19000, period=_year_from(day(2, 16, 9))
)
DAVE = Customer("Dave", "Ito", "wants 25 EUR back, and his card takes nothing any more", price_minor=9900, period=_year_from(day(3, 2, 8)))
EMMA = Customer(
    "Emma",
    "Roth",
    "has too little on her account, for three days",
    price_minor=9900,
    period=_year_from(datetime(2025, 3, 10, 8, tzinfo=UTC)),
)
FINN = Customer("Finn", "Maas", "never replaces his expired card", price_minor=1900, period=(day(2, 12, 8), day(3, 12, 8)))
GINA = Customer("Gina", "Rossi", "has forgotten her free account", plan="Free", price_minor=0)
HUGO = Customer("Hugo", "Weber", "has forgotten his, and comes back", plan="Free", price_minor=0)
IVY = Customer("Ivy", "Byrne", "pays for a year and never logs in", price_minor=9900, period=_year_from(day(2, 20, 9)))

CAST = (ANNA, BEN, CARA, DAVE, EMMA, FINN, GINA, HUGO, IVY)
STORIES = (
    ("They cancel", (ANNA, BEN)),
    ("They want money back", (CARA, DAVE)),
    ("They can't pay", (EMMA, FINN)),
    ("They don't use it", (GINA, HUGO, IVY)),
)
NAMES = {customer.subscription_id: customer.first for customer in CAST}
