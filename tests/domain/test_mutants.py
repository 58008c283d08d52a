"""The laws can fail: each planted fault breaks one of them within a bounded number of stories, and the shortest of those is shown."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import strategies as st
from msgspec.structs import replace

from offramp_schemas.activity import InactivityDetected
from offramp_schemas.lifecycle_events import PaymentRecovered
from offramp_schemas.request import CancellationRequested
from services.lifecycle import asking, data, inactivity, offering, pausing, payment, refunding, renewal
from services.lifecycle.decide import EVENTS, TIMERS
from services.lifecycle.states import Active, Ended
from services.notifier import correspondence
from services.notifier.causes import voided_by
from services.notifier.desk import Desk
from services.notifier.mails import choose
from services.refunds import submitting, wishing
from services.refunds.eligibility import Window
from services.refunds.states import Account
from services.runtime.decision import Decision
from tests.domain.outside import DAY
from tests.domain.search import broken_by, shortest
from tests.domain.stories import CANCELS, CHARGES, DOWN, MONEY, PASSES, PAUSES, PROVIDER, SERVER, SOON, UNUSED, WEEKS, Step, saying

Patch = pytest.MonkeyPatch


def _put_off(state: Any, timer: Any, when: Any, policies: Any) -> Decision[Any]:
    later = {invoice: replace(each, gives_up_at=when.now + DAY) for invoice, each in state.dunnings.items()}
    return Decision(replace(state, dunnings=later))


def _dunning_never_gives_up(patch: Patch) -> None:
    patch.setitem(TIMERS, "give-up", _put_off)


def _the_withdrawal_window_is_a_day_longer(patch: Patch) -> None:
    patch.setattr(Window, "holds", lambda window, moment: moment <= window.ended_at + DAY)


def _an_offer_at_every_cancellation(patch: Patch) -> None:
    kind = offering._kind

    def forgetful(state: Any, *rest: Any, **more: Any) -> Any:
        return kind(replace(state, heard=replace(state.heard, offered_at=None)), *rest, **more)

    patch.setattr(offering, "_kind", forgetful)


def _a_pause_of_any_length(patch: Patch) -> None:
    patch.setattr(pausing, "_not_then", lambda *_: None)


def _refunds_forget_what_they_promised(patch: Patch) -> None:
    patch.setattr(Account, "reserved_minor", lambda *_, **__: 0)


def _a_reminder_outlives_the_recovery(patch: Patch) -> None:
    patch.setattr(correspondence, "voided_by", lambda event: {} if isinstance(event, PaymentRecovered) else voided_by(event))


def _data_is_deleted_within_the_grace_period(patch: Patch) -> None:
    def hasty(since: Any, now: Any, keep: bool, rules: Any) -> Any:
        return data.Stages(ask_deletion_at=now + rules.grace / 2)

    patch.setattr(data, "in_grace", hasty)


def _paying_customers_are_deactivated(patch: Patch) -> None:
    def harsh(state: Any, event: Any, when: Any, policies: Any) -> Any:
        return (
            inactivity._counted(state, event, when, policies)
            if isinstance(state, Active)
            else inactivity.detected(state, event, when, policies)
        )

    patch.setitem(cast("dict[Any, Any]", EVENTS), InactivityDetected, harsh)


def _whoever_cancels_for_the_price_has_to_hear_the_offer_first(patch: Patch) -> None:
    requested = EVENTS[CancellationRequested]

    def sticky(state: Any, event: Any, when: Any, policies: Any) -> Any:
        if "too_expensive" in event.feedback and not state.heard.offered_at:
            state = asking.remembered(state, event)
            return Decision(replace(state, heard=replace(state.heard, offered_at=when.now)))
        return requested(state, event, when, policies)

    patch.setitem(cast("dict[Any, Any]", EVENTS), CancellationRequested, sticky)


def _the_promised_date_moves_with_the_trouble(patch: Patch) -> None:
    no_answer = submitting._no_answer

    def soft(case: Any, refund: Any, *rest: Any) -> Any:
        return no_answer(case, replace(refund, promise_due_at=refund.promise_due_at + DAY), *rest)

    patch.setattr(submitting, "_no_answer", soft)


def _a_reminder_stays_after_it_was_given(patch: Patch) -> None:
    patch.setitem(TIMERS, "ending-soon", lambda state, *_: Decision(state))


def _the_forgotten_are_written_to(patch: Patch) -> None:
    patch.setattr(correspondence, "_wanted", lambda _, event: choose(event))


def _a_wish_for_money_gets_lost(patch: Patch) -> None:
    patch.setattr(refunding, "awaited", lambda state, *_: state.refund_acks)


def _a_payment_that_comes_late_is_kept(patch: Patch) -> None:
    patch.setattr(wishing, "taken_up", lambda account, *_: Decision(account))


def _opting_out_changes_nothing(patch: Patch) -> None:
    patch.setattr(Desk, "_unwanted", lambda *_: None)


def _a_payment_after_the_end_revives_it(patch: Patch) -> None:
    after_end = payment._after_end

    def silent(state: Ended, event: Any, when: Any, policies: Any) -> Any:
        after_end(state, event, when, policies)
        return Decision(renewal.active(state.facts, when.now, policies, state))

    patch.setattr(payment, "_after_end", silent)


class Mutant(NamedTuple):
    """A fault, the words of the law that it breaks, and what the stories are about in which it is looked for."""

    plant: Callable[[Patch], None]
    law: str
    about: st.SearchStrategy[Step]

    def __repr__(self) -> str:
        return self.plant.__name__.strip("_").replace("_", " ")


LEAVING = st.one_of(SOON, CANCELS, saying("stays", "return", "forgotten", "unsubscribes"))
PAYING = st.one_of(SOON, CHARGES, saying("another card"))
ASKING = st.one_of(SOON, MONEY, CANCELS, PROVIDER)
MUTANTS = [
    Mutant(_dunning_never_gives_up, "dunning gives up", PAYING),
    Mutant(_the_withdrawal_window_is_a_day_longer, "a right ends with its window", st.one_of(WEEKS, MONEY)),
    Mutant(_an_offer_at_every_cancellation, "one retention offer a year", LEAVING),
    Mutant(_a_pause_of_any_length, "no pause without an end", st.one_of(SOON, PAUSES)),
    Mutant(_refunds_forget_what_they_promised, "is paid back, and only", ASKING),
    Mutant(_a_reminder_outlives_the_recovery, "is no longer true", PAYING),
    Mutant(_data_is_deleted_within_the_grace_period, "grace", LEAVING),
    Mutant(_paying_customers_are_deactivated, "a paying customer is never deactivated", st.one_of(PASSES, UNUSED)),
    Mutant(_whoever_cancels_for_the_price_has_to_hear_the_offer_first, "nothing blocks a cancellation", LEAVING),
    Mutant(_the_promised_date_moves_with_the_trouble, "a promised date never moves", ASKING),
    Mutant(_a_reminder_stays_after_it_was_given, "a timer is gone once it fired", LEAVING),
    Mutant(_the_forgotten_are_written_to, "who asked to be forgotten", LEAVING),
    Mutant(_a_wish_for_money_gets_lost, "somebody is told that it is not", st.one_of(SOON, CANCELS, DOWN)),
    Mutant(_a_payment_that_comes_late_is_kept, "before it was heard of", st.one_of(SOON, MONEY, CHARGES, DOWN, saying("up again"))),
    Mutant(_opting_out_changes_nothing, "gets no marketing", LEAVING),
    Mutant(_a_payment_after_the_end_revives_it, "in silence", st.one_of(LEAVING, CHARGES)),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=repr)
def test_a_planted_fault_is_found(mutant: Mutant, monkeypatch: Patch) -> None:
    mutant.plant(monkeypatch)
    found = shortest(mutant.law, among=400, steps=mutant.about)
    assert found, f"no story shows that {mutant!r}"
    law, story = found
    print(f"\nWhere {mutant!r}, this breaks: {law}\n{story!r}")  # noqa: T201 -- to be read with `pytest -s`
    monkeypatch.undo()
    assert broken_by(story) is None


def test_without_a_fault_the_same_stories_break_no_law() -> None:
    assert shortest(among=30, steps=st.one_of(LEAVING, PAYING, ASKING, SERVER)) is None
