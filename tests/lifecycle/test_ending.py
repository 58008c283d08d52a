"""The end of access and what follows it, and the trial that nobody paid for."""

from offramp_schemas.lifecycle_events import (
    DataDeletionDue,
    DataExportDue,
    SubscriptionDataDeleted,
    SubscriptionEnded,
    SubscriptionEndingSoon,
)
from services.lifecycle.states import Ended
from services.runtime.decision import Ignored
from tests.lifecycle.given import DAY, HOUR, LIFECYCLE, NOW, PERIOD_END, Story, cancellation, data_deleted, paid_plan, trial


def ended() -> Story:
    story = paid_plan()
    story.hears(cancellation(mode="immediately"))
    return story


def test_the_end_is_recalled_three_days_before_and_comes_when_it_was_told() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.until(PERIOD_END - 3 * DAY)
    (soon,) = story.heard_of(SubscriptionEndingSoon)
    assert (soon.reference, soon.ends_at) == ("CAN-1", PERIOD_END)
    story.until(PERIOD_END)
    (end,) = story.heard_of(SubscriptionEnded)
    assert (end.ended_at, end.asked_now, end.reference, end.export_by) == (PERIOD_END, False, "CAN-1", PERIOD_END + 5 * DAY)


def test_who_cancels_in_the_last_days_is_not_reminded_again() -> None:
    story = paid_plan()
    story.until(PERIOD_END - 2 * DAY)
    story.hears(cancellation())
    story.until(PERIOD_END)
    assert story.heard_of(SubscriptionEndingSoon) == []


def test_after_a_downtime_that_outlasted_the_end_nobody_is_told_that_it_comes_soon() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.sleeps_until(PERIOD_END + HOUR)
    assert story.heard_of(SubscriptionEndingSoon) == []
    assert story.name == "ended"


def test_what_takes_access_or_data_away_waits_for_every_input_to_be_read() -> None:
    canceled, over = paid_plan(), ended()
    canceled.hears(cancellation())
    assert {timer.name for timer in LIFECYCLE.timers(canceled.state) if timer.takes_away} == {"end"}
    assert {timer.name for timer in LIFECYCLE.timers(over.state) if timer.takes_away} == {"data-deletion"}
    assert {timer.name for timer in LIFECYCLE.timers(trial().state) if timer.takes_away} == {"trial-end"}


def test_the_data_can_be_exported_for_five_days_and_the_last_one_is_recalled() -> None:
    story = ended()
    story.passes(days=4)
    (recalled,) = story.heard_of(DataExportDue)
    assert recalled.export_by == NOW + 5 * DAY


def test_then_its_deletion_is_asked_for_every_day_until_it_is_done() -> None:
    story = ended()
    story.passes(days=7)
    assert [(fact.reminder, fact.ended_at) for fact in story.heard_of(DataDeletionDue)] == [(1, NOW), (2, NOW), (3, NOW)]
    story.hears(data_deleted())
    (done,) = story.heard_of(SubscriptionDataDeleted)
    assert done.deleted_at == NOW + 7 * DAY
    assert {timer.name for timer in LIFECYCLE.timers(story.state)} == {"win-back"}


def test_a_downtime_makes_one_question_and_leaves_a_whole_day_to_export() -> None:
    story = ended()
    story.sleeps_until(NOW + 20 * DAY)
    assert [fact.export_by for fact in story.heard_of(DataExportDue)] == [story.now + DAY]
    assert story.heard_of(DataDeletionDue) == []
    story.sleeps_until(NOW + 30 * DAY)
    assert len(story.heard_of(DataDeletionDue)) == 1


def test_an_end_that_is_decided_late_still_leaves_a_day_to_export() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.now = PERIOD_END + 30 * DAY
    story.until(story.now)
    (end,) = story.heard_of(SubscriptionEnded)
    assert end.ended_at == PERIOD_END
    assert end.export_by == story.now + DAY


def test_data_deleted_without_being_asked_is_deleted() -> None:
    story = ended()
    story.passes(hours=1)
    story.hears(data_deleted())
    assert isinstance(story.state, Ended)
    assert story.state.data_stage == "deleted"
    assert isinstance(story.hears(data_deleted()), Ignored)


def test_the_stage_of_the_data_is_told_apart() -> None:
    story = ended()
    stages = []
    for days in (0, 5):
        story.passes(days=days)
        assert isinstance(story.state, Ended)
        stages.append(story.state.data_stage)
    assert stages == ["grace", "deletion_due"]


def test_data_deleted_before_the_end_is_not_the_data_of_this_time() -> None:
    story = ended()
    assert isinstance(story.hears(data_deleted(), at=NOW - DAY), Ignored)


def test_a_trial_that_nobody_paid_for_ends_an_hour_after_it() -> None:
    story = trial(days=14)
    story.until(NOW + 14 * DAY + HOUR / 2)
    assert story.name == "trialing"
    story.until(NOW + 14 * DAY + HOUR)
    assert isinstance(story.state, Ended)
    assert (story.state.end_reason, story.state.ended_at) == ("trial_expired", NOW + 14 * DAY)
