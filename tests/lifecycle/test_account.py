"""What billing and the account service say, in whatever order."""

from offramp_schemas import Contact, examples
from offramp_schemas.lifecycle_events import RenewalMissing
from offramp_schemas.refund_events import RefundClosed
from services.lifecycle.states import Active, Ended, NonRenewing, Trialing
from services.runtime.decision import Ignored, NotSeenYet, When
from tests.lifecycle.given import (
    DAY,
    HOUR,
    LIFECYCLE,
    NOW,
    PERIOD_END,
    cancellation,
    changed,
    data_deleted,
    failure,
    free_plan,
    paid_plan,
    payment,
    renewed,
    started,
    trial,
)


def test_what_speaks_of_an_unknown_subscription_waits_for_it() -> None:
    for event in (cancellation(), failure(), changed(), renewed(), data_deleted()):
        assert LIFECYCLE.decide("sub_1", None, event, When(NOW, NOW)) == NotSeenYet("subscription")
    assert LIFECYCLE.supplies(started()) == {"subscription"}


def test_a_subscription_starts_active_or_in_its_trial() -> None:
    assert isinstance(paid_plan().state, Active)
    assert isinstance(trial().state, Trialing)


def test_a_picture_replaces_the_one_before() -> None:
    story = paid_plan()
    story.hears(changed(contact=Contact(email="new@example.org", name="Ada")))
    assert story.state.facts.email == "new@example.org"


def test_an_older_picture_is_ignored() -> None:
    story = paid_plan()
    story.passes(days=1)
    story.hears(changed(plan_name="Newer"))
    assert isinstance(story.hears(changed(plan_name="Older"), at=NOW + HOUR), Ignored)
    assert story.state.facts.plan_name == "Newer"


def test_an_older_renewal_is_ignored() -> None:
    story = paid_plan()
    assert isinstance(story.hears(renewed(), at=NOW - HOUR), Ignored)


def test_a_picture_from_before_the_renewal_keeps_the_renewed_period() -> None:
    story = paid_plan()
    story.until(PERIOD_END + HOUR)
    story.hears(renewed())
    story.hears(changed(plan_name="Pro 2"), at=PERIOD_END - DAY)
    assert (story.state.facts.plan_name, story.state.facts.period_end) == ("Pro 2", PERIOD_END + 30 * DAY)


def test_started_again_is_a_picture_and_revives_nothing() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately"))
    story.hears(started(plan_name="Again"))
    assert isinstance(story.state, Ended)
    assert story.state.facts.plan_name == "Again"


def test_a_trial_that_is_prolonged_ends_later() -> None:
    story = trial(days=14)
    story.hears(changed(trial_ends_at=NOW + 30 * DAY, current_period_start=None, current_period_end=None))
    assert isinstance(story.state, Trialing)
    assert story.state.trial_ends_at == NOW + 30 * DAY


def test_a_picture_without_a_trial_ends_the_trial() -> None:
    story = trial()
    story.hears(changed())
    assert isinstance(story.state, Active)


def test_a_trial_happens_once() -> None:
    story = trial()
    story.hears(payment())
    story.hears(changed(trial_ends_at=NOW + 30 * DAY))
    assert isinstance(story.state, Active)


def test_the_silence_of_billing_is_told_daily_and_changes_nothing() -> None:
    story = paid_plan()
    story.until(PERIOD_END + 3 * DAY)
    assert [fact.period_end for fact in story.heard_of(RenewalMissing)] == [PERIOD_END] * 3
    assert story.name == "active"
    story.hears(renewed())
    story.passes(days=3)
    assert len(story.heard_of(RenewalMissing)) == 3


def test_days_of_downtime_bring_one_report_not_ten() -> None:
    story = paid_plan()
    story.sleeps_until(PERIOD_END + 10 * DAY)
    assert len(story.heard_of(RenewalMissing)) == 1


def test_a_change_of_address_does_not_put_off_the_report() -> None:
    story = paid_plan()
    story.until(PERIOD_END + HOUR)
    story.hears(changed(contact=Contact(email="new@example.org", name="Ada")))
    story.until(PERIOD_END + DAY)
    assert len(story.heard_of(RenewalMissing)) == 1


def test_a_free_plan_may_sleep() -> None:
    assert not LIFECYCLE.timers(free_plan().state)


def test_a_renewal_heard_late_moves_the_end_that_was_told() -> None:
    story = paid_plan()
    story.until(PERIOD_END + 2 * HOUR)
    story.hears(renewed(), at=PERIOD_END + HOUR)
    story.hears(cancellation())
    assert isinstance(story.state, NonRenewing)
    later = paid_plan()
    later.until(PERIOD_END - HOUR)
    later.hears(cancellation())
    later.hears(renewed(), at=PERIOD_END - 2 * HOUR)
    assert isinstance(later.state, NonRenewing)
    assert later.state.ends_at == story.state.ends_at
    assert later.told_kinds() == ["CancellationScheduled"]


def test_of_what_refunds_states_only_the_answers_are_heard() -> None:
    assert LIFECYCLE.route(failure(), "sub_1") == ("sub_1",)
    assert LIFECYCLE.route(examples.load(RefundClosed), "sub_1") == ()


def test_billing_has_a_day_to_be_heard_of_after_the_first_that_is_heard() -> None:
    story = paid_plan(current_period_end=NOW - 30 * DAY)
    story.passes(hours=23)
    assert story.heard_of(RenewalMissing) == []
    story.passes(hours=1)
    assert len(story.heard_of(RenewalMissing)) == 1


def test_a_plan_that_costs_nothing_but_has_periods_is_expected_to_be_renewed() -> None:
    story = paid_plan(price_minor=0)
    story.until(PERIOD_END + DAY)
    assert len(story.heard_of(RenewalMissing)) == 1
