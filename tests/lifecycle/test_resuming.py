"""The end of a pause: by plan, early, or for want of a card."""

from typing import Any

from offramp_schemas.account import Reseller
from offramp_schemas.lifecycle_events import SubscriptionEnded
from offramp_schemas.pause_events import PaymentMethodNeeded, ResumeRejected, ResumingSoon, SubscriptionResumed
from services.lifecycle.states import Active, Paused
from services.runtime.decision import Ignored
from tests.lifecycle.given import (
    DAY,
    HOUR,
    LIFECYCLE,
    NOW,
    PERIOD_END,
    STRANGER,
    Story,
    cancellation,
    changed,
    data_deleted,
    failure,
    new_card,
    paid_plan,
    pause,
    payment,
    renewed,
    resume,
    trial,
)


def resting(days: int = 90, keep_data: bool = True, **facts: Any) -> Story:
    story = paid_plan(**facts)
    story.hears(pause(days=days, keep_data=keep_data))
    return story


def without_card(days: int = 90) -> Story:
    return resting(days, payment_method_on_file=False)


def test_seven_days_and_one_day_before_the_customer_is_reminded_of_the_charge() -> None:
    story = resting().passes(days=89)
    reminders = story.heard_of(ResumingSoon)
    assert [(each.days_left, each.resumes_at, each.price_minor) for each in reminders] == [
        (7, NOW + 90 * DAY, 4900),
        (1, NOW + 90 * DAY, 4900),
    ]
    assert not any(each.needs_payment_method or each.data_deleted for each in reminders)


def test_days_of_downtime_bring_one_reminder_and_after_the_day_itself_none() -> None:
    story = resting().sleeps_until(NOW + 89 * DAY + HOUR)
    assert [each.days_left for each in story.heard_of(ResumingSoon)] == [1]
    late = resting().sleeps_until(NOW + 91 * DAY)
    assert late.heard_of(ResumingSoon) == []
    assert late.name == "active"


def test_on_its_last_day_it_goes_on_by_itself() -> None:
    story = resting().passes(days=90)
    (fact,) = story.heard_of(SubscriptionResumed)
    assert (fact.resumed_at, fact.reference, fact.renews_at, fact.data_deleted) == (NOW + 90 * DAY, None, None, False)
    assert isinstance(story.state, Active)


def test_the_owner_has_it_back_whenever_they_want() -> None:
    story = resting().passes(days=3)
    story.hears(resume())
    (fact,) = story.just_told
    assert isinstance(fact, SubscriptionResumed)
    assert (fact.reference, fact.resumed_at) == ("RES-1", NOW + 3 * DAY)


def test_what_is_still_paid_for_is_charged_again_only_afterwards() -> None:
    story = resting().passes(days=3)
    story.hears(resume())
    (fact,) = story.heard_of(SubscriptionResumed)
    assert fact.renews_at == PERIOD_END


def test_billing_has_a_day_to_charge_before_its_silence_is_told() -> None:
    story = resting().passes(days=90)
    assert {timer.due_at for timer in LIFECYCLE.timers(story.state) if timer.name == "renewal-missing"} == {story.now + DAY}


def test_without_a_card_the_customer_is_asked_for_one_and_it_goes_on_at_once_when_it_comes() -> None:
    story = without_card().passes(days=3)
    story.hears(resume())
    (asked,) = story.just_told
    assert isinstance(asked, PaymentMethodNeeded)
    assert (asked.purpose, asked.reference, asked.give_by, asked.declined) == ("resume", "RES-1", NOW + 104 * DAY, False)
    story.hears(new_card("1111"))
    (fact,) = story.just_told
    assert isinstance(fact, SubscriptionResumed)
    assert (fact.reference, fact.card_last4) == ("RES-1", "1111")


def test_a_card_that_nobody_waits_for_is_noted_and_the_pause_goes_on() -> None:
    story = without_card()
    story.hears(new_card())
    assert (story.just_told, story.name) == ([], "paused")
    story.passes(days=90)
    assert story.name == "active"


def test_on_the_last_day_without_a_card_the_customer_is_asked_reminded_and_fourteen_days_later_it_ends() -> None:
    story = without_card().passes(days=90)
    story.passes(days=14)
    asked = story.heard_of(PaymentMethodNeeded)
    assert [(each.reminder, each.give_by) for each in asked] == [(n, NOW + 104 * DAY) for n in (1, 2, 3)]
    (end,) = story.heard_of(SubscriptionEnded)
    assert (end.end_reason, end.ended_at) == ("pause_expired", NOW + 104 * DAY)


def test_a_card_in_time_saves_it() -> None:
    story = without_card().passes(days=100)
    story.hears(new_card())
    assert story.told_kinds() == ["SubscriptionResumed"]
    story.passes(days=10)
    assert story.heard_of(SubscriptionEnded) == []


