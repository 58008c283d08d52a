"""Customers of a story's own, and what billing, web and usage tell about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from offramp_schemas import Event
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.activity import InactivityDetected
from offramp_schemas.base import Contact
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.request import CancellationRequested, CancellationWithdrawn, Requester

DAY = timedelta(days=1)
_numbers = count(1)


@dataclass(frozen=True)
class Customer:
    """One subscription, which nobody else's story touches. `price_minor` 0: on the free plan."""

    key: str
    price_minor: int = 4900
    period: timedelta = 365 * DAY

    @classmethod
    def new(cls, first: str, **how: Any) -> Customer:
        """Somebody of that first name."""
        return cls(f"{first.lower()}-{next(_numbers)}", **how)

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

    def beginning(self, now: datetime) -> list[Event]:
        """It exists from now on, and is paid."""
        paid = self.price_minor > 0
        started = SubscriptionStarted(
            customer_id=f"cus_{self.key}", owner_id=self._user.user_id, contact=Contact(email=self.email, name=self.key.title()),
            plan="pro" if paid else "free", plan_name="Pro" if paid else "Free", price_minor=self.price_minor, currency="EUR",
            interval="year" if self.period > 100 * DAY else "month", current_period_start=now if paid else None,
            current_period_end=now + self.period if paid else None, account_created_at=now, country="FR", consumer=True,
        )  # fmt: skip
        return [started, self.pays()] if paid else [started]

    def pays(self, invoice: int = 1) -> Event:
        """An invoice is paid."""
        return PaymentSucceeded(
            payment_id=self.payment(invoice), invoice_id=self.invoice(invoice), amount_minor=self.price_minor, currency="EUR",
            provider_payment_id=f"pi_{self.key}_{invoice}",
        )  # fmt: skip

    def fails_to_pay(self, invoice: int = 2, attempt: int = 1) -> Event:
        """A charge is declined; another one may go through."""
        return PaymentFailed(
            payment_id=self.payment(invoice), invoice_id=self.invoice(invoice), amount_minor=self.price_minor, currency="EUR",
            decline_code="insufficient_funds", kind="soft", card_last4="4242", attempt=attempt,
        )  # fmt: skip

    def cancels(self, **how: Any) -> Event:
        """At the end of the period, unless it is said otherwise."""
        return CancellationRequested(reference=f"CAN-{self.key}", requested_by=self._user, **how)

    def stays(self) -> Event:
        """After all."""
        return CancellationWithdrawn(reference=f"STAY-{self.key}", requested_by=self._user)

    def wants_back(self, amount_minor: int) -> Event:
        """A part of the first payment."""
        return RefundRequested(request_ref=f"REF-{self.key}", payment_id=self.payment(), amount_minor=amount_minor, currency="EUR")

    def is_not_seen(self, now: datetime) -> Event:
        """For two months."""
        return InactivityDetected(last_seen_at=now - 60 * DAY, inactive_days=60)

    @property
    def _user(self) -> Requester:
        return Requester(user_id=f"usr_{self.key}")
