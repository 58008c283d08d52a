"""Subscriptions and payments to play with: `offramp samples` publishes them, and `make run` begins with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.text import Text
from uuid_utils.compat import uuid7

from offramp_schemas import Envelope, Event
from offramp_schemas.account import Reseller, SubscriptionStarted
from offramp_schemas.base import Contact
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from services.console import kafka, screen
from services.console.database import Database
from services.console.trouble import Trouble
from services.runtime.settings import Settings

_SOURCE = "//offramp/samples"
_HEARD_WITHIN = 60.0  # seconds
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Sample:
    """One subscription: what is special about it, and a command to try (after `offramp`)."""

    name: str
    special: str
    command: str
    began: timedelta
    price_minor: int
    plan: str = "Pro"
    interval: str = "month"
    country: str = "IE"
    consumer: bool = True
    trial: timedelta | None = None
    committed: timedelta | None = None
    reseller: Reseller | None = None
    unpaid: bool = False

    @property
    def subscription_id(self) -> str:
        """`sub_anna`"""
        return f"sub_{self.name.partition(' ')[0].lower()}"

    def events(self, now: datetime) -> Iterator[tuple[datetime, Event]]:
        """What billing has told until `now`, with when it happened."""
        began = (now - self.began).replace(microsecond=0)
        first = self.subscription_id.removeprefix("sub_")
        ends = began + (365 * DAY if self.interval == "year" else 30 * DAY)
        paying = self.price_minor > 0 and self.trial is None
        yield began, SubscriptionStarted(
            customer_id=f"cus_{first}", owner_id=f"usr_{first}", contact=Contact(email=f"{first}@example.com", name=self.name),
            plan=f"{self.plan.lower()}-{self.interval}ly", plan_name=self.plan, price_minor=self.price_minor, currency="EUR",
            interval="year" if self.interval == "year" else "month", current_period_start=began if paying else None,
            current_period_end=ends if paying else None, trial_ends_at=began + self.trial if self.trial else None,
            commitment_ends_at=began + self.committed if self.committed else None, account_created_at=began, country=self.country,
            consumer=self.consumer, reseller=self.reseller,
        )  # fmt: skip
        if paying:
            yield began + timedelta(minutes=1), PaymentSucceeded(
                payment_id=f"pay_{first}_1", invoice_id=f"in_{first}_1", amount_minor=self.price_minor, currency="EUR",
                period_start=began, period_end=ends, provider_payment_id=f"pi_{first}_1",
            )  # fmt: skip
        if self.unpaid:
            yield now - timedelta(hours=2), PaymentFailed(
                payment_id=f"pay_{first}_2", invoice_id=f"in_{first}_2", amount_minor=self.price_minor, currency="EUR",
                decline_code="insufficient_funds", kind="soft", card_brand="visa", card_last4="4242",
            )  # fmt: skip


_CANCEL = "publish cancellation-requested --subscription"
_REFUND = "publish refund-requested --subscription"
_PAID = "publish payment-succeeded --subscription sub_finn --invoice-id in_finn_2"
_UNUSED = "publish inactivity-detected --subscription sub_eve --inactive-days 60"
_RESELLER = Reseller(reseller_id="res_nord", name="Nordwolke", contact="help@nordwolke.example")
SAMPLES = (
    Sample("Anna Keane", "has paid for 20 days", f"{_CANCEL} sub_anna --feedback too_expensive", 20 * DAY, 4900),
    Sample(
        "Ben Moreau",
        "a consumer since 5 days: may withdraw",
        f"{_CANCEL} sub_ben --mode immediately --wants-refund",
        5 * DAY,
        4900,
        country="FR",
    ),
    Sample(
        "Cara Lind",
        "above the limit: a person decides about refunds",
        f"{_REFUND} sub_cara",
        10 * DAY,
        48000,
        "Business",
        "year",
        "SE",
        False,
    ),
    Sample("Dan Okafor", "paid 33 days ago: too late for a refund", f"{_REFUND} sub_dan", 33 * DAY, 9900, interval="year"),
    Sample("Eve Novak", "pays nothing: deactivated when it is not used", _UNUSED, 30 * DAY, 0, "Free"),
    Sample("Finn Maas", "a charge failed 2 hours ago: dunning runs", _PAID, 29 * DAY, 1900, unpaid=True),
    Sample("Gina Rossi", "on trial for 4 more days", f"{_CANCEL} sub_gina", 10 * DAY, 1900, trial=14 * DAY, country="IT"),
    Sample("Hugo Weber", "bought from a reseller", f"{_CANCEL} sub_hugo", 12 * DAY, 4900, country="DE", reseller=_RESELLER),
)


async def publish(settings: Settings, database: Database) -> None:
    """Publishes all of them, and says what to try. Raises Trouble where there are some already."""
    for sample in SAMPLES:
        if await database.subscription(sample.subscription_id):
            raise Trouble(f"{sample.subscription_id} is there already: `offramp show {sample.subscription_id}` tells what became of it")
    await tell(settings, database)
    for line in described("offramp"):
        screen.out.print(line)


async def tell(settings: Settings, database: Database) -> None:
    """Publishes what billing has told of them until now, and waits until lifecycle has heard all of it. Raises Trouble."""
    now = await database.now()
    told = [Envelope(str(uuid7()), _SOURCE, at, sample.subscription_id, event) for sample in SAMPLES for at, event in sample.events(now)]
    await kafka.send(settings, *told)
    try:
        async with asyncio.timeout(_HEARD_WITHIN):
            while len(await database.rows("lifecycle", "dispositions", [envelope.id for envelope in told])) < len(told):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise Trouble(f"lifecycle has not heard of the samples after {_HEARD_WITHIN:.0f} s: is it running? Its log says why") from None


def described(offramp: str) -> Iterator[Text]:
    """Two lines for each: what is special about it, and what to try. `offramp`: how the command line is called from here."""
    for sample in SAMPLES:
        price = f", {sample.price_minor / 100:.0f} EUR a {sample.interval}" if sample.price_minor else ""
        yield Text.assemble(f"  {sample.subscription_id:<12}", sample.special, screen.quiet(f"  {sample.plan}{price}"))
        yield Text.assemble(" " * 14, (f"{offramp} {sample.command} --follow", "cyan"))
