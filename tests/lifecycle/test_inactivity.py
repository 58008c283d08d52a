"""InactivityDetected: free and trial accounts are deactivated with warning, paying customers told the truth."""

from offramp_schemas.activity import InactivityDetected
from offramp_schemas.lifecycle_events import InactivityCleared, InactivityWarned, SubscriptionDeactivated
from services.lifecycle.states import Active, Ended
from services.runtime.decision import Decision, Ignored
from tests.lifecycle.given import (
    DAY,
    LIFECYCLE,
    NOW,
    Story,
    cancellation,
    changed,
    failure,
    free_plan,
    paid_plan,
    payment,
    trial,
    unused,
    used,
    withdrawal,
)


def kinds(story: Story) -> list[str]:
    return [fact.kind for fact in story.heard_of(InactivityWarned)]


def test_a_free_account_is_warned_reminded_and_deactivated_and_each_mail_names_both_numbers() -> None:
    story = free_plan()
    story.hears(unused(60, story))
    (warning,) = story.just_told
    assert isinstance(warning, InactivityWarned)
    assert (warning.kind, warning.inactive_days, warning.deactivates_after_days) == ("warning", 60, 90)
    assert warning.deactivation_at == NOW + 30 * DAY
    story.passes(days=15)
    assert kinds(story) == ["warning", "reminder"]
    story.passes(days=14)
    assert kinds(story) == ["warning", "reminder", "last_day"]
    story.passes(days=1)
    assert story.told_kinds() == ["SubscriptionDeactivated", "SubscriptionEnded"]
    (gone,) = story.heard_of(SubscriptionDeactivated)
    assert gone.inactive_days == 90
    assert isinstance(story.state, Ended)
    assert story.state.end_reason == "inactivity"


def test_a_trial_is_warned_like_a_free_account() -> None:
    story = trial(days=60)
    story.hears(unused(61, story))
    assert kinds(story) == ["warning"]


def test_an_account_that_will_be_inactive_long_enough_is_warned_on_that_day() -> None:
    story = free_plan()
    story.hears(unused(45, story))
    assert story.just_told == []
    story.passes(days=15)
    assert kinds(story) == ["warning"]


def test_the_deactivation_never_comes_closer_than_the_notice() -> None:
    story = free_plan()
    story.hears(unused(89, story))
    (warning,) = story.heard_of(InactivityWarned)
    assert warning.deactivation_at == NOW + 7 * DAY


def test_counted_again_every_day_it_is_warned_once() -> None:
    story = free_plan()
    last_seen_at = unused(60, story)
    for _ in range(5):
        story.hears(last_seen_at)
        story.passes(days=1)
    assert kinds(story) == ["warning"]


def test_used_again_every_warning_is_void() -> None:
    story = free_plan()
    story.hears(unused(60, story))
    story.passes(days=1)
    story.hears(used(story.now))
    assert [type(fact) for fact in story.just_told] == [InactivityCleared]
    assert not LIFECYCLE.timers(story.state)


def test_a_shorter_absence_than_the_one_warned_of_makes_the_warning_void() -> None:
    story = free_plan()
    story.hears(unused(70, story))
    story.hears(unused(10, story))
    assert story.told_kinds() == ["InactivityCleared"]
    story.hears(unused(9, story))
    assert story.just_told == []


def test_who_was_not_warned_hears_nothing_of_it() -> None:
    story = free_plan()
    story.hears(unused(10, story))
    story.hears(used(story.now))
    assert story.just_told == []


def test_used_later_than_the_detection_says_is_ignored() -> None:
    story = free_plan()
    story.hears(used(NOW - DAY))
    assert isinstance(story.hears(unused(60, story)), Ignored)


def test_an_older_use_does_not_clear_a_newer_inactivity() -> None:
    story = free_plan()
    story.hears(unused(60, story))
    assert isinstance(story.hears(used(NOW - 70 * DAY)), Ignored)
    assert isinstance(story.state, Active)
    assert story.state.inactivity


def test_used_in_between_it_is_warned_anew() -> None:
    story = free_plan()
    story.hears(unused(60, story))
    story.passes(days=10)
    story.hears(unused(5, story))  # used five days ago, although nobody said so
    assert isinstance(story.state, Active)
    assert story.state.inactivity
    assert story.state.inactivity.warn_at == story.now + 55 * DAY


def test_a_downtime_makes_one_mail_and_the_last_day_is_a_whole_one() -> None:
    story = free_plan()
    story.hears(unused(60, story))
    story.sleeps_until(NOW + 40 * DAY)
    assert kinds(story) == ["warning", "last_day"]
    assert story.name == "active"
    story.passes(days=1)
    assert story.name == "ended"


def test_a_paying_customer_hears_the_truth_and_is_never_deactivated() -> None:
    story = paid_plan()
    story.hears(unused(60, story))
    (honest,) = story.just_told
    assert isinstance(honest, InactivityWarned)
    assert (honest.kind, honest.deactivation_at, honest.price_minor) == ("paid_but_unused", None, 4900)
    story.passes(days=60)
    assert story.name == "active"


def test_not_more_often_than_every_thirty_days() -> None:
    story = paid_plan()
    for _ in range(5):
        story.hears(unused(60, story))
        story.passes(days=10)
    assert kinds(story) == ["paid_but_unused"] * 2


def test_a_paying_customer_who_comes_back_makes_the_mail_void() -> None:
    story = paid_plan()
    story.hears(unused(60, story))
    story.passes(hours=1)
    story.hears(used(story.now))
    assert [type(fact) for fact in story.just_told] == [InactivityCleared]
    story.passes(hours=1)
    story.hears(used(story.now))
    assert story.just_told == []


def test_while_a_charge_is_unpaid_a_paying_customer_hears_it_too() -> None:
    story = paid_plan()
    story.hears(failure())
    story.hears(unused(60, story))
    assert kinds(story) == ["paid_but_unused"]


def test_who_is_leaving_is_left_alone_and_who_stays_is_counted_from_then() -> None:
    story = trial(days=60)
    story.hears(unused(61, story))
    story.hears(cancellation())
    assert isinstance(story.hears(unused(61, story)), Decision)
    assert kinds(story) == ["warning"]
    story.hears(withdrawal())
    assert not any(timer.name.startswith("inactivity") for timer in LIFECYCLE.timers(story.state))


def test_a_free_account_that_is_upgraded_or_paid_for_is_never_deactivated() -> None:
    upgraded, paid = free_plan(), trial(days=60)
    for story in (upgraded, paid):
        story.hears(unused(61, story))
    upgraded.hears(changed())
    paid.hears(payment())
    for story in (upgraded, paid):
        assert "inactivity:deactivation" not in {timer.name for timer in LIFECYCLE.timers(story.state)}


def test_after_the_end_nobody_counts() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately"))
    assert isinstance(story.hears(unused(60, story)), Ignored)
    assert isinstance(story.hears(used(NOW)), Ignored)


def test_who_counts_the_days_decides_when_they_are_enough() -> None:
    story = free_plan()
    seen = story.now - 45 * DAY
    for days in (45, 60):
        story.hears(InactivityDetected(last_seen_at=seen, inactive_days=days))
    assert kinds(story) == ["warning"]


def test_a_deactivation_waits_for_every_input_to_be_read() -> None:
    story = free_plan()
    story.hears(unused(60, story))
    assert {timer.name for timer in LIFECYCLE.timers(story.state) if timer.takes_away} == {"inactivity:deactivation"}
