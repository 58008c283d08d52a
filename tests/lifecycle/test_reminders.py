"""Reminders of a charge: yearly renewals, another price, the end of a trial; and only while they are true."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from offramp_schemas.account import PriceChange
from offramp_schemas.lifecycle_events import RenewalUpcoming
from services.lifecycle.decide import Lifecycle
from services.lifecycle.policy import Policy, ReminderRules
from services.lifecycle.states import Active, Subscription
from services.runtime.policies import single
from tests.lifecycle.given import (
    DAY,
    HOUR,
    NOW,
    PERIOD_END,
    Story,
    cancellation,
    changed,
    failure,
    paid_plan,
    payment,
    renewed,
    trial,
    withdrawal,
)

YEAR_END = datetime(2027, 3, 1, tzinfo=NOW.tzinfo)
NEXT_YEAR_END = datetime(2028, 3, 1, tzinfo=NOW.tzinfo)
YEARLY: dict[str, Any] = {"interval": "year", "current_period_end": YEAR_END, "price_minor": 49000}


def yearly(**changes: Any) -> Story:
    return paid_plan(**YEARLY | changes)


def dearer(price: int = 5900, at: datetime = PERIOD_END) -> PriceChange:
    return PriceChange(price_minor=price, currency="EUR", effective_at=at)


def reminders(story: Story) -> list[tuple[str, int, int]]:
    """Kind, days left and amount of each that was given."""
    return [(fact.kind, fact.days_left, fact.amount_minor) for fact in story.heard_of(RenewalUpcoming)]


def test_a_yearly_renewal_is_recalled_thirty_and_seven_days_before() -> None:
    story = yearly(payment_method_on_file=True, card_brand="Visa", card_last4="4242").until(YEAR_END - HOUR)
    assert reminders(story) == [("renewal", 30, 49000), ("renewal", 7, 49000)]
    fact = story.heard_of(RenewalUpcoming)[0]
    assert (fact.charged_at, fact.interval, fact.previous_minor, fact.card_last4) == (YEAR_END, "year", None, "4242")


def test_and_again_in_the_next_year() -> None:
    story = yearly().until(YEAR_END)
    story.hears(renewed(YEAR_END, NEXT_YEAR_END).model_copy(update={"price_minor": 49000}))
    story.until(NEXT_YEAR_END)
    assert reminders(story) == [("renewal", 30, 49000), ("renewal", 7, 49000)] * 2


def test_a_monthly_renewal_is_not_recalled() -> None:
    assert reminders(paid_plan().until(PERIOD_END)) == []


def test_a_plan_may_want_it_otherwise() -> None:
    policy = Policy(reminders=ReminderRules(monthly=(timedelta(days=2),)))
    story = paid_plan(Lifecycle(single(policy))).until(PERIOD_END)
    assert reminders(story) == [("renewal", 2, 4900)]


def test_a_trial_is_told_three_and_one_day_before_its_first_charge() -> None:
    story = trial(days=14).until(NOW + 14 * DAY)
    assert reminders(story) == [("trial_ending", 3, 4900), ("trial_ending", 1, 4900)]
    assert story.heard_of(RenewalUpcoming)[0].charged_at == NOW + 14 * DAY


def test_a_short_trial_is_not_told_what_is_past() -> None:
    assert reminders(trial(days=2).until(NOW + 2 * DAY)) == [("trial_ending", 1, 4900)]


def test_a_trial_without_a_card_lapses_and_is_not_threatened_with_a_charge() -> None:
    assert reminders(trial(days=14, payment_method_on_file=False).until(NOW + 14 * DAY)) == []


def test_a_trial_of_a_free_plan_has_no_first_charge() -> None:
    assert reminders(trial(days=14, price_minor=0).until(NOW + 14 * DAY)) == []


def test_what_a_reseller_charges_is_theirs_to_recall() -> None:
    story = yearly(reseller={"reseller_id": "res_1", "name": "Shop", "contact": "shop@example.org"})
    assert reminders(story.until(YEAR_END)) == []


@pytest.mark.parametrize("event", [cancellation(), failure(), payment(end=NEXT_YEAR_END)])
def test_what_will_not_be_charged_then_is_not_recalled(event: Any) -> None:
    story = yearly().until(YEAR_END - 20 * DAY)
    story.hears(event)
    story.until(YEAR_END - HOUR)
    assert reminders(story) == [("renewal", 30, 49000)]


def test_a_trial_that_was_paid_for_is_not_recalled() -> None:
    story = trial(days=14)
    story.hears(payment(end=NOW + 30 * DAY))
    assert reminders(story.until(NOW + 14 * DAY)) == []


def test_who_withdraws_the_cancellation_hears_what_is_still_to_come() -> None:
    story = yearly().until(YEAR_END - 20 * DAY)
    story.hears(cancellation())
    story.passes(days=1)
    story.hears(withdrawal())
    story.until(YEAR_END)
    assert reminders(story) == [("renewal", 30, 49000), ("renewal", 7, 49000)]


def test_the_same_picture_again_recalls_nothing_again() -> None:
    story = yearly().until(YEAR_END - 29 * DAY)
    story.hears(changed(**YEARLY))
    story.hears(changed(**YEARLY, plan_name="Pro Plus"))
    story.until(YEAR_END)
    assert reminders(story) == [("renewal", 30, 49000), ("renewal", 7, 49000)]


def test_reminders_missed_in_a_downtime_come_as_one_and_none_after_the_charge() -> None:
    missed, too_late = yearly(), yearly()
    missed.sleeps_until(YEAR_END - 2 * DAY)
    assert reminders(missed) == [("renewal", 2, 49000)]
    too_late.sleeps_until(YEAR_END + HOUR)
    assert reminders(too_late) == []


def test_another_price_is_recalled_whatever_the_period() -> None:
    story = paid_plan()
    story.hears(changed(price_change=dearer(at=PERIOD_END + 30 * DAY)))
    story.hears(renewed())
    story.until(PERIOD_END + 30 * DAY)
    assert reminders(story) == [("price_change", 30, 5900), ("price_change", 7, 5900)]
    fact = story.heard_of(RenewalUpcoming)[0]
    assert (fact.previous_minor, fact.charged_at) == (4900, PERIOD_END + 30 * DAY)


def test_announced_late_it_is_told_at_once_and_once() -> None:
    story = paid_plan().until(PERIOD_END - 10 * DAY)
    story.hears(changed(price_change=dearer()))
    assert reminders(story) == [("price_change", 10, 5900)]
    story.hears(changed(price_change=dearer()))
    story.until(PERIOD_END)
    assert reminders(story) == [("price_change", 10, 5900), ("price_change", 7, 5900)]


def test_a_yearly_plan_hears_of_its_renewal_and_its_price_in_one() -> None:
    story = yearly()
    story.hears(changed(**YEARLY, price_change=dearer(59000, YEAR_END)))
    story.until(YEAR_END)
    assert reminders(story) == [("price_change", 30, 59000), ("price_change", 7, 59000)]


def test_a_price_of_the_year_after_next_leaves_the_next_renewal_as_it_is() -> None:
    story = yearly()
    story.hears(changed(**YEARLY, price_change=dearer(59000, NEXT_YEAR_END)))
    story.until(YEAR_END)
    assert reminders(story) == [("renewal", 30, 49000), ("renewal", 7, 49000)]


def test_a_higher_price_that_was_never_announced_is_told_before_it_is_charged() -> None:
    story = paid_plan()
    story.passes(days=1)
    story.hears(changed(price_minor=5900))
    story.hears(changed(price_minor=5900))
    assert reminders(story) == [("price_change", 30, 5900)]
    assert story.heard_of(RenewalUpcoming)[0].previous_minor == 4900
    story.until(PERIOD_END)
    assert reminders(story) == [("price_change", 30, 5900), ("price_change", 7, 5900)]


@pytest.mark.parametrize(
    "change",
    [
        {"price_minor": 3900},  # a lower one is good news that the invoice tells
        {"price_minor": 9900, "plan": "business"},  # the customer chose another plan
        {"price_minor": 5900, "current_period_end": PERIOD_END + 30 * DAY},  # charged already
    ],
)
def test_another_price_is_not_always_one_to_warn_of(change: dict[str, Any]) -> None:
    story = paid_plan()
    story.hears(changed(**change))
    assert reminders(story.until(PERIOD_END - HOUR)) == []


def test_a_price_that_is_taken_back_is_not_recalled() -> None:
    story = paid_plan()
    story.hears(changed(price_change=dearer(at=PERIOD_END + 30 * DAY)))
    story.hears(changed())
    story.until(PERIOD_END + 30 * DAY)
    assert reminders(story) == []


def test_a_price_announced_after_the_cancellation_is_told_only_to_who_stays() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.hears(changed(price_change=dearer()))
    story.until(PERIOD_END - 10 * DAY)
    assert reminders(story) == []
    story.hears(withdrawal())
    story.until(PERIOD_END)
    assert reminders(story) == [("price_change", 7, 5900)]


def test_a_subscription_that_a_former_version_stored_gets_its_reminders_with_the_next_picture() -> None:
    story = yearly()
    assert isinstance(story.state, Active)
    stored = msgspec.json.decode(msgspec.json.encode(story.state), type=dict[str, Any])
    del stored["reminders"]
    story._state = msgspec.json.decode(msgspec.json.encode(stored), type=Subscription)
    story.hears(changed(**YEARLY))
    assert reminders(story.until(YEAR_END)) == [("renewal", 30, 49000), ("renewal", 7, 49000)]


def test_a_period_that_starts_after_the_price_change_has_nothing_left_to_recall() -> None:
    story = paid_plan()
    story.hears(changed(price_change=dearer()))
    story.until(PERIOD_END)
    story.hears(renewed().model_copy(update={"price_minor": 5900}))
    told = len(reminders(story))
    story.hears(changed(price_minor=5900, current_period_start=PERIOD_END, current_period_end=PERIOD_END + 30 * DAY))
    story.until(PERIOD_END + 29 * DAY)
    assert len(reminders(story)) == told
