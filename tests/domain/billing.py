"""Billing, with the bank behind it: it charges when it is told to, or when a period is over and nobody told it to stop."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from offramp_schemas import Contact, Event
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas import retention_events as retention
from offramp_schemas.account import DataDeleted, SubscriptionChanged, SubscriptionRenewed, SubscriptionStarted
from offramp_schemas.notification_events import MarketingOptedOut
from offramp_schemas.payment import PaymentFailed, PaymentMethodUpdated, PaymentSucceeded
from tests.domain.outside import DAY, BankMood

OWNER = "usr_ada"
MAIL = "ada@example.org"
PERIODS = {"month": 30 * DAY, "year": 365 * DAY}
Say = Callable[[Event], None]
Later = Callable[[timedelta, Callable[[], None]], None]
STOPS = (lifecycle.CancellationScheduled, lifecycle.SubscriptionEnded, pause.SubscriptionPaused)
GOES_ON = (lifecycle.CancellationUndone, retention.RetentionOfferApplied, pause.SubscriptionReactivated)


class Plan(NamedTuple):
    """What somebody bought."""

    price_minor: int = 4900
    interval: str = "month"
    trial_days: int = 0
    country: str = "DE"
    consumer: bool = True
    consent: bool = True
    card: bool | None = None

    def __repr__(self) -> str:
        what = "a free plan" if not self.price_minor else f"a plan for {self.price_minor / 100:.0f} EUR a {self.interval}"
        trial = f", {self.trial_days} days on trial" if self.trial_days else ""
        who = "a consumer" if self.consumer else "a business"
        said = "with" if self.consent else "without"
        return f"{who} in {self.country} has {what}{trial}, {said} consent to marketing"


class Billing:
    """One subscription's bills. `knows` it of every event of lifecycle."""

    def __init__(self, plan: Plan, now: datetime, say: Say, later: Later) -> None:
        self.plan, self.say, self.later, self.now = plan, say, later, now
        self.mood: BankMood = "pays"
        self.deletes_data = True
        self.consent, self.price, self.card = plan.consent, plan.price_minor, plan.card
        self.renews = True
        self.invoices = self.payments = 0
        self.unpaid: list[str] = []
        self.trial_ends_at = now + plan.trial_days * DAY if plan.trial_days else None
        self.begins_at = self.trial_ends_at or now
        self.period_end: datetime | None = None
        say(SubscriptionStarted(**self.picture()))
        if self.trial_ends_at:
            later(plan.trial_days * DAY, self._next_period)
        elif self.price:
            self._next_period()

    def pictures(self, **changes: Any) -> None:
        """The account service says it all again."""
        self.say(SubscriptionChanged(**self.picture() | changes))

    def charge(self, invoice: str | None = None, until: datetime | None = None) -> None:
        """Charges an invoice, a new one if none is named."""
        if invoice is None:
            self.invoices += 1
            invoice = f"in_{self.invoices}"
        if self.mood == "is silent":
            return
        self.payments += 1
        what: dict[str, Any] = {
            "payment_id": f"pay_{self.payments}",
            "invoice_id": invoice,
            "amount_minor": self.price or 4900,
            "currency": "EUR",
        }
        if self.mood == "pays":
            self.unpaid = [each for each in self.unpaid if each != invoice]
            self.say(PaymentSucceeded(**what, period_start=self.begins_at if until else None, period_end=until))
            return
        self.unpaid = [*(each for each in self.unpaid if each != invoice), invoice]
        hard = self.mood == "declines for good"
        code = "stolen_card" if hard else "insufficient_funds"
        self.say(PaymentFailed(**what, decline_code=code, kind="hard" if hard else "soft", card_brand="Visa", card_last4="4242"))

    def replaces_card(self) -> None:
        """The customer gives another card."""
        self.card = True
        self.say(PaymentMethodUpdated(card_brand="Mastercard", card_last4="1111"))

    def hears(self, event: Event) -> None:
        """What it has to do with what our services say; an hour later, as billing does."""
        match event:
            case lifecycle.PaymentRetryDue():
                self.later(timedelta(hours=1), lambda: self.charge(event.invoice_id))
            case pause.ReactivationChargeDue():
                self.later(timedelta(hours=1), self._anew)
            case pause.SubscriptionResumed() if self.price and event.renews_at is None:
                self.renews = True
                self.later(timedelta(hours=1), self._anew)
            case pause.SubscriptionResumed():
                self._goes_on(event.renews_at)
            case lifecycle.DataDeletionDue() if self.deletes_data:
                self.later(timedelta(hours=6), lambda: self.say(DataDeleted()))
            case MarketingOptedOut():
                self.consent = False
                self.pictures()
            case _ if isinstance(event, STOPS):
                self.renews = False
            case _ if isinstance(event, GOES_ON):
                self._goes_on(self.period_end)

    def _goes_on(self, until: datetime | None) -> None:
        if not self.renews and until:
            self._renew_at(until)
        self.renews = True

    def _anew(self) -> None:
        """Charged for a return: a new period, once it is paid."""
        self.begins_at = self.now
        until = self.now + PERIODS[self.plan.interval]
        self.charge(until=until)
        if self.mood == "pays":
            self.renews = True
            self._renew_at(until)

    def _next_period(self) -> None:
        if not self.renews or not self.price:
            return
        self.begins_at = self.period_end or self.begins_at
        until = self.begins_at + PERIODS[self.plan.interval]
        if self.period_end:
            renewed = SubscriptionRenewed(
                current_period_start=self.begins_at, current_period_end=until, price_minor=self.price, currency="EUR"
            )
            self.say(renewed)
        self.trial_ends_at = None
        self.charge(until=until)
        self._renew_at(until)

    def _renew_at(self, until: datetime) -> None:
        self.period_end = until

        def renew() -> None:
            if self.period_end == until:
                self._next_period()

        self.later(max(until - self.now, timedelta(minutes=1)), renew)

    def picture(self) -> dict[str, Any]:
        """What the account service knows."""
        period = self.begins_at if self.period_end else None
        return {
            "customer_id": "cus_1", "owner_id": OWNER, "contact": Contact(email=MAIL, name="Ada Lovelace"), "plan": "pro",
            "plan_name": "Pro", "price_minor": self.price, "currency": "EUR", "interval": self.plan.interval,
            "current_period_start": period, "current_period_end": self.period_end, "trial_ends_at": self.trial_ends_at,
            "country": self.plan.country, "consumer": self.plan.consumer, "marketing_consent": self.consent,
            "payment_method_on_file": self.card,
        }  # fmt: skip
