"""Scenes in which a number of the policy is told to somebody, and what a row about one says."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from offramp_schemas import Event
from offramp_schemas.account import PriceChange, SubscriptionChanged, SubscriptionRenewed
from offramp_schemas.activity import InactivityDetected
from offramp_schemas.payment import PaymentFailed
from offramp_schemas.refund_request import RefundAppealed, RefundRequested
from offramp_schemas.request import CancellationRequested, PauseRequested, ReactivationRequested, Requester, ResumeRequested
from services.refunds.business_days import Calendar
from tests.domain.billing import OWNER, Plan
from tests.domain.world import World

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
ME = Requester(user_id=OWNER)
DUBLIN = Calendar("IE", "Europe/Dublin")
Scene = Callable[[World], Event]
Told = Callable[[World, Any], datetime | int]


class Row(NamedTuple):
    """A number, another one, and a scene. `told`: what is said of it there, known before the event comes.

    `waits`: for the mail that says it. `leaves`: no mail says it, but this one leaves then. `foretold`: a preview can know it, since it
    does not hang on what the provider will answer.
    """

    key: str
    old: str
    new: str
    scene: Scene
    told: Told
    plan: Plan = Plan()
    waits: timedelta = 5 * MINUTE
    leaves: str | None = None
    foretold: bool = True

    def __str__(self) -> str:
        return f"{self.key} {self.old} to {self.new}"


def _says(world: World, event: Event) -> None:
    world.say(event)
    world.settle()


def cancels(mode: Any = "at_period_end", after: timedelta = timedelta(), **more: Any) -> Scene:
    """The owner leaves, after a while."""

    def scene(world: World) -> Event:
        world.passes(after)
        return CancellationRequested(reference="CAN-1", requested_by=ME, mode=mode, **more)

    return scene


def fails(kind: Any = "soft") -> Scene:
    """A charge is declined."""

    def scene(world: World) -> Event:
        world.passes(DAY)
        world.billing.mood = "declines softly"
        failed: dict[str, Any] = {
            "payment_id": "pay_x",
            "invoice_id": "in_x",
            "amount_minor": 4900,
            "currency": "EUR",
            "card_last4": "4242",
        }
        return PaymentFailed(**failed, decline_code="insufficient_funds", kind=kind)

    return scene


def unused(days: int) -> Scene:
    """Nobody has used it for so long."""
    return lambda world: InactivityDetected(last_seen_at=world.now - days * DAY, inactive_days=days)


def pauses(days: int, **more: Any) -> Scene:
    """The owner wants to rest."""
    return lambda _: PauseRequested(reference="PAU-1", requested_by=ME, days=days, **more)


def pauses_again(world: World) -> Event:
    """… a second time, ten days later."""
    _says(world, PauseRequested(reference="PAU-1", requested_by=ME, days=5))
    world.passes(10 * DAY)
    return PauseRequested(reference="PAU-2", requested_by=ME, days=5)


def resumes_without_a_card(world: World) -> Event:
    """The owner is back, and billing has no card."""
    _says(world, PauseRequested(reference="PAU-1", requested_by=ME, days=90, keep_data=True))
    world.billing.pictures(payment_method_on_file=False)
    world.passes(DAY)
    return ResumeRequested(reference="RES-1", requested_by=ME)


def returns(world: World) -> Event:
    """Who left while nothing was paid any longer wants to come back; a card is asked for."""
    _says(world, CancellationRequested(reference="CAN-1", requested_by=ME, mode="immediately", wants_refund=True, keep_data=True))
    world.billing.pictures(payment_method_on_file=False)
    world.passes(2 * DAY)
    return ReactivationRequested(reference="REA-1", requested_by=ME)


def renews(world: World) -> Event:
    """Another period begins."""
    end = world.billing.period_end
    assert end
    world.billing.renews = False  # what is asked about is said here
    world.passes(end - world.now)
    length = 365 * DAY if world.billing.plan.interval == "year" else 30 * DAY
    return SubscriptionRenewed(current_period_start=end, current_period_end=end + length, price_minor=4900, currency="EUR")


def gets_dearer(world: World) -> Event:
    """The next charge will be at another price."""
    end = world.billing.period_end
    assert end
    change = PriceChange(price_minor=5900, currency="EUR", effective_at=end)
    return SubscriptionChanged(**world.billing.picture() | {"price_change": change})


def is_on_trial_for_longer(world: World) -> Event:
    """The trial is extended by two days."""
    return SubscriptionChanged(**world.billing.picture() | {"trial_ends_at": trial_end(world) + 2 * DAY})


def asks_for_money(after: timedelta, **more: Any) -> Scene:
    """The customer wants it back."""

    def scene(world: World) -> Event:
        world.passes(after)
        return RefundRequested(request_ref="web-1", **more)

    return scene


def appeals(world: World) -> Event:
    """… and does not accept that it is too late."""
    world.passes(40 * DAY)
    _says(world, RefundRequested(request_ref="web-1", payment_id="pay_1"))
    return RefundAppealed()


def asks_while_the_provider(mood: Any) -> Scene:
    """… takes its time, or wants something."""

    def scene(world: World) -> Event:
        world.provider.mood = mood
        return RefundRequested(request_ref="web-1")

    return scene


def period_end(world: World) -> datetime:
    """Of what is paid for."""
    assert world.billing.period_end
    return world.billing.period_end


def trial_end(world: World) -> datetime:
    """When the trial is over."""
    assert world.billing.trial_ends_at
    return world.billing.trial_ends_at


def business_days(world: World, days: int) -> datetime:
    """So many from now, where the seller is."""
    return DUBLIN.after(world.now, days)


def count(_: World, value: timedelta | int) -> int:
    """The number itself; of a duration, its days."""
    return value.days if isinstance(value, timedelta) else value


MONTHLY, YEARLY, FREE, TRIAL = Plan(), Plan(interval="year"), Plan(price_minor=0), Plan(trial_days=14)
LEAVES, LEAVES_NOW = cancels(), cancels("immediately", DAY)
DEAR = cancels(feedback=("too_expensive",))
