"""Win-back: after an end that the customer wanted, with their consent, and never promising data that is gone."""

from typing import Any

import pytest

from offramp_schemas.retention_events import WinBackDue
from services.lifecycle.decide import Lifecycle
from services.lifecycle.policy import Policy, WinBackRules
from services.runtime.policies import single
from tests.lifecycle.given import (
    DAY,
    NOW,
    PERIOD_END,
    Story,
    cancellation,
    changed,
    data_deleted,
    erased,
    failure,
    free_plan,
    paid_plan,
    payment,
    reactivation,
    refund_approved,
    trial,
    unused,
)


def gone(story: Story | None = None, **more: Any) -> Story:
    story = story or paid_plan(marketing_consent=True)
    story.hears(cancellation(**{"mode": "immediately"} | more))
    return story


def steps(story: Story) -> list[tuple[int, int, str]]:
    return [(fact.step, fact.days_since_end, fact.data_stage) for fact in story.heard_of(WinBackDue)]


def test_who_agreed_is_asked_after_thirty_and_ninety_days() -> None:
    story = gone()
    story.hears(data_deleted(), at=NOW)
    story.passes(days=400)
    assert steps(story) == [(1, 30, "deleted"), (2, 90, "deleted")]


def test_counted_from_the_end_not_from_the_cancellation() -> None:
    story = gone(mode="at_period_end").until(PERIOD_END + 30 * DAY)
    (fact,) = story.heard_of(WinBackDue)
    assert (fact.ended_at, fact.days_since_end, fact.price_minor, fact.interval) == (PERIOD_END, 30, 4900, "month")


def test_data_that_was_kept_is_promised_until_it_is_deleted_and_no_other() -> None:
    kept, due = gone(keep_data=True).passes(days=31), gone().passes(days=31)
    (promised,), (silent,) = kept.heard_of(WinBackDue), due.heard_of(WinBackDue)
    assert (promised.data_stage, promised.retained_until) == ("retained", NOW + (5 + 365) * DAY)
    assert (silent.data_stage, silent.retained_until) == ("deletion_due", None)


def test_who_did_not_agree_is_never_asked() -> None:
    assert steps(gone(paid_plan()).passes(days=400)) == []


def test_consent_is_that_of_the_day() -> None:
    taken_back, given = gone(), gone(paid_plan())
    taken_back.passes(days=40).hears(changed(marketing_consent=False))
    given.passes(days=40).hears(changed(marketing_consent=True))
    assert [step for step, *_ in steps(taken_back.passes(days=400))] == [1]
    assert [step for step, *_ in steps(given.passes(days=400))] == [2]


def test_whoever_goes_on_agreeing_has_agreed_when_they_first_did_and_anew_after_having_taken_it_back() -> None:
    story = gone().passes(days=5)
    story.hears(changed(marketing_consent=True))
    goes_on = story.state.facts.consented_at
    story.passes(days=5).hears(changed(marketing_consent=False))
    assert (goes_on, story.state.facts.consented_at) == (NOW, None)
    story.passes(days=5).hears(changed(marketing_consent=True))
    story.hears(changed(marketing_consent=False), at=NOW)  # an older picture, heard late
    (fact,) = story.passes(days=20).heard_of(WinBackDue)
    assert fact.marketing_consented_at == NOW + 15 * DAY


def test_another_customer_who_took_it_over_has_agreed_for_themselves() -> None:
    story = gone().passes(days=5)
    story.hears(changed(marketing_consent=True, customer_id="cus_other"))
    assert story.state.facts.consented_at == NOW + 5 * DAY


def test_who_asked_to_be_forgotten_is_never_asked() -> None:
    story = gone()
    story.hears(erased())
    story.hears(changed(marketing_consent=True))
    assert steps(story.passes(days=400)) == []


def unpaid() -> Story:
    story = paid_plan(marketing_consent=True)
    story.hears(failure())
    return story.passes(days=9)


def deactivated() -> Story:
    story = free_plan(marketing_consent=True)
    story.hears(unused(60, story))
    return story.passes(days=31)


@pytest.mark.parametrize("ended", [unpaid, deactivated, lambda: trial(marketing_consent=True).passes(days=15)])
def test_nor_who_did_not_want_the_end(ended: Any) -> None:
    story: Story = ended()
    assert story.name == "ended"
    assert steps(story.passes(days=400)) == []


def test_a_full_refund_by_right_is_an_end_that_was_wanted() -> None:
    story = paid_plan(marketing_consent=True)
    story.hears(payment(payment_id="pay_1", end=PERIOD_END))
    story.hears(refund_approved("pay_1"))
    assert [step for step, *_ in steps(story.passes(days=100))] == [1, 2]


def test_a_downtime_makes_one_question_not_two() -> None:
    story = gone()
    story.sleeps_until(NOW + 200 * DAY)
    assert [(step, days) for step, days, _ in steps(story)] == [(2, 200)]


def test_whoever_came_back_is_not_asked_to() -> None:
    story = gone(paid_plan(marketing_consent=True)).passes(days=2)
    story.hears(reactivation())
    assert story.name == "active"
    assert steps(story.until(PERIOD_END + 100 * DAY)) == []


def test_nor_who_is_about_to() -> None:
    story = gone(paid_plan(marketing_consent=True, payment_method_on_file=False), keep_data=True).passes(days=29)
    story.hears(reactivation())
    assert story.told_kinds() == ["PaymentMethodNeeded"]
    assert steps(story.passes(days=5)) == []


def test_reactivated_after_the_first_step_a_later_end_begins_anew() -> None:
    story = gone(paid_plan(marketing_consent=True), keep_data=True).passes(days=31)
    story.hears(changed(marketing_consent=True, payment_method_on_file=True, card_last4="4242"))
    story.hears(reactivation())
    story.hears(payment(payment_id="pay_back", end=story.now + 30 * DAY))
    assert story.name == "active"
    story.hears(cancellation("CAN-2", mode="immediately"))
    assert [step for step, *_ in steps(story.passes(days=100))] == [1, 1, 2]


def test_a_policy_without_steps_asks_nobody() -> None:
    story = paid_plan(Lifecycle(single(Policy(win_back=WinBackRules(after=())))), marketing_consent=True)
    assert steps(gone(story).passes(days=400)) == []


def test_steps_that_a_newer_policy_has_dropped_are_over() -> None:
    story = gone().passes(days=40)
    story.rules = Lifecycle(single(Policy(win_back=WinBackRules(after=(20 * DAY,)))))
    assert [step for step, *_ in steps(story.passes(days=400))] == [1]


def test_what_a_reseller_sold_is_theirs_to_win_back() -> None:
    story = paid_plan(marketing_consent=True, reseller={"reseller_id": "res_1", "name": "Shop", "contact": "shop@example.org"})
    story.hears(payment(payment_id="pay_1", end=PERIOD_END))
    story.hears(refund_approved("pay_1"))
    assert story.name == "ended"
    assert steps(story.passes(days=100)) == []
