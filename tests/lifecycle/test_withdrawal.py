"""CancellationWithdrawn: the customer stays after all."""

from offramp_schemas.lifecycle_events import CancellationRejected, CancellationUndone, PaymentRetryDue
from services.lifecycle.states import Active, PastDue, Trialing
from services.runtime.decision import Ignored
from tests.lifecycle.given import (
    DAY,
    LIFECYCLE,
    NOW,
    PERIOD_END,
    STRANGER,
    cancellation,
    failure,
    new_card,
    paid_plan,
    trial,
    withdrawal,
)


def test_everything_is_as_it_was_before() -> None:
    story = paid_plan()
    before = story.state
    story.hears(cancellation())
    story.hears(withdrawal())
    assert isinstance(story.state, Active)
    assert LIFECYCLE.timers(story.state) == LIFECYCLE.timers(before)
    (undone,) = story.just_told
    assert isinstance(undone, CancellationUndone)
    assert (undone.reference, undone.renews_at) == ("CAN-1", PERIOD_END)


def test_a_trial_goes_on_as_a_trial() -> None:
    story = trial()
    before = story.state
    story.hears(cancellation())
    story.hears(withdrawal())
    assert isinstance(story.state, Trialing)
    assert LIFECYCLE.timers(story.state) == LIFECYCLE.timers(before)


def test_dunning_goes_on_where_it_stopped_without_a_burst() -> None:
    story = paid_plan()
    story.hears(failure())
    story.passes(days=2)  # step 1 was given, step 2 is a day away
    story.hears(cancellation())
    story.passes(days=10)
    story.hears(withdrawal())
    assert isinstance(story.state, PastDue)
    assert [(timer.name, timer.due_at) for timer in LIFECYCLE.timers(story.state)] == [("dunning:in_7:2", story.now + DAY)]
    assert story.state.dunnings["in_7"].gives_up_at == NOW + 8 * DAY + 10 * DAY


def test_a_failure_heard_while_it_was_ending_starts_its_schedule_then() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.passes(days=3)
    story.hears(failure())
    assert story.just_told == []
    story.passes(days=3)
    story.hears(withdrawal())
    assert isinstance(story.state, PastDue)
    assert story.state.dunnings["in_7"].next_step_at == story.now + DAY


def test_a_card_given_while_it_was_ending_is_the_one_charged_later() -> None:
    story = paid_plan()
    story.hears(failure(kind="hard"))
    story.hears(cancellation())
    story.hears(new_card("1111"))
    story.hears(withdrawal())
    story.passes(days=1)
    (retry,) = story.heard_of(PaymentRetryDue)
    assert retry.card_last4 == "1111"


def test_after_the_end_it_is_too_late_even_before_the_end_has_fired() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.now = PERIOD_END
    story.hears(withdrawal())
    (no,) = story.just_told
    assert isinstance(no, CancellationRejected)
    assert (no.rule, no.ended_at) == ("too_late_to_withdraw", PERIOD_END)
    assert story.name == "non_renewing"


def test_asked_in_time_and_heard_late_is_in_time() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.now = PERIOD_END + DAY  # the guarded end waits for this very event
    story.hears(withdrawal(), at=PERIOD_END - DAY)
    assert story.name == "active"


def test_after_the_end_it_is_rejected() -> None:
    story = paid_plan()
    story.hears(cancellation(mode="immediately"))
    story.hears(withdrawal())
    (no,) = story.just_told
    assert isinstance(no, CancellationRejected)
    assert no.rule == "too_late_to_withdraw"


def test_a_stranger_can_not_withdraw() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.hears(withdrawal(by=STRANGER))
    (no,) = story.just_told
    assert isinstance(no, CancellationRejected)
    assert no.rule == "not_account_owner"
    assert story.name == "non_renewing"


def test_there_is_nothing_to_withdraw_from_a_live_subscription() -> None:
    assert isinstance(paid_plan().hears(withdrawal()), Ignored)


def test_an_old_withdrawal_does_not_undo_a_new_cancellation() -> None:
    story = paid_plan()
    for event in (cancellation("CAN-1"), withdrawal("WDR-1"), cancellation("CAN-2")):
        story.hears(event)
    assert isinstance(story.hears(withdrawal("WDR-1")), Ignored)
    assert story.name == "non_renewing"


def test_an_old_cancellation_does_not_come_back_after_its_withdrawal() -> None:
    story = paid_plan()
    story.hears(cancellation())
    story.hears(withdrawal())
    assert isinstance(story.hears(cancellation()), Ignored)
    assert story.name == "active"
