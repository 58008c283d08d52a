"""No refund stalls quietly: deadlines that pass are told level by level, and the customer hears honest dates."""

from datetime import datetime, timedelta

import pytest

from offramp_schemas.refund_events import RefundDelayed, RefundStalled, RefundStatusReported
from offramp_schemas.refund_request import RefundChased, RefundDecided, RefundRetried
from services.runtime.decision import Refused
from tests.refunds.desk import DAY, HOUR, MONDAY, Desk, kinds, requested

CHASED = RefundChased()


def submitting() -> Desk:
    desk = Desk.with_a_payment()
    desk.hear(requested())
    return desk


def alarms(desk: Desk) -> list[tuple[int, int, datetime]]:
    return [(each.level, each.reminder, each.missed_at) for each in desk.all_told(RefundStalled)]


def test_a_refund_whose_provider_goes_silent_is_escalated_level_by_level_and_the_customer_hears_the_new_date() -> None:
    desk = submitting()
    desk.no_answer("unknown")
    missed = MONDAY + HOUR
    desk.wait(HOUR, trouble="unknown")
    assert alarms(desk) == [(1, 1, missed)]
    assert desk.all_told(RefundDelayed) == []
    desk.wait(4 * HOUR, trouble="unknown")
    assert alarms(desk)[1:] == [(2, 2, missed)]
    (delayed,) = desk.all_told(RefundDelayed)
    assert (delayed.promised_at, delayed.new_date) == (MONDAY + 2 * DAY, MONDAY + 3 * DAY), "a later day, not a later hour of the same one"
    assert delayed.told_due_at == delayed.new_date == desk.refund.told_due_at
    desk.wait(20 * HOUR, trouble="unknown")
    assert alarms(desk)[2:] == [(3, 3, missed)]
    desk.wait(3 * DAY, trouble="unknown")
    assert alarms(desk)[3:] == [(3, n, missed) for n in (4, 5, 6)]
    assert {each.cause for each in desk.all_told(RefundStalled)} == {"provider_silent"}
    assert desk.refund.promise_due_at == MONDAY + 2 * DAY, "the promise never moves"


def test_the_customer_is_never_left_with_a_date_that_has_passed() -> None:
    desk = submitting()
    desk.no_answer()
    for _ in range(60):
        desk.wait(12 * HOUR, trouble="unreachable")
        assert desk.refund.told_due_at > desk.now
    dates = [each.new_date for each in desk.all_told(RefundDelayed)]
    assert dates == sorted(set(dates)), "heard again only when the date changes"
    assert len(dates) <= 30


def test_an_answer_ends_the_alarm() -> None:
    desk = submitting()
    desk.no_answer()
    desk.wait(6 * HOUR, trouble="unknown")
    while desk.refund.attempts[0].waiting_for is None:
        desk.fire()
    desk.answer(id="re_1", status="pending")
    assert (desk.refund.escalation.level, desk.refund.escalation.missed) == (0, False)
    before = len(alarms(desk))
    while desk.refund.deadline_at and desk.now < desk.refund.deadline_at:
        desk.fire()
        if desk.refund.attempts[0].waiting_for:
            desk.answer(id="re_1", status="pending")
    assert alarms(desk)[before:] == [(1, 1, desk.refund.deadline_at)]
    assert desk.all_told(RefundStalled)[-1].cause == "not_arrived"


def test_going_back_and_forth_before_it_is_issued_does_not_move_the_deadline() -> None:
    desk = submitting()
    for _ in range(2):
        desk.no_answer()
        desk.fire()
        desk.answer(error="not_found")
        desk.answer(error="card_not_supported")
        assert desk.refund.deadline_at == MONDAY + HOUR
        while desk.refund.state == "approved":
            desk.fire()


def test_before_it_is_issued_no_deadline_lies_beyond_the_promise() -> None:
    desk = Desk.with_a_payment(amount_minor=50_000)
    desk.hear(requested())
    desk.now = MONDAY + 2 * DAY - timedelta(minutes=20)
    desk.hear(RefundDecided(request_ref="CAN-1", decision="approve", decided_by="grace"))
    assert desk.refund.deadline_at == MONDAY + 2 * DAY


