"""One subscription in every state and condition that the rules tell apart."""

from collections.abc import Callable
from typing import Any

from offramp_schemas.account import PriceChange, Reseller
from services.lifecycle.states import Subscription
from tests.lifecycle.given import (
    DAY,
    HOUR,
    PERIOD_END,
    PERIOD_START,
    Story,
    answer,
    cancellation,
    changed,
    data_deleted,
    erased,
    failure,
    feedback,
    free_plan,
    new_card,
    paid_plan,
    pause,
    payment,
    reactivation,
    refund_received,
    resume,
    trial,
    unused,
    withdrawal,
)


def after(story: Story, *happened: object) -> Story:
    """Events are heard, numbers are days that pass."""
    for each in happened:
        if isinstance(each, int):
            story.passes(days=each)
        else:
            story.hears(each)  # type: ignore[arg-type]  # whatever is not a number is an event
    return story


def failed_before_the_pause() -> Story:
    story = paid_plan().passes(days=1)
    story.hears(pause())
    story.hears(failure(), at=story.now - HOUR)
    return story


SHOP = Reseller(reseller_id="res_1", name="Shop", contact="help@shop.example")
REFUND_NOW = cancellation(mode="immediately", wants_refund=True)
TOO_EXPENSIVE = cancellation(feedback=("too_expensive",))
YEARLY: dict[str, Any] = {"interval": "year", "current_period_end": PERIOD_START + 365 * DAY}
DEARER = PriceChange(price_minor=5900, currency="EUR", effective_at=PERIOD_END)

