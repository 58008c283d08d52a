"""Retention offers: who gets which, when, for how long, and not again too soon."""

from typing import Any

import pytest
from msgspec.structs import replace

from offramp_schemas.lifecycle_events import CancellationScheduled
from offramp_schemas.retention_events import (
    RetentionOffered,
    RetentionOfferExpired,
)
from services.lifecycle.decide import Lifecycle
from services.lifecycle.facts import Heard
from services.lifecycle.policy import OfferRules, Policy
from services.runtime.policies import single
from tests.lifecycle.given import (
    DAY,
    NOW,
    PERIOD_END,
    Story,
    cancellation,
    changed,
    free_plan,
    paid_plan,
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


def test_an_offer_to_another_subscription_of_the_customer_counts_as_well() -> None:
    story = paid_plan()
    story._state = replace(story.state, heard=Heard(offered_at=NOW - 364 * DAY))  # the store merges it in
    assert offered(leaves(story=story)) == []


def test_nobody_who_paused_this_year_is_offered_a_pause() -> None:
    story = paid_plan()
    story._state = replace(story.state, heard=Heard(paused_at=NOW - 300 * DAY))
    assert offered(leaves("unused", story)) == []


def test_a_long_reference_still_makes_an_offer() -> None:
    story = paid_plan()
    story.hears(cancellation("C" * 200, feedback=("too_expensive",)))
    assert offered(story) == ["discount"]
