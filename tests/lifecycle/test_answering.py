"""Answers to a retention offer: taken, declined, too late, not theirs; and whatever crosses them."""

from typing import Any

import pytest

from offramp_schemas import Event
from offramp_schemas.lifecycle_events import CancellationUndone
from offramp_schemas.pause_events import PauseRejected, SubscriptionPaused
from offramp_schemas.retention_events import (
    RetentionOfferApplied,
    RetentionOfferDeclined,
    RetentionOfferExpired,
    RetentionOfferRejected,
)
from services.lifecycle.decide import Lifecycle
from services.lifecycle.policy import OfferRules, Policy
from services.lifecycle.states import NonRenewing, Trialing
from services.runtime.decision import Ignored
from services.runtime.policies import Policies
from tests.lifecycle.given import (
    DAY,
    HOUR,
    NOW,
    PERIOD_END,
    STRANGER,
    SUPPORT,
    Story,
    answer,
    cancellation,
    changed,
    failure,
    paid_plan,
    payment,
    trial,
    withdrawal,
)
from tests.lifecycle.test_offers import leaves, offered

# --- accepted ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("because", ["too_expensive", "technical_issues"])
def test_accepting_undoes_the_cancellation_and_is_told_to_billing(because: str) -> None:
    story = leaves(because).passes(days=2)
    story.hears(answer())
    (fact,) = story.just_told
    assert isinstance(fact, RetentionOfferApplied)
    assert (story.name, fact.reference, fact.applied_at, fact.renews_at) == ("active", "CAN-1", story.now, PERIOD_END)
    assert story.until(PERIOD_END).name == "active"


def test_a_trial_goes_on_for_longer() -> None:
    story = leaves(None, trial(days=10))
    story.hears(answer())
    (fact,) = story.heard_of(RetentionOfferApplied)
    assert isinstance(story.state, Trialing)
    assert fact.trial_ends_at == story.state.trial_ends_at == NOW + 24 * DAY
    assert story.until(NOW + 24 * DAY).name == "trialing"
    assert story.passes(hours=1).name == "ended"


def test_a_pause_that_was_offered_keeps_the_data_and_is_one_mail() -> None:
    story = leaves("unused")
    story.hears(answer())
    assert story.told_kinds() == ["RetentionOfferApplied", "SubscriptionPaused"]
    (fact,) = story.heard_of(SubscriptionPaused)
    assert (fact.by_offer, fact.data_retained, fact.resumes_at, fact.reference) == (True, True, NOW + 90 * DAY, "CAN-1")


def test_past_due_it_is_past_due_again() -> None:
    story = paid_plan()
    story.hears(failure())
    story.hears(cancellation(feedback=("too_expensive",)))
    story.hears(answer())
    assert story.name == "past_due"


def test_in_time_is_when_it_was_said_not_when_it_was_heard() -> None:
    story = leaves()
    story.sleeps_until(NOW + 15 * DAY)
    assert len(story.heard_of(RetentionOfferExpired)) == 1
    story.hears(answer(), at=NOW + 14 * DAY - HOUR)
    assert story.told_kinds() == ["RetentionOfferApplied"]
    assert story.name == "active"


def test_who_declined_may_think_again_while_it_lasts() -> None:
    story = leaves()
    story.hears(answer("declined"))
    story.hears(answer(reference="ANS-2"))
    assert story.name == "active"


def test_the_terms_are_those_of_the_policy_it_was_made_under() -> None:
    old, new = Policy(), Policy(offers=OfferRules(discount_percent=10))
    story = paid_plan(Lifecycle(Policies(1, {1: old})))
    leaves(story=story)
    story.rules = Lifecycle(Policies(2, {1: old, 2: new}))
    story.hears(answer())
    (fact,) = story.heard_of(RetentionOfferApplied)
    assert fact.offer.discount_percent == 30


# --- declined, late, or not theirs ---------------------------------------------------------------------------------------------------


def test_declining_is_recorded_and_the_cancellation_stands() -> None:
    story = leaves()
    story.hears(answer("declined"))
    (fact,) = story.just_told
    assert isinstance(fact, RetentionOfferDeclined)
    assert (story.name, fact.ends_at) == ("non_renewing", PERIOD_END)
    story.until(PERIOD_END)
    assert story.heard_of(RetentionOfferExpired) == []


def test_too_late_is_told_and_the_cancellation_stands() -> None:
    story = leaves().until(NOW + 15 * DAY)
    story.hears(answer())
    (fact,) = story.just_told
    assert isinstance(fact, RetentionOfferExpired)
    assert (fact.answered_late, story.name) == (True, "non_renewing")


def test_after_the_end_it_is_too_late_as_well() -> None:
    story = leaves().until(PERIOD_END + DAY)
    story.hears(answer())
    (fact,) = story.just_told
    assert isinstance(fact, RetentionOfferExpired)
    assert (fact.answered_late, fact.ends_at, story.name) == (True, PERIOD_END, "ended")


