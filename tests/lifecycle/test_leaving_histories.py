"""Whatever happens around a customer who may leave: nobody is asked too often, told what is not true, or promised what is gone."""

from collections import Counter
from datetime import datetime
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from offramp_schemas import Event
from offramp_schemas.account import PriceChange, SubscriptionStarted
from offramp_schemas.lifecycle_events import RenewalUpcoming
from offramp_schemas.retention_events import (
    PersonalOutreachRequested,
    RetentionOfferApplied,
    RetentionOffered,
    RetentionOfferExpired,
    SurveyDue,
    WinBackDue,
)
from services.lifecycle.states import Active, Ended, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.runtime.decision import Input, Outcome
from tests.lifecycle.given import (
    DAY,
    NOW,
    OWNER,
    PERIOD_END,
    STRANGER,
    answer,
    cancellation,
    changed,
    feedback,
    started,
    started_trial,
    withdrawal,
)
from tests.lifecycle.test_histories import ASLEEP, EVENTS, NUMBERS, WAITS, History, Watched, lived

YEAR_END = NOW + 365 * DAY
WHO = st.sampled_from([OWNER, OWNER, STRANGER])
CODES = st.lists(st.sampled_from(["too_expensive", "unused", "technical_issues", "other"]), max_size=2, unique=True).map(tuple)
PRICES = st.sampled_from([0, 3430, 4900, 5900, 60_000])
CHANGES = st.one_of(
    st.none(),
    st.builds(
        lambda price, days: PriceChange(price_minor=price, currency="EUR", effective_at=PERIOD_END + days * DAY),
        PRICES,
        st.integers(-30, 90),
    ),
)
PICTURES = st.builds(
    lambda price, change, consent, yearly: changed(
        price_minor=price,
        price_change=change,
        marketing_consent=consent,
        **({"interval": "year", "current_period_end": YEAR_END} if yearly else {}),
    ),
    PRICES,
    CHANGES,
    st.booleans(),
    st.booleans(),
)
CANCELED = st.builds(lambda n, codes: cancellation(f"CAN-{n}", feedback=codes), NUMBERS, CODES)
ANSWERED = st.builds(
    lambda said, n, who: answer(said, f"ANS-{n}", who), st.sampled_from(["accepted", "accepted", "declined"]), NUMBERS, WHO
)
LEAVING: st.SearchStrategy[Event] = st.one_of(
    CANCELED,
    ANSWERED,
    st.builds(lambda n: cancellation(f"CAN-{n}", "immediately"), NUMBERS),
    st.builds(lambda n: withdrawal(f"WDR-{n}"), NUMBERS),
    st.builds(lambda codes: feedback(*codes), CODES),
    PICTURES,
)
LATE = st.sampled_from([0, 0, 0, 1, 24, 24 * 30])
SOON = st.tuples(st.just("wait"), st.sampled_from([1, 24, 24 * 5]))
HAPPENS = st.one_of(st.tuples(LEAVING, LATE), st.tuples(LEAVING, LATE), st.tuples(EVENTS, LATE), SOON, WAITS, ASLEEP)
PRELUDES: st.SearchStrategy[History] = st.one_of(
    st.just([]), st.tuples(st.tuples(CANCELED, st.just(0)), st.one_of(SOON, SOON, st.tuples(ANSWERED, st.just(0)))).map(list)
)
HISTORIES: st.SearchStrategy[History] = st.builds(lambda first, then: first + then, PRELUDES, st.lists(HAPPENS, max_size=25))
BEGINNINGS = st.sampled_from(
    [
        started(marketing_consent=True),
        started(marketing_consent=True, interval="year", current_period_end=YEAR_END),
        started_trial(marketing_consent=True),
        started(account_created_at=NOW - 900 * DAY),
    ]
)


class Truthful(Watched):
    """A story whose words about staying and leaving are held against its state."""

    def __init__(self, beginning: SubscriptionStarted) -> None:
        self.offered_at: list[datetime] = []
        super().__init__(beginning)

    def hears(self, event: Input, at: datetime | None = None) -> Outcome[Subscription]:
        outcome = super().hears(event, at)
        for fact in self.just_told:
            self.check_truth(fact)
        return outcome

    def check_truth(self, fact: Event) -> None:
        state = self.state
        match fact:
            case RenewalUpcoming():
                assert isinstance(state, Active | Trialing)
                assert fact.charged_at > self.now
                assert fact.days_left > 0
            case RetentionOffered():
                assert isinstance(state, NonRenewing)
                assert self.now < fact.offer.expires_at <= min(state.ends_at, self.now + 14 * DAY)
                assert not state.heard.erased_at
                self.offered_at.append(self.now)
            case RetentionOfferApplied():
                assert isinstance(state, Trialing | Active | PastDue | Paused)
            case RetentionOfferExpired():
                assert isinstance(state, NonRenewing | Ended)
            case WinBackDue():
                assert isinstance(state, Ended)
                assert state.facts.marketing_consent
                assert fact.retained_until is None or (fact.retained_until > self.now and not state.deleted_at)
            case SurveyDue() | PersonalOutreachRequested():
                assert not state.heard.erased_at
            case _:
                pass


@settings(max_examples=200, deadline=None)
@given(BEGINNINGS, HISTORIES)
def test_nobody_is_offered_asked_or_told_too_often(beginning: SubscriptionStarted, history: History) -> None:
    story = lived(Truthful(beginning), history)
    assert all(later - earlier >= 365 * DAY for earlier, later in pairwise(story.offered_at))
    expired = Counter(fact.offer.offer_id for fact in story.heard_of(RetentionOfferExpired) if not fact.answered_late)
    applied = Counter(fact.offer.offer_id for fact in story.heard_of(RetentionOfferApplied))
    surveys = Counter(fact.reference for fact in story.heard_of(SurveyDue))
    assert max([0, *expired.values(), *applied.values(), *surveys.values()]) <= 1
    assert not surveys.keys() & {fact.reference for fact in story.heard_of(PersonalOutreachRequested)}


@settings(max_examples=100, deadline=None)
@given(BEGINNINGS, HISTORIES)
def test_left_alone_no_offer_stays_open_and_no_survey_is_forgotten(beginning: SubscriptionStarted, history: History) -> None:
    story = lived(Truthful(beginning), history)
    story.passes(days=500)
    assert story.state.heard.offer is None or story.state.heard.offer.outcome or isinstance(story.state, Ended)
    assert not isinstance(story.state, Ended) or story.state.win_back_at is None
    assert not isinstance(story.state, Ended) or story.state.cancellation is None or story.state.cancellation.survey_at is None
