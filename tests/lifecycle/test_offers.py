"""Retention offers: who gets which, what an answer does, and whatever crosses it."""

from typing import Any

import pytest
from msgspec.structs import replace

from offramp_schemas import Event
from offramp_schemas.lifecycle_events import CancellationScheduled, CancellationUndone
from offramp_schemas.pause_events import PauseRejected, SubscriptionPaused
from offramp_schemas.retention_events import (
    RetentionOfferApplied,
    RetentionOfferDeclined,
    RetentionOffered,
    RetentionOfferExpired,
    RetentionOfferRejected,
)
from services.lifecycle.decide import Lifecycle
from services.lifecycle.facts import Heard
from services.lifecycle.policy import OfferRules, Policy
from services.lifecycle.states import NonRenewing, Trialing
from services.runtime.decision import Ignored
from services.runtime.policies import Policies, single
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
    free_plan,
    paid_plan,
    payment,
    started_trial,
    trial,
    withdrawal,
)


def leaves(because: str | None = "too_expensive", story: Story | None = None, **more: Any) -> Story:
    story = story or paid_plan()
    story.hears(cancellation(feedback=(because,) if because else (), **more))
    return story


def offered(story: Story) -> list[str]:
    return [fact.offer.kind for fact in story.heard_of(RetentionOffered)]


@pytest.mark.parametrize(
    ("because", "kind"),
    [
        ("too_expensive", "discount"),
        ("unused", "pause"),
        ("missing_features", "success_session"),
        ("technical_issues", "success_session"),
    ],
)
def test_the_reason_chooses_the_offer(because: str, kind: str) -> None:
    assert offered(leaves(because)) == [kind]


@pytest.mark.parametrize("because", ["customer_service", "switched_service", "company_closed", "other", None])
def test_no_offer_suits_every_reason(because: str | None) -> None:
    assert offered(leaves(because)) == []


def test_of_several_reasons_the_first_that_has_an_offer_decides() -> None:
    story = paid_plan()
    story.hears(cancellation(feedback=("other", "unused", "too_expensive")))
    assert offered(story) == ["pause"]


@pytest.mark.parametrize("because", ["too_expensive", "other", None])
def test_a_trial_is_offered_more_time_whatever_the_reason(because: str | None) -> None:
    story = leaves(because, trial())
    (fact,) = story.heard_of(RetentionOffered)
    assert (fact.offer.kind, fact.offer.extension_days) == ("trial_extension", 14)


def test_where_a_policy_extends_no_trial_the_reason_decides() -> None:
    rules = Lifecycle(single(Policy(offers=OfferRules(extend_trial_by=None))))
    assert offered(leaves("technical_issues", Story(started_trial(), rules))) == ["success_session"]


@pytest.mark.parametrize("because", ["too_expensive", "unused"])
def test_a_free_plan_can_not_be_cheaper_and_needs_no_pause(because: str) -> None:
    story = free_plan(commitment_ends_at=NOW + 20 * DAY)
    assert offered(leaves(because, story)) == []


def test_a_discount_is_told_in_money() -> None:
    (fact,) = leaves().heard_of(RetentionOffered)
    offer = fact.offer
    assert (offer.discount_percent, offer.discount_periods, offer.price_minor, offer.currency) == (30, 3, 3430, "EUR")
    assert (fact.reference, fact.ends_at, fact.marketing_consent) == ("CAN-1", PERIOD_END, False)


def test_the_offer_comes_beside_the_confirmation_and_changes_nothing_in_it() -> None:
    story = leaves()
    assert story.told_kinds() == ["CancellationScheduled", "FeedbackRecorded", "RetentionOffered"]
    (proof,) = story.heard_of(CancellationScheduled)
    assert (story.name, proof.ends_at) == ("non_renewing", PERIOD_END)


def test_whoever_wants_out_immediately_gets_no_offer() -> None:
    assert offered(leaves(mode="immediately")) == []


def test_it_is_open_for_fourteen_days() -> None:
    story = leaves()
    story.until(NOW + 14 * DAY)
    (fact,) = story.heard_of(RetentionOfferExpired)
    assert (fact.offer.expires_at, fact.ends_at, fact.answered_late) == (NOW + 14 * DAY, PERIOD_END, False)
    assert story.name == "non_renewing"


def test_but_never_longer_than_access_lasts() -> None:
    story = paid_plan().until(PERIOD_END - 5 * DAY)
    leaves(story=story)
    story.until(PERIOD_END)
    assert story.heard_of(RetentionOffered)[0].offer.expires_at == PERIOD_END
    assert len(story.heard_of(RetentionOfferExpired)) == 1
    assert story.name == "ended"


def test_the_next_one_comes_after_twelve_months_at_the_earliest() -> None:
    story = leaves()
    story.hears(withdrawal())
    story.hears(cancellation("CAN-2", feedback=("unused",)))
    story.hears(withdrawal("WDR-2"))
    assert offered(story) == ["discount"]
    story.until(NOW + 365 * DAY)
    story.hears(changed(current_period_end=NOW + 380 * DAY))
    story.hears(cancellation("CAN-3", feedback=("unused",)))
    assert offered(story) == ["discount", "pause"]


def test_nobody_who_paused_this_year_is_offered_a_pause() -> None:
    story = paid_plan()
    story._state = replace(story.state, heard=Heard(paused_at=NOW - 300 * DAY))
    assert offered(leaves("unused", story)) == []


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


def test_another_cancellation_after_an_accepted_offer_is_as_good_as_any() -> None:
    story = leaves()
    story.hears(answer())
    story.hears(cancellation("CAN-2", feedback=("too_expensive",)))
    assert isinstance(story.state, NonRenewing)
    assert offered(story) == ["discount"]
    assert rule(story, answer("declined", reference="ANS-2")) == "no_open_offer"


def test_a_long_reference_still_makes_an_offer() -> None:
    story = paid_plan()
    story.hears(cancellation("C" * 200, feedback=("too_expensive",)))
    assert offered(story) == ["discount"]
