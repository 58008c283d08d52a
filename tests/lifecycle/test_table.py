"""Every state has a rule for every event of the contract, and wakes."""

from datetime import timedelta
from itertools import product

import pytest

from offramp_schemas import TOPIC_OF, examples, inputs_of
from offramp_schemas.refund_events import NothingToRefund, RefundApproved, RefundReceived, RefundRejected
from services.lifecycle.decide import EVENTS
from services.lifecycle.states import Active, Ended, Subscription
from services.runtime.decision import CallAnswered, Decision, Ignored, NotSeenYet, TimerDue, When
from tests.lifecycle.given import LIFECYCLE, NOW
from tests.lifecycle.states import STORIES

HEARD_OF_REFUNDS = {RefundReceived, RefundRejected, NothingToRefund, RefundApproved}
INPUTS = [event for topic in inputs_of("lifecycle") for event in topic.events if topic.name != "refund.events.v1"]


def test_there_is_a_rule_for_every_input_and_for_nothing_else() -> None:
    assert set(EVENTS) == {*INPUTS, *HEARD_OF_REFUNDS}


@pytest.mark.parametrize("name", STORIES)
def test_every_state_answers_every_event_early_and_late(name: str) -> None:
    for event, heard_after, happened_before in product(EVENTS, (0, 2, 400), (0, 1, 100)):
        story = STORIES[name]()
        story.now += timedelta(days=heard_after)
        outcome = story.hears(examples.load(event), at=story.now - timedelta(days=happened_before))
        assert isinstance(outcome, Decision | Ignored | NotSeenYet)
        assert awake(story.state)


@pytest.mark.parametrize("name", STORIES)
def test_every_timer_that_fires_is_gone_on_time_and_late(name: str) -> None:
    for late in (timedelta(0), timedelta(minutes=1), timedelta(days=3), timedelta(days=300)):
        state = STORIES[name]().state
        for timer in LIFECYCLE.timers(state):
            outcome = LIFECYCLE.decide("sub_1", state, TimerDue(timer.name, timer.due_at), When(timer.due_at + late, timer.due_at))
            assert isinstance(outcome, Decision)
            assert timer not in LIFECYCLE.timers(outcome.state)
            assert awake(outcome.state)


def test_what_it_tells_travels_on_its_own_topics() -> None:
    told = {type(event) for story in STORIES.values() for event in story().told}
    assert {TOPIC_OF[kind].name for kind in told} == {"lifecycle.events.v1", "refund.request.v1"}


@pytest.mark.parametrize("name", STORIES)
def test_the_names_of_timers_are_unique(name: str) -> None:
    timers = LIFECYCLE.timers(STORIES[name]().state)
    assert len({timer.name for timer in timers}) == len(timers)


def test_what_is_no_input_of_lifecycle_is_an_error_not_silence() -> None:
    state = STORIES["active"]().state
    for nothing in (CallAnswered("bank", "key"), TimerDue("end", NOW), TimerDue("nonsense", NOW)):
        with pytest.raises(TypeError, match="no rule"):
            LIFECYCLE.decide("sub_1", state, nothing, When(NOW, NOW))
    with pytest.raises(TypeError, match="no rule"):
        LIFECYCLE.decide("sub_1", None, TimerDue("end", NOW), When(NOW, NOW))


def awake(state: Subscription) -> bool:
    """It has a timer, or is one of the two that need none."""
    if LIFECYCLE.timers(state):
        return True
    return (isinstance(state, Ended) and state.data_stage == "deleted") or (isinstance(state, Active) and state.facts.free)