STORIES: dict[str, Callable[[], Story]] = {
    "trialing": trial,
    "trialing, warned": lambda: after(trial(days=60), unused(61, trial())),
    "trialing, nothing to charge": lambda: trial(price_minor=0),
    "trialing, its charge recalled": lambda: after(trial(), 12),
    "trialing, extended": lambda: after(trial(), cancellation(), answer()),
    "active": paid_plan,
    "active, billing silent": lambda: after(paid_plan(), 33),
    "active, yearly": lambda: paid_plan(**YEARLY),
    "active, yearly, recalled": lambda: after(paid_plan(**YEARLY), 345),
    "active, dearer from next month on": lambda: after(paid_plan(), changed(price_change=DEARER)),
    "active, discounted": lambda: after(paid_plan(), TOO_EXPENSIVE, answer()),
    "active, said why it may leave": lambda: after(paid_plan(), feedback("too_complex")),
    "active, free and asleep": free_plan,
    "active, free, to be warned": lambda: after(free_plan(), unused(10, free_plan())),
    "active, free, warned": lambda: after(free_plan(), unused(60, free_plan())),
    "active, told that it is unused": lambda: after(paid_plan(), unused(60, paid_plan())),
    "active, recovered": lambda: after(paid_plan(), failure(), 2, payment()),
    "active, withdrawn": lambda: after(paid_plan(), cancellation(), withdrawal()),
    "past due": lambda: after(paid_plan(), failure()),
    "past due, hard": lambda: after(paid_plan(), failure(kind="hard"), 2),
    "past due, new card": lambda: after(paid_plan(), failure(kind="hard"), new_card()),
    "past due, two invoices": lambda: after(paid_plan(), failure(), 1, failure("in_8")),
    "past due, last step given": lambda: after(paid_plan(), failure(), 7),
    "past due, paid before": lambda: after(paid_plan(), payment(end=PERIOD_END), failure("in_8")),
    "non-renewing, paid": lambda: after(paid_plan(), payment(end=PERIOD_END), cancellation()),
    "paused, paid": lambda: after(paid_plan(), payment(end=PERIOD_END), pause()),
    "active, resold": lambda: paid_plan(reseller=SHOP),
    "paused, resold by now": lambda: after(paid_plan(), pause(), changed(reseller=SHOP)),
    "ended, resold by now": lambda: after(paid_plan(), cancellation(mode="immediately"), changed(reseller=SHOP)),
    "past due, from a trial": lambda: after(trial(), failure()),
    "non-renewing": lambda: after(paid_plan(), cancellation()),
    "non-renewing, reminded": lambda: after(paid_plan(), cancellation(), 29),
    "non-renewing, from a trial": lambda: after(trial(), cancellation()),
    "non-renewing, past due": lambda: after(paid_plan(), failure(), cancellation()),
    "non-renewing, charged in error": lambda: after(paid_plan(), cancellation(), payment("in_9", "pay_9")),
    "non-renewing, asked for money": lambda: after(paid_plan(), cancellation(wants_refund=True)),
    "non-renewing, offered a discount": lambda: after(paid_plan(), TOO_EXPENSIVE),
    "non-renewing, offered a pause": lambda: after(paid_plan(), cancellation(feedback=("unused",))),
    "non-renewing, past due, offered a discount": lambda: after(paid_plan(), failure(), TOO_EXPENSIVE),
    "non-renewing, offered a pause, past due": lambda: after(paid_plan(), cancellation(feedback=("unused",)), failure()),
    "non-renewing, offer declined": lambda: after(paid_plan(), TOO_EXPENSIVE, answer("declined")),
    "non-renewing, offer expired": lambda: after(paid_plan(), TOO_EXPENSIVE, 15),
    "non-renewing, asked why": lambda: after(paid_plan(), cancellation(), 1),
    "paused": lambda: after(paid_plan(), pause()),
    "paused, by an offer": lambda: after(paid_plan(), cancellation(feedback=("unused",)), answer()),
    "paused, data kept": lambda: after(paid_plan(), pause(keep_data=True), 6),
    "paused, deletion due": lambda: after(paid_plan(), pause(), 6),
    "paused, deleted": lambda: after(paid_plan(), pause(), 6, data_deleted()),
    "paused, reminded": lambda: after(paid_plan(), pause(), 84),
    "paused, without a card": lambda: after(paid_plan(payment_method_on_file=False), pause()),
    "paused, wanted back without a card": lambda: after(paid_plan(payment_method_on_file=False), pause(), 1, resume()),
    "paused, card asked for": lambda: after(paid_plan(payment_method_on_file=False), pause(), 92),
    "paused, with an old invoice": failed_before_the_pause,
    "paused, free": lambda: after(free_plan(), pause()),
    "ended, in grace": lambda: after(paid_plan(), REFUND_NOW),
    "ended, acknowledged": lambda: after(paid_plan(), REFUND_NOW, refund_received("CAN-1")),
    "ended, last day to export": lambda: after(paid_plan(), REFUND_NOW, 4),
    "ended, deletion due": lambda: after(paid_plan(), REFUND_NOW, 6),
    "ended, deleted": lambda: after(paid_plan(), REFUND_NOW, refund_received("CAN-1"), 1, data_deleted()),
    "ended, deleted, unacknowledged": lambda: after(paid_plan(), REFUND_NOW, 1, data_deleted()),
    "ended, unpaid": lambda: after(paid_plan(), failure(), 9),
    "ended, owing": lambda: after(paid_plan().until(PERIOD_END + HOUR), failure(), cancellation()),
    "ended, unused": lambda: after(free_plan(), unused(60, free_plan()), 31),
    "ended, trial expired": lambda: trial().passes(days=15),
    "ended, paid afterwards": lambda: after(paid_plan(), cancellation(mode="immediately"), payment("in_9", "pay_9")),
    "ended, paid period still running": lambda: after(paid_plan(), cancellation(mode="immediately")),
    "ended, data kept": lambda: after(paid_plan(), cancellation(mode="immediately", keep_data=True)),
    "ended, data retained": lambda: after(paid_plan(), cancellation(mode="immediately", keep_data=True), 6),
    "ended, wanted back without a card": lambda: after(paid_plan(), REFUND_NOW, reactivation()),
    "ended, wanted back, to be charged": lambda: after(paid_plan(), REFUND_NOW, reactivation(), new_card()),
    "ended, card on file": lambda: after(paid_plan(payment_method_on_file=True), REFUND_NOW),
    "ended, return given up": lambda: after(paid_plan(), REFUND_NOW, reactivation(), 15),
    "ended, pause expired": lambda: after(paid_plan(payment_method_on_file=False), pause(), 105),
    "ended, canceled while paused, deleted": lambda: after(paid_plan(), pause(), 6, data_deleted(), cancellation()),
    "ended, canceled while paused, kept": lambda: after(paid_plan(), pause(keep_data=True), 6, cancellation()),
    "ended, an offer with it": lambda: after(paid_plan(), TOO_EXPENSIVE, cancellation("CAN-2", mode="immediately")),
    "ended, asked to return": lambda: after(paid_plan(marketing_consent=True), cancellation(mode="immediately"), 31),
    "ended, asked to return for the last time": lambda: after(paid_plan(marketing_consent=True), cancellation(mode="immediately"), 91),
    "ended, forgotten": lambda: after(paid_plan(), cancellation(mode="immediately", keep_data=True), 6, erased()),
    "active, resumed": lambda: after(paid_plan(), pause(), 1, resume()),
    "active, returned": lambda: after(paid_plan(), cancellation(mode="immediately"), 1, reactivation()),
    "active, forgotten": lambda: after(paid_plan(), erased()),
    "ended, as it was told": lambda: paid_canceled().until(PERIOD_END + DAY / 2),
}


def paid_canceled() -> Story:
    return after(paid_plan(), cancellation())


def every_state() -> dict[str, Subscription]:
    return {name: story().state for name, story in STORIES.items()}