def test_a_person_who_does_not_decide_is_told_and_so_is_the_customer() -> None:
    desk = Desk.with_a_payment(amount_minor=50_000)
    desk.hear(requested())
    desk.wait(2 * DAY + HOUR)
    assert [(each.level, each.cause) for each in desk.all_told(RefundStalled)] == [(1, "undecided"), (2, "undecided"), (3, "undecided")]
    assert len(desk.all_told(RefundDelayed)) == 1


def test_days_of_downtime_bring_each_level_once_and_not_ten_reminders() -> None:
    desk = submitting()
    desk.now += 10 * DAY
    while (timer := desk.next_timer()) and timer.due_at <= desk.now:
        desk.fire()
    assert [level for level, _, _ in alarms(desk)] == [1, 2, 3]


def test_what_needs_attention_is_told_at_once_and_again_daily_until_someone_acts() -> None:
    desk = submitting()
    desk.answer(id="re_1", status="canceled")
    assert alarms(desk) == [(1, 1, MONDAY)]
    desk.wait(4 * DAY)
    assert [level for level, _, _ in alarms(desk)] == [1, 2, 3, 3, 3]
    desk.hear(RefundRetried(decided_by="ops_1"))
    assert desk.refund.escalation.level == 0


def test_where_is_it_is_answered_at_once_and_raises_the_level() -> None:
    desk = submitting()
    (status,) = desk.hear(CHASED)
    assert isinstance(status, RefundStatusReported)
    assert (status.stage, status.raised_to_level, status.issued) == ("submitting", 1, False)
    desk.no_answer()
    desk.wait(HOUR, trouble="unknown")
    assert [level for level, _, _ in alarms(desk)] == [2], "its deadline is missed a level higher"
    assert len(desk.all_told(RefundDelayed)) == 1


def test_chasing_what_is_late_already_reaches_the_next_level_at_once() -> None:
    desk = submitting()
    desk.no_answer()
    desk.wait(HOUR, trouble="unknown")
    assert kinds(desk.hear(CHASED)) == ["RefundStatusReported", "RefundStalled", "RefundDelayed"]
    assert [level for level, _, _ in alarms(desk)] == [1, 2]
    assert kinds(desk.hear(CHASED)) == ["RefundStatusReported", "RefundStalled"]
    assert kinds(desk.hear(CHASED)) == ["RefundStatusReported", "RefundStalled"]
    assert [level for level, _, _ in alarms(desk)] == [1, 2, 3, 3]


@pytest.mark.parametrize("status", ["succeeded", "canceled"])
def test_a_chase_says_whether_it_was_issued(status: str) -> None:
    desk = submitting()
    desk.answer(id="re_1", status=status)
    status_ = desk.hear(CHASED)[0]
    assert (status_.issued, status_.stage) == (status == "succeeded", desk.refund.state)


def test_chasing_what_is_over_is_answered_and_wakes_nobody() -> None:
    desk = Desk.with_a_payment()
    desk.now += 31 * DAY
    desk.hear(requested(payment_id="pay_1"))
    assert kinds(desk.hear(CHASED)) == ["RefundStatusReported"]
    assert desk.next_timer() is None


def test_chasing_where_no_refund_was_asked_for_is_a_mistake() -> None:
    desk = Desk.with_a_payment()
    desk.hear(CHASED)
    assert isinstance(desk.outcome, Refused)
    assert desk.outcome.reason == "wrong_state"


def test_the_machine_giving_up_does_not_calm_anybody() -> None:
    desk = submitting()
    desk.no_answer()
    desk.wait(6 * HOUR, trouble="unknown")
    while desk.refund.attempts[0].waiting_for is None:
        desk.fire()
    desk.answer(id="re_1", status="canceled")
    assert (desk.refund.state, desk.refund.escalation.level) == ("needs_attention", 2)


def test_chasing_what_has_arrived_is_answered_and_alarms_nobody() -> None:
    desk = submitting()
    desk.answer(id="re_1", status="succeeded")
    (status,) = desk.hear(CHASED)
    assert (status.stage, status.raised_to_level) == ("succeeded", 0)
