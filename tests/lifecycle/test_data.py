"""The data while there is no access: kept if the customer asked for that, and deleted when it was told."""

from typing import Any

from offramp_schemas.lifecycle_events import (
    CancellationScheduled,
    DataDeletionDue,
    DataDeletionSoon,
    DataExportDue,
    DataRetained,
    LiveDataDeleted,
    SubscriptionDataDeleted,
    SubscriptionEnded,
)
from services.lifecycle.states import Ended, Paused
from services.runtime.decision import Ignored
from tests.lifecycle.given import (
    DAY,
    HOUR,
    LIFECYCLE,
    NOW,
    PERIOD_END,
    Story,
    cancellation,
    data_deleted,
    erased,
    failure,
    paid_plan,
    pause,
    reactivation,
    resume,
    trial,
)


def kept() -> Story:
    story = paid_plan()
    story.hears(cancellation(mode="immediately", keep_data=True))
    return story


def resting(**asked: Any) -> Story:
    story = paid_plan()
    story.hears(pause(**asked))
    return story


def stage(story: Story) -> str:
    assert isinstance(story.state, Paused | Ended)
    return story.state.data_stage


def test_who_asks_for_it_when_canceling_is_told_how_long_it_is_kept() -> None:
    story = paid_plan()
    story.hears(cancellation(keep_data=True))
    (told,) = story.heard_of(CancellationScheduled)
    assert (told.data_retained, told.export_by, told.deletion_due_at) == (True, PERIOD_END + 5 * DAY, PERIOD_END + 370 * DAY)
    story.until(PERIOD_END)
    (end,) = story.heard_of(SubscriptionEnded)
    assert (end.data_retained, end.export_by, end.deletion_due_at) == (True, PERIOD_END + 5 * DAY, PERIOD_END + 370 * DAY)


def test_who_does_not_is_told_when_it_is_deleted() -> None:
    story = paid_plan()
    story.hears(cancellation())
    (told,) = story.heard_of(CancellationScheduled)
    assert (told.data_retained, told.deletion_due_at) == (False, PERIOD_END + 5 * DAY)


def test_the_wish_may_come_with_a_second_cancellation_and_outlives_a_third() -> None:
    story = paid_plan()
    story.hears(cancellation("CAN-1"))
    story.hears(cancellation("CAN-2", keep_data=True))
    (told,) = story.just_told
    assert isinstance(told, CancellationScheduled)
    assert (told.reference, told.data_retained) == ("CAN-1", True)
    story.hears(cancellation("CAN-3", mode="immediately"))
    (end,) = story.heard_of(SubscriptionEnded)
    assert end.data_retained


def test_after_five_days_of_grace_it_is_retained_for_a_year_and_nobody_is_hurried_to_export_it() -> None:
    story = kept().passes(days=4)
    assert (story.heard_of(DataExportDue), stage(story)) == ([], "grace")
    story.passes(days=1)
    (told,) = story.heard_of(DataRetained)
    assert (told.retained_until, stage(story)) == (NOW + 370 * DAY, "retained")


def test_a_week_before_its_deletion_the_customer_is_reminded_and_then_it_is_asked_for_daily() -> None:
    story = kept().passes(days=363)
    (soon,) = story.heard_of(DataDeletionSoon)
    assert (soon.deletion_due_at, soon.days_left, soon.data_retained) == (NOW + 370 * DAY, 7, True)
    assert story.heard_of(DataDeletionDue) == []
    story.passes(days=9)
    assert [each.reminder for each in story.heard_of(DataDeletionDue)] == [1, 2, 3]
    assert stage(story) == "deletion_due"
    story.hears(data_deleted())
    assert stage(story) == "deleted"
    assert not LIFECYCLE.timers(story.state)


def test_a_long_downtime_skips_no_stage_and_leaves_a_day_to_react() -> None:
    story = kept().sleeps_until(NOW + 500 * DAY)
    assert story.told_kinds() == ["DataDeletionSoon"]
    assert [each.deletion_due_at for each in story.heard_of(DataDeletionSoon)] == [NOW + 501 * DAY]
    assert stage(story) == "retained"
    assert story.heard_of(DataDeletionDue) == []


def test_the_data_of_a_pause_goes_the_same_way() -> None:
    story = resting().passes(days=6)
    assert [(each.ended_at, each.reminder) for each in story.heard_of(DataDeletionDue)] == [(NOW, 1), (NOW, 2)]
    story.hears(data_deleted())
    (gone,) = story.heard_of(SubscriptionDataDeleted)
    assert (gone.deleted_at, story.name, stage(story)) == (NOW + 6 * DAY, "paused", "deleted")
    assert isinstance(story.hears(data_deleted()), Ignored)


