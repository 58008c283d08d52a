"""Why customers leave: kept when they say it, asked once when they do not, and by a person where they matter more than most."""

from typing import Any

import pytest

from offramp_schemas.lifecycle_events import SubscriptionEnded
from offramp_schemas.retention_events import FeedbackRecorded, PersonalOutreachRequested, SurveyDue
from services.lifecycle.states import Cancellation, Ended, NonRenewing
from services.runtime.decision import Ignored
from tests.lifecycle.given import (
    DAY,
    HOUR,
    NOW,
    PERIOD_END,
    Story,
    cancellation,
    erased,
    failure,
    feedback,
    free_plan,
    paid_plan,
    pause,
    trial,
    withdrawal,
)


def canceled(story: Story | None = None, **more: Any) -> Story:
    story = story or paid_plan()
    story.hears(cancellation(**more))
    return story


def kept(story: Story) -> Cancellation:
    assert isinstance(story.state, NonRenewing | Ended)
    assert story.state.cancellation is not None
    return story.state.cancellation


# --- said ----------------------------------------------------------------------------------------------------------------------------


def test_what_is_said_with_the_cancellation_is_recorded() -> None:
    story = canceled(feedback=("technical_issues", "other"), comment="Exports fail", switching_to="paper")
    (fact,) = story.heard_of(FeedbackRecorded)
    assert (fact.cancellation_ref, fact.feedback, fact.comment, fact.switching_to) == (
        "CAN-1",
        ("technical_issues", "other"),
        "Exports fail",
        "paper",
    )


def test_what_is_said_later_is_kept_with_the_cancellation_it_explains() -> None:
    story = canceled().passes(hours=1)
    story.hears(feedback("technical_issues", comment="Exports fail"))
    (fact,) = story.just_told
    assert isinstance(fact, FeedbackRecorded)
    assert (fact.cancellation_ref, kept(story).feedback, kept(story).comment) == ("CAN-1", ("technical_issues",), "Exports fail")


def test_after_the_end_too() -> None:
    story = canceled(mode="immediately").passes(days=200)
    story.hears(feedback("goals_not_met", cancellation_ref="CAN-1"))
    assert story.told_kinds() == ["FeedbackRecorded"]
    assert kept(story).feedback == ("goals_not_met",)


def test_the_newest_word_holds_and_what_it_leaves_out_stays() -> None:
    story = canceled(feedback=("unused",), comment="Nobody logs in")
    story.hears(feedback("too_complex"))
    assert (kept(story).feedback, kept(story).comment) == (("too_complex",), "Nobody logs in")


def test_of_another_cancellation_it_is_recorded_by_itself() -> None:
    story = canceled(feedback=("unused",))
    story.hears(feedback("too_expensive", cancellation_ref="CAN-0"))
    (fact,) = story.just_told
    assert isinstance(fact, FeedbackRecorded)
    assert (fact.cancellation_ref, kept(story).feedback) == ("CAN-0", ("unused",))
    assert story.state.heard.feedback is not None
    assert story.state.heard.feedback.codes == ("too_expensive",)


@pytest.mark.parametrize("happened", [(), (failure(),), (pause(),), (cancellation(), withdrawal())])
def test_who_did_not_cancel_may_say_why_they_may(happened: tuple[Any, ...]) -> None:
    story = paid_plan()
    for event in happened:
        story.hears(event)
    before = story.name
    story.hears(feedback("low_quality"))
    assert story.told_kinds() == ["FeedbackRecorded"]
    assert (story.name, story.state.heard.feedback and story.state.heard.feedback.codes) == (before, ("low_quality",))


def test_who_pauses_may_say_why_with_it() -> None:
    story = paid_plan()
    story.hears(pause(feedback=("unused",), comment="On holiday"))
    assert story.told_kinds() == ["SubscriptionPaused", "FeedbackRecorded"]
    assert (story.name, story.state.heard.feedback and story.state.heard.feedback.comment) == ("paused", "On holiday")


def test_nothing_said_is_nothing_recorded() -> None:
    assert isinstance(canceled().hears(feedback()), Ignored)


def test_the_reasons_in_a_second_cancellation_are_heard() -> None:
    story = canceled()
    story.hears(cancellation("CAN-2", feedback=("unused",)))
    assert story.told_kinds() == ["FeedbackRecorded"]
    assert (kept(story).reference, kept(story).feedback) == ("CAN-1", ("unused",))
    assert story.until(PERIOD_END).heard_of(SurveyDue) == []


def test_brought_forward_a_cancellation_keeps_its_reasons() -> None:
    story = canceled(feedback=("unused",), comment="Nobody logs in")
    story.hears(cancellation("CAN-2", mode="immediately"))
    assert (kept(story).reference, kept(story).feedback, kept(story).comment) == ("CAN-2", ("unused",), "Nobody logs in")
    (ended,) = story.heard_of(SubscriptionEnded)
    assert ended.reason_given
    assert len(story.heard_of(FeedbackRecorded)) == 1


def test_whoever_was_forgotten_says_nothing_any_more() -> None:
    story = canceled(mode="immediately")
    story.hears(erased())
    assert isinstance(story.hears(feedback("other", comment="It was me, Ada")), Ignored)