def test_the_reminder_says_that_a_card_will_be_needed() -> None:
    story = without_card().passes(days=84)
    (soon,) = story.heard_of(ResumingSoon)
    assert soon.needs_payment_method


def test_a_declined_card_is_no_card_until_one_is_charged_again() -> None:
    story = paid_plan()
    story.hears(failure(kind="hard"))
    story.hears(payment())
    story.hears(pause(days=10))
    story.passes(days=10)
    assert story.name == "active"


def test_billing_may_say_that_a_card_is_there() -> None:
    story = without_card().passes(days=91)
    story.hears(changed(payment_method_on_file=True))
    assert story.told_kinds() == ["SubscriptionResumed"]


def test_an_older_picture_or_one_that_does_not_say_takes_no_card_away() -> None:
    story = without_card().passes(days=1)
    story.hears(new_card())
    story.hears(changed(payment_method_on_file=False), at=NOW + HOUR)
    story.hears(changed())
    assert story.state.facts.method is not None
    assert story.state.facts.method.usable


def test_a_plan_that_costs_nothing_by_then_needs_no_card() -> None:
    story = without_card().passes(days=1)
    story.hears(changed(price_minor=0, payment_method_on_file=False))
    story.passes(days=90)
    assert story.name == "active"


def test_paid_another_way_it_goes_on() -> None:
    story = without_card().passes(days=91)
    story.hears(payment("in_9", "pay_9"))
    assert story.told_kinds() == ["SubscriptionResumed"]
    assert story.state.facts.paid_through == story.now + 31 * DAY


def test_a_renewal_that_was_asked_back_does_not_count_as_that_payment() -> None:
    story = without_card().passes(days=91)
    story.hears(renewed(story.now, story.now + 30 * DAY, "pay_9"))
    story.hears(payment("in_9", "pay_9"))
    assert (story.just_told, story.name) == ([], "paused")


def test_who_returns_after_the_deletion_is_told_before_and_then_that_the_account_is_empty() -> None:
    story = resting(keep_data=False).passes(days=6)
    story.hears(data_deleted())
    story.passes(days=84)
    assert [each.data_deleted for each in story.heard_of(ResumingSoon)] == [True, True]
    (fact,) = story.heard_of(SubscriptionResumed)
    assert fact.data_deleted


def test_who_resumes_while_the_deletion_is_under_way_is_told_so_too() -> None:
    story = resting(keep_data=False).passes(days=6)
    story.hears(resume())
    (fact,) = story.heard_of(SubscriptionResumed)
    assert fact.data_deleted


def test_the_warning_looks_ahead_to_the_day_it_resumes() -> None:
    story = resting(days=8, keep_data=False).passes(days=1)
    (soon,) = story.heard_of(ResumingSoon)
    assert soon.data_deleted


def test_a_stranger_resumes_nothing() -> None:
    story = resting()
    story.hears(resume(by=STRANGER))
    (no,) = story.just_told
    assert isinstance(no, ResumeRejected)
    assert (no.rule, no.requester_name, story.name) == ("not_account_owner", "Mallory", "paused")


def test_one_that_is_resold_by_now_is_resumed_by_its_reseller() -> None:
    story = resting()
    story.hears(changed(reseller=Reseller(reseller_id="res_1", name="Shop", contact="help@shop.example")))
    story.hears(resume())
    (no,) = story.just_told
    assert isinstance(no, ResumeRejected)
    assert no.rule == "managed_by_reseller"


def test_what_does_not_rest_can_not_be_resumed() -> None:
    stories = {"not_paused": [paid_plan(), trial()], "already_ended": [paid_plan()]}
    stories["already_ended"][0].hears(cancellation(mode="immediately"))
    for rule, each in stories.items():
        for story in each:
            story.hears(resume())
            (no,) = story.just_told
            assert isinstance(no, ResumeRejected)
            assert no.rule == rule


def test_the_same_request_twice_is_one_and_another_one_asks_again() -> None:
    story = without_card()
    story.hears(resume())
    assert isinstance(story.hears(resume()), Ignored)
    story.hears(resume("RES-2"))
    (asked,) = story.just_told
    assert isinstance(asked, PaymentMethodNeeded)
    assert (asked.reference, asked.reminder) == ("RES-2", 2)


def test_a_cancellation_heard_late_but_before_the_last_day_is_in_time() -> None:
    story = resting().passes(days=89)
    story.now = NOW + 91 * DAY  # the guarded end of the pause waits for this very event
    story.hears(cancellation(), at=NOW + 89 * DAY)
    assert story.name == "ended"
    assert not isinstance(story.state, Paused)