def test_kept_data_of_a_pause_outlives_it() -> None:
    story = resting(days=365, keep_data=True).passes(days=364)
    assert stage(story) == "retained"
    assert story.heard_of(DataDeletionSoon) == []
    story.passes(days=1)
    assert story.name == "active"


def test_whoever_resumes_has_their_data_back() -> None:
    story = resting().passes(days=3)
    story.hears(resume())
    story.passes(days=20)
    assert story.heard_of(DataDeletionDue) == []


def test_nothing_is_deleted_while_a_paused_customer_is_asked_for_a_card() -> None:
    story = paid_plan(payment_method_on_file=False)
    story.hears(pause(days=365, keep_data=True))
    story.passes(days=378)
    assert (story.name, story.heard_of(DataDeletionDue)) == ("paused", [])
    story.passes(days=1)
    assert story.heard_of(SubscriptionEnded)[0].data_stage == "retained"


def test_a_pause_that_is_canceled_in_grace_has_a_whole_one_again() -> None:
    story = resting().passes(days=3)
    story.hears(cancellation())
    (end,) = story.heard_of(SubscriptionEnded)
    assert (end.export_by, end.data_stage, end.data_retained) == (NOW + 8 * DAY, "grace", False)


def test_what_a_pause_keeps_is_kept_when_it_is_canceled() -> None:
    early, late = resting(keep_data=True).passes(days=3), resting(keep_data=True).passes(days=30)
    for story in (early, late):
        story.hears(cancellation())
    assert [story.heard_of(SubscriptionEnded)[0].data_retained for story in (early, late)] == [True, True]
    assert late.heard_of(SubscriptionEnded)[0].deletion_due_at == NOW + 370 * DAY
    late.until(NOW + 363 * DAY)
    assert late.told_kinds() == ["DataDeletionSoon"]


def test_data_that_a_pause_has_lost_is_not_promised_by_its_end() -> None:
    story = resting().passes(days=6)
    story.hears(data_deleted())
    story.hears(cancellation(keep_data=True))
    (end,) = story.heard_of(SubscriptionEnded)
    assert (end.data_stage, end.data_retained) == ("deleted", False)
    assert not [timer for timer in LIFECYCLE.timers(story.state) if timer.name.startswith(("data", "export"))]


def test_its_deletion_that_was_asked_for_before_the_end_is_asked_for_on() -> None:
    story = resting().passes(days=6)
    story.hears(cancellation())
    story.passes(days=1)
    assert [each.reminder for each in story.heard_of(DataDeletionDue)] == [1, 2, 3]


def test_data_deleted_before_the_pause_is_not_the_data_of_this_one() -> None:
    assert isinstance(resting().hears(data_deleted(), at=NOW - DAY), Ignored)


def test_data_that_is_deleted_while_its_subscription_goes_on_is_told_to_ops_and_the_customer() -> None:
    past_due, leaving = paid_plan(), paid_plan()
    past_due.hears(failure())
    leaving.hears(cancellation())
    for story in (trial(), paid_plan(), past_due, leaving):
        before = story.name
        story.hears(data_deleted())
        (lost,) = story.just_told
        assert isinstance(lost, LiveDataDeleted)
        assert (lost.deleted_at, lost.contact.email, story.name) == (NOW, "ada@example.org", before)


def test_who_returned_while_the_data_was_being_deleted_hears_the_truth_once() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately"))
    story.passes(days=1)
    story.hears(reactivation())
    assert story.name == "active"
    story.hears(data_deleted(), at=story.now - HOUR)
    assert story.told_kinds() == ["LiveDataDeleted"]
    assert isinstance(story.hears(data_deleted(), at=story.now - HOUR), Ignored)
    story.passes(days=2)
    story.hears(data_deleted())
    assert len(story.heard_of(LiveDataDeleted)) == 2, "what was built up since is another loss"


def test_who_resumed_to_an_empty_account_is_not_told_of_that_deletion_again() -> None:
    story = resting().passes(days=6)
    story.hears(data_deleted())
    story.hears(resume())
    assert isinstance(story.hears(data_deleted(), at=story.now), Ignored)


def test_data_that_is_deleted_for_who_asked_to_be_forgotten_alarms_nobody() -> None:
    story = paid_plan()
    story.hears(erased())
    assert isinstance(story.hears(data_deleted()), Ignored)
