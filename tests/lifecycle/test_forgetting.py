"""PersonErased: nobody may know any longer who it was."""

import msgspec
import pytest

from offramp_schemas import examples
from offramp_schemas.base import ERASED
from offramp_schemas.lifecycle_events import DataDeletionDue, LifecycleFact, PersonForgotten, SubscriptionEnded
from services.lifecycle.decide import EVENTS
from services.lifecycle.states import Ended, NonRenewing
from services.runtime.decision import Ignored
from tests.lifecycle.given import (
    DAY,
    NOW,
    PERIOD_END,
    Story,
    cancellation,
    changed,
    erased,
    failure,
    new_card,
    paid_plan,
    pause,
    reactivation,
)
from tests.lifecycle.states import STORIES


@pytest.mark.parametrize("name", STORIES)
def test_in_every_state_who_it_was_is_gone_and_stays_so(name: str) -> None:
    story = STORIES[name]()
    story.hears(erased())
    for event in (changed(marketing_consent=True), *(examples.load(kind) for kind in EVENTS)):
        story.hears(event)
        stored = msgspec.json.encode(story.state).decode()
        assert "Ada" not in stored
        assert "ada@example.org" not in stored
        assert story.state.facts.contact == ERASED
        assert not story.state.facts.marketing_consent


def test_it_is_told_once_and_everything_later_is_addressed_to_nobody() -> None:
    story = paid_plan()
    story.hears(erased())
    (told,) = story.just_told
    assert isinstance(told, PersonForgotten)
    assert told.forgotten_at == NOW
    assert isinstance(story.hears(erased()), Ignored)
    story.hears(failure())
    story.passes(days=30)
    assert {fact.contact for fact in story.told if isinstance(fact, LifecycleFact)} == {ERASED}


def test_money_and_the_subscription_go_on() -> None:
    story = paid_plan()
    story.hears(failure())
    story.hears(erased())
    story.hears(new_card())
    assert story.told_kinds() == ["PaymentRetryDue"]
    assert story.name == "past_due"


def test_what_was_said_of_leaving_is_forgotten_but_for_its_codes() -> None:
    story = paid_plan()
    story.hears(cancellation(comment="Ada is moving to Paris", switching_to="Ada's own", feedback=("too_expensive",)))
    story.hears(erased())
    assert isinstance(story.state, NonRenewing)
    said = story.state.cancellation
    assert (said.comment, said.switching_to, said.feedback) == (None, None, ("too_expensive",))
    story.until(PERIOD_END)
    assert story.name == "ended"


def test_kept_data_is_kept_no_longer() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately", keep_data=True))
    story.passes(days=30)
    story.hears(erased())
    story.passes(hours=1)
    assert len(story.heard_of(DataDeletionDue)) == 1


def test_a_wish_to_keep_it_from_before_or_after_counts_no_more() -> None:
    before, after = paid_plan(), paid_plan()
    before.hears(cancellation(keep_data=True))
    before.hears(erased())
    after.hears(erased())
    after.hears(cancellation(keep_data=True, mode="immediately"))
    before.until(PERIOD_END)
    assert [story.heard_of(SubscriptionEnded)[0].data_retained for story in (before, after)] == [False, False]


def test_a_return_is_not_waited_for_and_not_possible_any_more() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately", wants_refund=True))
    story.hears(reactivation())
    story.hears(erased())
    story.hears(new_card())
    assert story.just_told == []
    story.hears(reactivation("REA-2"))
    assert story.told_kinds() == ["ReactivationRejected"]
    assert isinstance(story.state, Ended)


def test_a_pause_of_a_forgotten_person_charges_nobody_and_ends() -> None:
    story = paid_plan()
    story.hears(pause(days=30, keep_data=True))
    story.hears(erased())
    story.passes(days=45)
    assert isinstance(story.state, Ended)
    assert (story.state.end_reason, story.state.ended_at) == ("pause_expired", NOW + 44 * DAY)


def test_a_story_may_be_told_of_nobody_from_its_first_day() -> None:
    story: Story = paid_plan()
    story.hears(erased())
    story.hears(cancellation())
    assert story.told_kinds()[-1] == "CancellationScheduled"
