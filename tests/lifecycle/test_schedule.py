"""When a canceled subscription ends: with what is paid for, whatever was heard first."""

from offramp_schemas.lifecycle_events import CancellationScheduled, SubscriptionEnded
from services.lifecycle.decide import Lifecycle
from services.lifecycle.policy import Policy
from services.lifecycle.states import Ended, NonRenewing
from services.runtime.policies import single
from tests.lifecycle.given import (
    DAY,
    HOUR,
    NOW,
    PERIOD_END,
    cancellation,
    changed,
    failure,
    free_plan,
    paid_plan,
    payment,
    renewed,
    trial,
)


def test_a_commitment_keeps_it_longer() -> None:
    story = paid_plan(commitment_ends_at=PERIOD_END + 60 * DAY)
    story.hears(cancellation())
    assert isinstance(story.state, NonRenewing)
    assert story.state.ends_at == PERIOD_END + 60 * DAY


def test_a_notice_period_keeps_it_longer() -> None:
    rules = Lifecycle(single(Policy.model_validate({"plans": {"pro": {"cancellation": {"notice": "60d"}}}})))
    story = paid_plan(rules)
    story.hears(cancellation())
    assert isinstance(story.state, NonRenewing)
    assert story.state.ends_at == NOW + 60 * DAY


def test_a_country_s_law_limits_the_notice_of_every_plan_and_lengthens_none() -> None:
    rules = Lifecycle(
        single(
            Policy.model_validate(
                {
                    "plans": {"pro": {"cancellation": {"notice": "60d"}}},
                    "countries": {"DE": {"cancellation": {"notice": {"at_most": "28d"}}}},
                }
            )
        )
    )
    ends = {}
    for plan, country in (("pro", "DE"), ("pro", "US"), ("other", "DE")):
        story = paid_plan(rules, plan=plan, country=country, current_period_end=NOW + DAY)
        story.hears(cancellation())
        assert isinstance(story.state, NonRenewing)
        ends[plan, country] = story.state.ends_at - NOW
    assert ends == {("pro", "DE"): 28 * DAY, ("pro", "US"): 60 * DAY, ("other", "DE"): DAY}


def test_a_free_plan_ends_at_once_since_nothing_is_paid_for() -> None:
    story = free_plan()
    story.hears(cancellation())
    (ended,) = story.just_told
    assert isinstance(ended, SubscriptionEnded)
    assert ended.asked_now


def test_a_trial_simply_lapses_when_it_ends() -> None:
    story = trial(days=14)
    story.hears(cancellation())
    assert isinstance(story.state, NonRenewing)
    assert (story.state.ends_at, story.state.return_state) == (NOW + 14 * DAY, "trialing")
    story.passes(days=14)
    assert isinstance(story.state, Ended)
    assert story.state.end_reason == "requested"


def test_a_failed_payment_after_the_paid_period_means_it_ends_now_and_the_invoice_is_named() -> None:
    story = paid_plan()
    story.until(PERIOD_END + HOUR)
    story.hears(failure())
    story.hears(cancellation())
    assert story.told_kinds() == ["DunningStopped", "SubscriptionEnded"]
    (ended,) = story.heard_of(SubscriptionEnded)
    assert [open_.invoice_id for open_ in ended.open_balances] == ["in_7"]


def test_a_failed_payment_within_the_paid_period_lets_it_run_out_unchased() -> None:
    story = paid_plan()
    story.hears(failure())
    story.hears(cancellation())
    assert story.told_kinds() == ["DunningStopped", "CancellationScheduled"]
    story.until(PERIOD_END)
    assert story.told_kinds() == ["SubscriptionEnded"]
    (ended,) = story.heard_of(SubscriptionEnded)
    assert (ended.end_reason, ended.open_balances[0].amount_minor) == ("requested", 4900)
    assert story.fired == ["survey", "ending-soon", "end"]


def test_a_renewal_that_failed_leaves_only_the_period_before_it_paid() -> None:
    story = paid_plan()
    story.until(PERIOD_END + HOUR)
    story.hears(renewed())
    story.hears(failure())
    story.hears(cancellation())
    assert story.name == "ended"


def test_a_renewal_that_was_paid_counts_whichever_is_heard_first() -> None:
    paid_first, renewed_first = paid_plan(), paid_plan()
    for story in (paid_first, renewed_first):
        story.until(PERIOD_END + HOUR)
    paid_first.hears(payment("in_8", "pay_8"))
    paid_first.hears(renewed(payment_id="pay_8"))
    renewed_first.hears(renewed(payment_id="pay_8"))
    renewed_first.hears(payment("in_8", "pay_8"))
    for story in (paid_first, renewed_first):
        story.hears(failure("in_addon"))
        story.hears(cancellation())
        assert isinstance(story.state, NonRenewing)
        assert story.state.ends_at == PERIOD_END + 30 * DAY


def test_an_unknown_period_of_a_paid_plan_is_taken_to_be_the_longest() -> None:
    story = paid_plan(current_period_start=None, current_period_end=None)
    story.hears(cancellation())
    assert isinstance(story.state, NonRenewing)
    assert story.state.ends_at == NOW + 31 * DAY


def test_a_period_paid_before_the_cancellation_but_heard_after_it_is_given() -> None:
    story = paid_plan()
    story.until(PERIOD_END - HOUR)
    story.hears(cancellation())
    story.passes(minutes=30)
    story.hears(payment("in_8", "pay_8", PERIOD_END, PERIOD_END + 30 * DAY), at=PERIOD_END - 2 * HOUR)
    assert isinstance(story.state, NonRenewing)
    assert story.state.ends_at == PERIOD_END + 30 * DAY
    (again,) = story.just_told
    assert isinstance(again, CancellationScheduled)
    assert again.ends_at == story.state.ends_at


def test_a_picture_after_the_cancellation_does_not_move_the_end() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.passes(days=1)
    story.hears(changed(current_period_end=PERIOD_END + 30 * DAY))
    assert story.just_told == []
    assert isinstance(story.state, NonRenewing)
    assert story.state.ends_at == PERIOD_END
