"""PaymentFailed: the schedule, its recovery, its end."""

from offramp_schemas.lifecycle_events import (
    CardUpdateDue,
    DunningExhausted,
    PaymentPastDue,
    PaymentRecovered,
    PaymentRetryDue,
    SubscriptionEnded,
)
from services.lifecycle.decide import Lifecycle
from services.lifecycle.facts import PaymentMethod
from services.lifecycle.policy import Policy
from services.lifecycle.states import Active, Ended, PastDue
from services.runtime.decision import Decision, Ignored
from services.runtime.policies import Policies, single
from tests.lifecycle.given import DAY, HOUR, LIFECYCLE, NOW, PERIOD_END, cancellation, changed, failure, new_card, paid_plan, payment, trial


def test_a_failed_payment_makes_it_past_due_and_the_customer_hears_when_it_is_tried_again() -> None:
    story = paid_plan()
    story.hears(failure())
    assert story.name == "past_due"
    (fact,) = story.just_told
    assert isinstance(fact, PaymentPastDue)
    assert (fact.next_attempt_at, fact.gives_up_at, fact.card_last4) == (NOW + DAY, NOW + 8 * DAY, "4242")


def test_a_soft_decline_is_retried_on_days_1_3_5_and_7_and_then_it_ends() -> None:
    story = paid_plan()
    story.hears(failure())
    story.passes(days=9)
    assert [(fact.step, fact.steps, fact.next_attempt_at) for fact in story.heard_of(PaymentRetryDue)] == [
        (1, 4, NOW + 3 * DAY), (2, 4, NOW + 5 * DAY), (3, 4, NOW + 7 * DAY), (4, 4, None),
    ]  # fmt: skip
    (exhausted,) = story.heard_of(DunningExhausted)
    (ended,) = story.heard_of(SubscriptionEnded)
    assert (ended.end_reason, ended.ended_at, ended.card_last4, exhausted.steps) == ("payment_failed", NOW + 8 * DAY, "4242", 4)


def test_a_hard_decline_is_never_retried_but_the_card_is_asked_for_at_every_step() -> None:
    story = paid_plan()
    story.hears(failure(kind="hard"))
    (fact,) = story.just_told
    assert isinstance(fact, PaymentPastDue)
    assert fact.next_attempt_at is None
    story.passes(days=7)
    assert [fact.step for fact in story.heard_of(CardUpdateDue)] == [1, 2, 3, 4]
    assert story.heard_of(PaymentRetryDue) == []


def test_between_the_last_step_and_the_end_lies_a_day() -> None:
    story = paid_plan()
    story.hears(failure())
    story.passes(days=7, hours=23)
    assert story.name == "past_due"
    story.passes(hours=1)
    assert story.name == "ended"


def test_a_payment_at_any_step_recovers_it() -> None:
    story = paid_plan()
    story.hears(failure())
    story.passes(days=4)
    story.hears(payment())
    (recovered,) = story.just_told
    assert isinstance(recovered, PaymentRecovered)
    assert (recovered.after_step, recovered.still_open) == (2, 0)
    story.passes(days=20)
    assert story.name == "active"


def test_a_payment_in_the_settle_margin_is_in_time() -> None:
    story = paid_plan()
    story.hears(failure())
    story.passes(days=7, hours=12)
    story.hears(payment())
    assert story.name == "active"


def test_several_invoices_are_several_dunnings_and_the_last_payment_recovers_it() -> None:
    story = paid_plan()
    story.hears(failure("in_7"))
    story.passes(days=2)
    story.hears(failure("in_8"))
    assert story.told_kinds() == ["PaymentPastDue"]
    story.hears(payment("in_7", "pay_7"))
    assert story.name == "past_due"
    assert [fact.still_open for fact in story.heard_of(PaymentRecovered)] == [1]
    story.hears(payment("in_8", "pay_8"))
    assert isinstance(story.state, Active)


def test_the_first_one_exhausted_ends_it_and_the_others_are_named() -> None:
    story = paid_plan()
    story.hears(failure("in_7"))
    story.passes(days=2)
    story.hears(failure("in_8"))
    story.passes(days=7)
    (ended,) = story.heard_of(SubscriptionEnded)
    assert {balance.invoice_id for balance in ended.open_balances} == {"in_7", "in_8"}
    assert "DunningStopped" not in {type(fact).__name__ for fact in story.told}


def test_a_retry_that_fails_too_says_nothing_since_the_step_has_spoken() -> None:
    story = paid_plan()
    story.hears(failure())
    story.passes(days=1)
    assert isinstance(story.hears(failure(last4="9999")), Decision)
    assert story.just_told == []
    assert isinstance(story.state, PastDue)
    assert story.state.dunnings["in_7"].card_last4 == "9999"
    assert story.state.dunnings["in_7"].step == 1


def test_hard_stays_hard_until_the_card_is_replaced() -> None:
    story = paid_plan()
    story.hears(failure(kind="hard"))
    story.hears(failure(kind="soft"))
    story.passes(days=1)
    assert story.told_kinds() == ["CardUpdateDue"]
    story.hears(new_card())
    story.passes(days=2)
    assert story.told_kinds() == ["PaymentRetryDue"]