@pytest.mark.parametrize("more", [{}, {"feedback": ("too_expensive",)}])
def test_a_cancellation_that_is_brought_forward_closes_the_offer(more: dict[str, Any]) -> None:
    story = leaves()
    story.hears(cancellation("CAN-2", mode="immediately", **more))
    assert [type(fact) for fact in story.just_told].count(RetentionOfferExpired) == 1
    story.hears(answer())
    assert story.told_kinds() == ["RetentionOfferExpired"]
    assert story.name == "ended"


def test_the_same_answer_twice_is_one() -> None:
    story = leaves()
    story.hears(answer())
    assert isinstance(story.hears(answer()), Ignored)
    assert isinstance(story.hears(answer(reference="ANS-2")), Ignored)


def test_declining_twice_is_no_news() -> None:
    story = leaves()
    story.hears(answer("declined"))
    assert isinstance(story.hears(answer("declined", reference="ANS-2")), Ignored)


def test_after_the_end_declining_is_no_news() -> None:
    story = leaves().until(PERIOD_END)
    assert isinstance(story.hears(answer("declined")), Ignored)


def rule(story: Story, event: Event) -> str:
    story.hears(event)
    (no,) = story.just_told
    assert isinstance(no, RetentionOfferRejected)
    return no.rule


def test_a_stranger_can_not_accept_it_and_support_can() -> None:
    story = leaves()
    assert rule(story, answer(by=STRANGER)) == "not_account_owner"
    assert story.name == "non_renewing"
    story.hears(answer(by=SUPPORT))
    assert story.name == "active"


def test_what_was_not_offered_can_not_be_accepted() -> None:
    assert rule(paid_plan(), answer()) == "no_open_offer"
    assert rule(leaves("other"), answer()) == "no_open_offer"
    assert rule(leaves(), answer(offer_id="CAN-0:offer")) == "no_open_offer"


def test_after_a_withdrawal_there_is_nothing_to_accept() -> None:
    story = leaves()
    story.hears(withdrawal())
    assert rule(story, answer()) == "no_open_offer"
    assert story.until(NOW + 20 * DAY).heard_of(RetentionOfferExpired) == []


def test_what_was_accepted_can_not_be_declined_any_more() -> None:
    story = leaves()
    story.hears(answer())
    assert rule(story, answer("declined", reference="ANS-2")) == "no_open_offer"


# --- crossed -------------------------------------------------------------------------------------------------------------------------


def test_a_trial_that_was_paid_for_meanwhile_is_not_extended_but_goes_on() -> None:
    story = leaves(None, trial(days=10)).passes(days=1)
    story.hears(payment(end=NOW + 30 * DAY), at=NOW - HOUR)
    story.hears(answer())
    assert story.told_kinds() == ["CancellationUndone"]
    assert (story.name, len(story.heard_of(CancellationUndone))) == ("active", 1)


def test_a_pause_is_not_possible_any_more_once_a_payment_failed() -> None:
    story = leaves("unused")
    story.hears(failure())
    story.hears(answer())
    (no,) = story.just_told
    assert isinstance(no, PauseRejected)
    assert (no.rule, story.name) == ("past_due", "non_renewing")


def test_a_picture_from_before_the_extension_does_not_shorten_the_trial() -> None:
    story = leaves(None, trial(days=10)).passes(days=1)
    story.hears(answer())
    story.passes(hours=1)
    story.hears(changed(trial_ends_at=NOW + 10 * DAY), at=NOW + 2 * HOUR)
    assert isinstance(story.state, Trialing)
    assert story.state.trial_ends_at == NOW + 24 * DAY


def test_a_picture_from_after_it_is_billings_word() -> None:
    story = leaves(None, trial(days=10)).passes(days=1)
    story.hears(answer())
    story.hears(changed(trial_ends_at=NOW + 20 * DAY))
    assert isinstance(story.state, Trialing)
    assert story.state.trial_ends_at == NOW + 20 * DAY


def test_an_offer_is_for_the_cancellation_that_it_came_with() -> None:
    story = leaves()
    story.hears(answer("declined"))
    story.hears(withdrawal())
    story.hears(cancellation("CAN-2"))
    assert rule(story, answer(reference="ANS-2")) == "no_open_offer"
    assert story.name == "non_renewing"


def test_another_cancellation_after_an_accepted_offer_is_as_good_as_any() -> None:
    story = leaves()
    story.hears(answer())
    story.hears(cancellation("CAN-2", feedback=("too_expensive",)))
    assert isinstance(story.state, NonRenewing)
    assert offered(story) == ["discount"]
    assert rule(story, answer("declined", reference="ANS-2")) == "no_open_offer"
