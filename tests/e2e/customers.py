"""Customers of a story's own, and what billing, web and usage tell about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from offramp_schemas import Event
from offramp_schemas.account import SubscriptionChanged, SubscriptionRenewed, SubscriptionStarted
from offramp_schemas.activity import InactivityDetected
from offramp_schemas.base import Contact
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.request import CancellationRequested, CancellationWithdrawn, Requester

DAY = timedelta(days=1)
_numbers = count(1)


@dataclass(frozen=True)
class Customer:
    """One subscription, which nobody else's story touches. `price_minor` 0: on the free plan. `facts`: whatever else billing says of it.

    `trial_ends_at` among the facts means that nothing is paid in the beginning.
    """

    key: str
    price_minor: int = 4900
    period: timedelta = 365 * DAY
    locale: str = "en"
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def new(cls, first: str, *, price_minor: int = 4900, period: timedelta = 365 * DAY, locale: str = "en", **facts: Any) -> Customer:
        """Somebody of that first name."""
        return cls(f"{first.lower()}-{next(_numbers)}", price_minor, period, locale, facts)

    @property
    def subscription_id(self) -> str:
        """`sub_anna-1`"""
        return f"sub_{self.key}"

    @property
    def email(self) -> str:
        """Where they are written to."""
        return f"{self.key}@example.com"

    def payment(self, number: int = 1) -> str:
        """The charge of an invoice."""
        return f"pay_{self.key}_{number}"

    def invoice(self, number: int = 1) -> str:
        """What a charge is for."""
        return f"in_{self.key}_{number}"

    def charge(self, number: int = 1) -> str:
        """The provider's name for a payment."""
        return f"pi_{self.key}_{number}"

    def beginning(self, now: datetime) -> list[Event]:
        """It exists from now on, and is paid."""
        started = SubscriptionStarted(**self._picture(now))
        return [started, self.pays()] if self.price_minor and not started.trial_ends_at else [started]

    def changes(self, began: datetime, **facts: Any) -> Event:
        """The whole picture again, of the period that began then, with what is new in it."""
        return SubscriptionChanged(**self._picture(began) | facts)

    def renews(self, now: datetime) -> Event:
        """Billing begins another period."""
        return SubscriptionRenewed(
            current_period_start=now, current_period_end=now + self.period, price_minor=self.price_minor, currency="EUR"
        )

    def pays(self, invoice: int = 1, **how: Any) -> Event:
        """An invoice is paid."""
        charge: dict[str, Any] = {
            "payment_id": self.payment(invoice), "invoice_id": self.invoice(invoice), "amount_minor": self.price_minor, "currency": "EUR",
            "provider_payment_id": self.charge(invoice),
        }  # fmt: skip
        return PaymentSucceeded(**charge | how)

    def fails_to_pay(self, invoice: int = 2, attempt: int = 1, **how: Any) -> Event:
        """A charge is declined; another one may go through."""
        charge: dict[str, Any] = {
            "payment_id": self.payment(invoice), "invoice_id": self.invoice(invoice), "amount_minor": self.price_minor, "currency": "EUR",
            "decline_code": "insufficient_funds", "kind": "soft", "card_last4": "4242", "attempt": attempt,
        }  # fmt: skip
        return PaymentFailed(**charge | how)

    def cancels(self, **how: Any) -> Event:
        """At the end of the period, unless it is said otherwise."""
        return self.wishes(CancellationRequested, **{"reference": f"CAN-{self.key}"} | how)

    def stays(self) -> Event:
        """After all."""
        return self.wishes(CancellationWithdrawn, reference=f"STAY-{self.key}")

    def wishes(self, wish: type[Event], **how: Any) -> Event:
        """Whatever only the owner may ask for. Without a `reference`, every wish of a kind is the same one."""
        said: dict[str, Any] = {"reference": f"{wish.kebab()}-{self.key}", "requested_by": self.user}
        return wish(**said | how)

    def wants_back(self, amount_minor: int) -> Event:
        """A part of the first payment."""
        return RefundRequested(request_ref=f"REF-{self.key}", payment_id=self.payment(), amount_minor=amount_minor, currency="EUR")

    def is_not_seen(self, now: datetime) -> Event:
        """For two months."""
        return InactivityDetected(last_seen_at=now - 60 * DAY, inactive_days=60)

    @property
    def user(self) -> Requester:
        """The owner, when they ask for something."""
        return Requester(user_id=f"usr_{self.key}")

    def _picture(self, now: datetime) -> dict[str, Any]:
        paid = self.price_minor > 0
        in_period = paid and "trial_ends_at" not in self.facts
        return {
            "customer_id": f"cus_{self.key}", "owner_id": self.user.user_id,
            "contact": Contact(email=self.email, name=self.key.title(), locale=self.locale),
            "plan": "pro" if paid else "free", "plan_name": "Pro" if paid else "Free", "price_minor": self.price_minor, "currency": "EUR",
            "interval": "year" if self.period > 100 * DAY else "month", "current_period_start": now if in_period else None,
            "current_period_end": now + self.period if in_period else None, "account_created_at": now, "country": "FR", "consumer": True,
            **self.facts,
        }  # fmt: skip
