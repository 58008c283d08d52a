"""People of ours get one mail per cause and window, however much there is; and a service that falls silent is noticed."""

from datetime import timedelta

import pytest

from offramp_schemas import refund_events as refund
from offramp_schemas.notification_events import AlertRaised, EmailFailed
from tests.notifier.given import NOTIFIER, NOW, POLICY, SUBSCRIPTION, Desk, example

ALERTS, SILENCE = POLICY.alerts, POLICY.silence
DIGEST = "ops:on_call:refund_stalled.provider_silent"


def alert(number: int = 1) -> AlertRaised:
    about, subscription_id = f"refund-{number}", f"sub_{number}"
    return AlertRaised(audience="on_call", cause="refund_stalled.provider_silent", about=about, subscription_id=subscription_id)


def test_alerts_of_one_cause_meet_in_one_digest() -> None:
    assert NOTIFIER.route(alert(), "sub_1") == (DIGEST,)
    assert NOTIFIER.route(example(refund.RefundStalled), "sub_1") == ("sub_1",)


def test_twenty_thousand_stalled_refunds_are_one_mail_that_counts_them() -> None:
    desk = Desk(DIGEST)
    for number in range(20_000):
        desk.hear(alert(number))
    desk.wait(ALERTS.window)
    assert len(desk.calls) == 1
    request = desk.calls[0].request
    assert request["to"] == "on-call@example.com"
    assert request["context"]["data"]["count"] == 20_000
    assert request["context"]["data"]["first"] == [f"refund-{number}" for number in range(ALERTS.names_first)]


def test_after_a_mail_the_next_of_the_same_cause_waits_longer() -> None:
    desk = Desk(DIGEST)
    desk.hear(alert(1))
    desk.wait(ALERTS.window)
    desk.answer(desk.calls[0])
    desk.hear(alert(2))
    desk.wait(ALERTS.window * 2)
    assert len(desk.calls) == 1
    desk.wait(ALERTS.hold)
    assert len(desk.calls) == 2
    assert len({mail.mail_id for mail in desk.mails}) == 2


def test_after_a_long_quiet_the_window_is_short_again() -> None:
    desk = Desk(DIGEST)
    desk.hear(alert(1))
    desk.wait(timedelta(days=3))
    desk.hear(alert(2))
    desk.wait(ALERTS.window)
    assert desk.calls[-1].request["context"]["data"]["first"] == ["refund-2"]


def test_an_alert_that_can_not_be_delivered_raises_no_other() -> None:
    desk = Desk(DIGEST)
    desk.hear(alert(1))
    desk.wait(ALERTS.window)
    desk.answer(desk.calls[0], {"refused": 550})
    assert [type(event) for event in desk.events] == [EmailFailed]


def open_refund(**changes: object) -> refund.RefundApproved:
    return example(refund.RefundApproved, refund_id="refund-1", version=5, deadline_at=NOW + timedelta(hours=1), **changes)


def test_silence_about_an_open_refund_is_noticed_and_said_daily() -> None:
    desk = Desk()
    desk.hear(open_refund())
    desk.answer(desk.calls[0])
    desk.wait(timedelta(hours=1) + SILENCE.after_deadline - timedelta(seconds=1))
    assert desk.heard(AlertRaised) == []
    desk.wait(timedelta(seconds=1))
    assert [(each.cause, each.about, each.subscription_id) for each in desk.heard(AlertRaised)] == [
        ("refunds_silent", "refund-1", SUBSCRIPTION)
    ]
    desk.wait(timedelta(days=3))
    assert len(desk.heard(AlertRaised)) == 4


def test_silence_is_not_cried_before_everything_has_been_read() -> None:
    desk = Desk()
    desk.hear(open_refund())
    desk.answer(desk.calls[0])
    assert desk.state is not None
    assert [timer.takes_away for timer in NOTIFIER.timers(desk.state)] == [True]


@pytest.mark.parametrize("deadline", [None, timedelta(days=30)])
def test_newer_news_ends_the_silence(deadline: timedelta | None) -> None:
    desk = Desk()
    desk.hear(open_refund())
    deadline_at = NOW + deadline if deadline else None
    desk.hear(example(refund.RefundSettled, refund_id="refund-1", version=6, deadline_at=deadline_at))
    for call in desk.calls:
        desk.answer(call)
    desk.wait(timedelta(days=2))
    assert desk.heard(AlertRaised) == []


def test_a_refund_that_is_late_but_spoken_of_is_not_silent() -> None:
    desk = Desk()
    for version in range(5, 10):
        desk.hear(example(refund.RefundStalled, refund_id="refund-1", version=version, deadline_at=NOW - timedelta(days=1)))
        desk.wait(timedelta(days=1))
    assert {each.cause for each in desk.heard(AlertRaised)} == {"refund_stalled." + example(refund.RefundStalled).cause}


def test_older_news_does_not_move_the_deadline() -> None:
    desk = Desk()
    desk.hear(open_refund())
    desk.hear(example(refund.RefundReceived, refund_id="refund-1", version=4, deadline_at=NOW + timedelta(days=30)))
    assert desk.facts.facts["refund-1"].deadline_at == NOW + timedelta(hours=1)