# --- asked ---------------------------------------------------------------------------------------------------------------------------


def test_who_gave_no_reason_is_asked_once_a_day_later() -> None:
    story = canceled(paid_plan(marketing_consent=True)).passes(days=1)
    (fact,) = story.heard_of(SurveyDue)
    assert (fact.reference, fact.ends_at, fact.marketing_consent) == ("CAN-1", PERIOD_END, True)
    assert len(story.until(PERIOD_END + 100 * DAY).heard_of(SurveyDue)) == 1


def test_also_after_an_end_at_once() -> None:
    (fact,) = canceled(mode="immediately").passes(days=1).heard_of(SurveyDue)
    assert fact.ends_at == NOW


def test_also_when_access_ends_before_that_day() -> None:
    story = paid_plan().until(PERIOD_END - HOUR)
    canceled(story).until(PERIOD_END + DAY)
    assert len(story.heard_of(SurveyDue)) == 1


@pytest.mark.parametrize("more", [{"feedback": ("other",)}, {"comment": "Bye"}])
def test_who_gave_a_reason_is_not_asked(more: dict[str, Any]) -> None:
    assert canceled(**more).until(PERIOD_END).heard_of(SurveyDue) == []


@pytest.mark.parametrize("event", [feedback("other"), withdrawal()])
def test_nor_who_gives_one_or_stays_after_all_before_that_day(event: Any) -> None:
    story = canceled().passes(hours=23)
    story.hears(event)
    assert story.until(PERIOD_END).heard_of(SurveyDue) == []


def test_a_cancellation_that_is_brought_forward_is_one_survey() -> None:
    asked, again = canceled(), canceled().passes(days=2)
    asked.hears(cancellation("CAN-2", mode="immediately"))
    again.hears(cancellation("CAN-2", mode="immediately"))
    assert len(asked.passes(days=30).heard_of(SurveyDue)) == 1
    assert len(again.passes(days=30).heard_of(SurveyDue)) == 1


def test_who_did_not_cancel_is_not_asked() -> None:
    story = paid_plan()
    story.hears(failure())
    assert story.passes(days=60).heard_of(SurveyDue) == []


def test_nor_who_was_forgotten_meanwhile() -> None:
    story = canceled()
    story.hears(erased())
    assert story.passes(days=30).heard_of(SurveyDue) == []


# --- by a person ---------------------------------------------------------------------------------------------------------------------

LONG_AGO = NOW - 730 * DAY


@pytest.mark.parametrize(
    ("facts", "because"),
    [
        ({"price_minor": 50_000}, ("high_value",)),
        ({"price_minor": 600_000, "interval": "year"}, ("high_value",)),
        ({"account_created_at": LONG_AGO}, ("long_standing",)),
        ({"current_period_start": LONG_AGO}, ("long_standing",)),  # the contract is as old, for all we know
        ({"price_minor": 50_000, "account_created_at": LONG_AGO}, ("high_value", "long_standing")),
        ({"price_minor": 100_000_000, "currency": "SEK", "account_created_at": LONG_AGO}, ("long_standing",)),
    ],
)
def test_a_person_writes_to_who_pays_much_or_has_stayed_for_long(facts: dict[str, Any], because: tuple[str, ...]) -> None:
    story = canceled(paid_plan(**facts), feedback=("customer_service",), comment="Rude")
    (fact,) = story.heard_of(PersonalOutreachRequested)
    assert (fact.because, fact.reference, fact.ends_at, fact.act_by) == (because, "CAN-1", PERIOD_END, NOW + DAY)
    assert (fact.feedback, fact.comment) == (("customer_service",), "Rude")


@pytest.mark.parametrize(
    "story",
    [
        paid_plan(price_minor=49_999),
        paid_plan(price_minor=599_999, interval="year"),
        paid_plan(price_minor=100_000_000, currency="SEK"),
        paid_plan(account_created_at=LONG_AGO + HOUR),
        free_plan(account_created_at=LONG_AGO),
    ],
)
def test_and_to_nobody_else(story: Story) -> None:
    assert canceled(story).heard_of(PersonalOutreachRequested) == []


def test_instead_of_the_survey() -> None:
    story = canceled(paid_plan(price_minor=50_000)).until(PERIOD_END)
    assert len(story.heard_of(PersonalOutreachRequested)) == 1
    assert story.heard_of(SurveyDue) == []


def test_beside_an_end_at_once_as_well_but_only_once() -> None:
    story = canceled(paid_plan(price_minor=50_000))
    story.hears(cancellation("CAN-2", mode="immediately"))
    assert len(story.heard_of(PersonalOutreachRequested)) == 1
    at_once = canceled(paid_plan(price_minor=50_000), mode="immediately")
    assert [fact.ends_at for fact in at_once.heard_of(PersonalOutreachRequested)] == [NOW]


def test_a_valuable_trial_counts_by_its_price() -> None:
    assert len(canceled(trial(price_minor=50_000)).heard_of(PersonalOutreachRequested)) == 1