def test_a_new_card_is_charged_at_once_for_every_open_invoice_and_the_schedule_goes_on() -> None:
    story = paid_plan()
    story.hears(failure("in_7", kind="hard"))
    story.hears(failure("in_8"))
    story.passes(days=2)
    story.hears(new_card("1111"))
    retries = [fact for fact in story.just_told if isinstance(fact, PaymentRetryDue)]
    assert {(fact.invoice_id, fact.step, fact.card_last4) for fact in retries} == {("in_7", 0, "1111"), ("in_8", 0, "1111")}
    story.passes(days=1)
    assert [fact.step for fact in story.just_told if isinstance(fact, PaymentRetryDue)] == [2]


def test_a_new_card_without_anything_owed_is_noted_and_no_more() -> None:
    story = paid_plan()
    story.hears(new_card("1111"))
    assert story.just_told == []
    assert story.state.facts.method == PaymentMethod(True, NOW, "Mastercard", "1111")
    assert isinstance(story.hears(new_card("2222"), at=NOW - HOUR), Ignored)


def test_a_card_given_before_the_failure_is_the_one_that_failed() -> None:
    story = paid_plan()
    story.hears(failure())
    story.hears(new_card("1111"), at=NOW - HOUR)
    assert story.just_told == []
    assert isinstance(story.state, PastDue)
    assert story.state.dunnings["in_7"].card_last4 == "4242"


def test_a_late_failure_of_a_paid_invoice_changes_nothing() -> None:
    story = paid_plan()
    story.hears(payment("in_7"))
    assert isinstance(story.hears(failure("in_7")), Ignored)
    assert story.name == "active"


def test_an_older_failure_does_not_overwrite_a_newer_one() -> None:
    story = paid_plan()
    story.passes(days=1)
    story.hears(failure(kind="soft"))
    assert isinstance(story.hears(failure(kind="hard"), at=NOW), Ignored)


def test_steps_missed_in_a_downtime_come_as_one_the_latest() -> None:
    story = paid_plan()
    story.hears(failure())
    story.sleeps_until(NOW + 5 * DAY + HOUR)
    assert [fact.step for fact in story.heard_of(PaymentRetryDue)] == [3]
    story.until(NOW + 7 * DAY)
    assert [fact.step for fact in story.heard_of(PaymentRetryDue)] == [3, 4]


def test_after_a_downtime_that_outlasted_the_schedule_the_customer_still_has_a_day() -> None:
    story = paid_plan()
    story.hears(failure())
    story.sleeps_until(NOW + 20 * DAY)
    assert story.told_kinds() == ["PaymentRetryDue"]
    assert story.name == "past_due"
    story.passes(days=1)
    assert story.name == "ended"


def test_a_failure_heard_late_costs_the_customer_no_day() -> None:
    story = paid_plan()
    story.passes(days=10)
    story.hears(failure(), at=NOW)
    assert isinstance(story.state, PastDue)
    assert story.state.dunnings["in_7"].gives_up_at == story.now + 8 * DAY


def test_a_trial_whose_first_charge_fails_is_past_due() -> None:
    story = trial(days=1)
    story.passes(days=1)
    story.hears(failure())
    assert story.name == "past_due"
    story.passes(days=8)
    assert isinstance(story.state, Ended)
    assert story.state.end_reason == "payment_failed"


def test_a_failure_after_the_end_is_nothing_to_us() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately"))
    assert isinstance(story.hears(failure()), Ignored)


def test_a_dunning_keeps_the_policy_and_the_plan_it_started_under() -> None:
    old = Policy()
    new = Policy.model_validate({"dunning": {"steps": ["2d"]}, "plans": {"free": {"dunning": {"steps": ["1h"]}}}})
    story = paid_plan(Lifecycle(Policies(1, {1: old})))
    story.hears(failure())
    story.rules = Lifecycle(Policies(2, {1: old, 2: new}))
    story.hears(changed(plan="free"))
    story.passes(days=8)
    assert [fact.steps for fact in story.heard_of(PaymentRetryDue)] == [4, 4, 4, 4]


def test_a_dunning_keeps_the_steps_of_the_plan_it_started_under() -> None:
    rules = Lifecycle(single(Policy.model_validate({"plans": {"pro": {"dunning": {"steps": ["1d", "2d"]}}}})))
    story = paid_plan(rules)
    story.hears(failure())
    story.hears(changed(plan="other"))
    story.passes(days=2)
    assert [(fact.step, fact.steps) for fact in story.heard_of(PaymentRetryDue)] == [(1, 2), (2, 2)]


def test_a_dunning_keeps_the_steps_of_the_country_it_started_in() -> None:
    rules = Lifecycle(single(Policy.model_validate({"countries": {"DE": {"dunning": {"steps": ["1d", "2d"]}}}})))
    story = paid_plan(rules)
    story.hears(failure())
    story.hears(changed(country="FR"))
    story.passes(days=2)
    assert [(fact.step, fact.steps) for fact in story.heard_of(PaymentRetryDue)] == [(1, 2), (2, 2)]


def test_giving_up_waits_for_every_input_to_be_read() -> None:
    story = paid_plan()
    story.hears(failure())
    story.passes(days=7)
    assert {(timer.name, timer.takes_away) for timer in LIFECYCLE.timers(story.state)} == {("give-up:in_7", True)}


def test_a_charge_that_fails_after_the_scheduled_end_leaves_nothing_owed() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.now = PERIOD_END  # the end has not fired yet
    assert isinstance(story.hears(failure()), Ignored)
