"""Whatever happens, in whatever order, late or twice: nothing is lost, nobody is forgotten, and what has ended stays ended."""

from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp_schemas import Event
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.base import ERASED
from offramp_schemas.lifecycle_events import SubscriptionEnded
from offramp_schemas.pause_events import SubscriptionPaused, SubscriptionReactivated
from offramp_schemas.refund_request import RefundRequested
from services.lifecycle.states import Active, Ended, NonRenewing, PastDue, Paused, Subscription
from services.runtime.decision import Decision, Input, Outcome, TimerDue
from tests.lifecycle.given import (
    DAY,
    LIFECYCLE,
    NOW,
    OWNER,
    PERIOD_END,
    STRANGER,
    SUPPORT,
    Story,
    cancellation,
    changed,
    data_deleted,
    erased,
    failure,
    new_card,
    paid_plan,
    pause,
    payment,
    reactivation,
    refund_approved,
    refund_received,
    refund_rejected,
    renewed,
    resume,
    started,
    started_free,
    started_trial,
    used,
    withdrawal,
)
from tests.lifecycle.given import unused as unused_since

NUMBERS = st.integers(1, 4)
MODES = st.sampled_from(["at_period_end", "immediately"])
WHO = st.sampled_from([OWNER, SUPPORT, STRANGER])
WISHES = st.fixed_dictionaries({"wants_refund": st.booleans(), "keep_data": st.booleans()})
PAUSES = st.sampled_from([1, 30, 365, 400])
MOMENTS = st.one_of(st.none(), st.integers(-40, 120).map(lambda days: NOW + days * DAY))
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda n, kind: failure(f"in_{n}", kind, f"pay_{n}"), NUMBERS, st.sampled_from(["soft", "hard"])),
    st.builds(lambda i, p, start, end: payment(f"in_{i}", f"pay_{p}", start, end), NUMBERS, NUMBERS, MOMENTS, MOMENTS),
    st.builds(new_card),
    st.builds(
        lambda n, mode, who, money: cancellation(f"CAN-{n}", mode, who, wants_refund=money, keep_data=not money),
        NUMBERS,
        MODES,
        WHO,
        st.booleans(),
    ),
    st.builds(lambda n, who: withdrawal(f"WDR-{n}", who), NUMBERS, WHO),
    st.builds(lambda end, trial_end: changed(current_period_end=end, trial_ends_at=trial_end), MOMENTS, MOMENTS),
    st.builds(lambda price: changed(price_minor=price, current_period_end=None), st.sampled_from([0, 4900])),
    st.builds(lambda days, n: renewed(PERIOD_END + days * DAY, PERIOD_END + (days + 30) * DAY, f"pay_{n}"), st.integers(-30, 90), NUMBERS),
    st.builds(renewed),
    st.builds(lambda days: used(NOW + days * DAY), st.integers(-90, 30)),
    st.builds(lambda days: unused_since(days, paid_plan()), st.integers(1, 120)),
    st.builds(lambda n, days, who, keep: pause(f"PAU-{n}", who, days, keep_data=keep), NUMBERS, PAUSES, WHO, st.booleans()),
    st.builds(lambda n, who: resume(f"RES-{n}", who), NUMBERS, WHO),
    st.builds(lambda n, who: reactivation(f"REA-{n}", who), NUMBERS, WHO),
    st.builds(lambda card: changed(payment_method_on_file=card), st.booleans()),
    st.builds(data_deleted),
    st.builds(erased),
    st.builds(lambda n: refund_received(f"CAN-{n}"), NUMBERS),
    st.builds(lambda n: refund_rejected(f"CAN-{n}"), NUMBERS),
    st.builds(lambda n, full: refund_approved(f"pay_{n}", full=full), NUMBERS, st.booleans()),
)
HEARD = st.tuples(EVENTS, st.sampled_from([0, 0, 0, 1, 24, 24 * 30]))  # heard so many hours late
WAITS = st.tuples(st.just("wait"), st.sampled_from([1, 12, 24, 24 * 8, 24 * 40]))
ASLEEP = st.tuples(st.just("asleep"), st.sampled_from([12, 24 * 8, 24 * 100]))
History = list[tuple[Event | str, int]]
HISTORIES: st.SearchStrategy[History] = st.lists(st.one_of(HEARD, WAITS, ASLEEP), max_size=25)
BEGINNINGS = st.sampled_from([started(), started(payment_method_on_file=False), started_free(), started_trial()])


LEAVING = {"survey", "win-back"}  # what may still be said when everything else is over


class Watched(Story):
    """A story that is checked after everything that happens in it."""

    def hears(self, event: Input, at: datetime | None = None) -> Outcome[Subscription]:
        before = self._state
        outcome = super().hears(event, at)
        if isinstance(event, TimerDue):
            assert isinstance(outcome, Decision)
            assert event not in {TimerDue(timer.name, timer.due_at) for timer in LIFECYCLE.timers(self.state)}
        check(self.state)
        if isinstance(before, Ended):
            self._stays_ended_or_is_back(before)
        if before and before.heard.erased_at:
            assert self.state.facts.contact == ERASED
            assert not self.state.facts.marketing_consent
        return outcome

    def _stays_ended_or_is_back(self, before: Ended) -> None:
        """An end is left by a reactivation alone, and never when the data is gone."""
        if isinstance(self.state, Ended):
            assert (self.state.ended_at, self.state.end_reason) == (before.ended_at, before.end_reason)
        else:
            assert isinstance(self.state, Active)
            assert self.told_kinds() == ["SubscriptionReactivated"]
            assert before.data_stage != "deleted"


WatchedStory = TypeVar("WatchedStory", bound=Watched)


def check(state: Subscription) -> None:
    timers = LIFECYCLE.timers(state)
    names = {timer.name for timer in timers}
    deleted = isinstance(state, Ended) and state.data_stage == "deleted" and not state.refund_acks and not LEAVING & names
    asleep = isinstance(state, Active) and state.facts.free and not state.refund_acks and not state.inactivity and not state.reminders
    assert bool(timers) != (deleted or asleep)
    assert {f"refund-ack:{ref}" for ref in state.refund_acks} <= {timer.name for timer in timers}
    assert msgspec.json.decode(msgspec.json.encode(state), type=Subscription) == state
    if isinstance(state, PastDue):
        assert state.dunnings
        for dunning in state.dunnings.values():
            assert dunning.amount_minor > 0
            assert dunning.gives_up_at >= (dunning.next_step_at or dunning.started_at) + DAY
    if isinstance(state, NonRenewing):
        assert state.remind_at is None or state.remind_at < state.ends_at
    if isinstance(state, Active) and state.inactivity:
        assert state.facts.price_minor == 0
    if isinstance(state, Paused):
        assert state.resumes_at <= state.paused_at + 365 * DAY
    if isinstance(state, Paused | Ended):
        assert not (state.retain_at and state.retained)
        assert state.retain_at is None or state.retain_at < state.ask_deletion_at
    if isinstance(state, Ended) and state.returning:
        assert state.data_stage != "deleted"
        assert state.ask_deletion_at > state.returning.give_by


def play(beginning: SubscriptionStarted, history: History) -> Watched:
    return lived(Watched(beginning), history)


def lived(story: WatchedStory, history: History) -> WatchedStory:
    for happens, hours in history:
        if happens == "wait":
            story.passes(hours=hours)
        elif happens == "asleep":
            story.sleeps_until(story.now + timedelta(hours=hours))
        elif isinstance(happens, Event):
            story.hears(happens, story.now - timedelta(hours=hours))
    return story


@settings(max_examples=200, deadline=None)
@given(BEGINNINGS, HISTORIES)
def test_a_subscription_is_never_forgotten_and_ends_once(beginning: SubscriptionStarted, history: History) -> None:
    story = play(beginning, history)
    assert len(story.heard_of(SubscriptionEnded)) - len(story.heard_of(SubscriptionReactivated)) == isinstance(story.state, Ended)
    assert len(story.heard_of(SubscriptionPaused)) <= 1 + (story.now - NOW) // (365 * DAY)


@settings(max_examples=100, deadline=None)
@given(BEGINNINGS, HISTORIES)
def test_every_refund_that_was_asked_for_is_awaited_until_refunds_answers(beginning: SubscriptionStarted, history: History) -> None:
    story = play(beginning, history)
    wishes = story.heard_of(RefundRequested)
    for wish in wishes:
        assert wish.request_ref in story.state.refund_acks or wish.request_ref in story.state.heard.acknowledged
    back = [wish.payment_id for wish in wishes if wish.cause == "charged_in_error"]
    assert len(back) == len(set(back))


@settings(max_examples=50, deadline=None)
@given(BEGINNINGS, HISTORIES)
def test_the_same_history_twice_gives_the_same_state_and_the_same_words(beginning: SubscriptionStarted, history: History) -> None:
    first, second = play(beginning, history), play(beginning, history)
    assert (first.state, first.told) == (second.state, second.told)


@settings(max_examples=50, deadline=None)
@given(BEGINNINGS, HISTORIES)
def test_left_alone_every_subscription_goes_on_or_its_data_is_asked_about(beginning: SubscriptionStarted, history: History) -> None:
    story = play(beginning, history)
    for ref in story.state.refund_acks:
        story.hears(refund_received(ref))
    story.passes(days=400)
    assert isinstance(story.state, Active | Ended)
    assert not isinstance(story.state, Ended) or story.state.data_stage != "grace"
