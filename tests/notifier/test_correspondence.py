"""Exactly one mail for each fact, sent at once or held, and suppressed when it is no longer true."""

from datetime import timedelta

import pytest

from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas.notification_events import AlertRaised, EmailFailed, EmailSent, EmailSuppressed
from offramp_schemas.pause_events import PaymentMethodNeeded
from services.runtime.decision import Ignored
from tests.notifier.given import NOTIFIER, POLICY, SUBSCRIPTION, Desk, example

MINUTE = timedelta(minutes=1)


def test_a_proof_is_asked_to_be_sent_in_the_same_decision() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled))
    mail = desk.mail("cancellation_scheduled")
    assert [call.key for call in desk.calls] == [f"mail:{mail.mail_id}:1"]
    assert desk.calls[0].request["to"] == "aoife.byrne@example.com"


def test_an_accepted_mail_is_told_and_leaves_the_state_with_its_text() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled, version=4))
    desk.answer(desk.calls[0])
    mail = desk.mail("cancellation_scheduled")
    assert (mail.state, mail.rendered, mail.address, mail.context) == ("sent", "Subject: Hello", None, None)
    assert desk.facts.mails == ()
    assert [(fact.about, fact.about_version, fact.sent_at) for fact in desk.heard(EmailSent)] == [(SUBSCRIPTION, 4, desk.now)]


def test_the_same_fact_twice_is_one_mail() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled))
    assert isinstance(desk.hear(example(lifecycle.CancellationScheduled)), Ignored)
    desk.answer(desk.calls[0])
    assert isinstance(desk.hear(example(lifecycle.CancellationScheduled)), Ignored)
    assert len(desk.calls) == 1


def test_the_same_kind_of_fact_of_two_versions_is_two_mails() -> None:
    desk = Desk()
    desk.hear(example(refund.RefundDelayed, version=5))
    desk.hear(example(refund.RefundDelayed, version=9))
    assert len({mail.mail_id for mail in desk.mails}) == 2


def test_a_status_mail_is_held_before_it_is_sent() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.PaymentPastDue))
    assert desk.calls == []
    desk.wait(POLICY.hold_status)
    assert len(desk.calls) == 1


def test_a_status_mail_waits_until_everything_before_it_has_been_read() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.PaymentPastDue))
    assert desk.state is not None
    assert [timer.takes_away for timer in NOTIFIER.timers(desk.state)] == [True]


@pytest.mark.parametrize(
    ("told", "then", "reason"),
    [
        (lifecycle.PaymentPastDue, lifecycle.PaymentRecovered, "recovered"),
        (lifecycle.CardUpdateDue, lifecycle.PaymentRecovered, "recovered"),
        (lifecycle.PaymentPastDue, lifecycle.SubscriptionEnded, "ended"),
        (lifecycle.PaymentPastDue, lifecycle.DunningStopped, "ended"),
        (lifecycle.PaymentRecovered, lifecycle.PaymentPastDue, "outdated"),
        (lifecycle.SubscriptionEndingSoon, lifecycle.CancellationUndone, "withdrawn"),
        (lifecycle.SubscriptionEndingSoon, lifecycle.SubscriptionEnded, "ended"),
        (lifecycle.InactivityWarned, lifecycle.InactivityCleared, "cleared"),
        (lifecycle.InactivityWarned, lifecycle.SubscriptionEnded, "ended"),
        (lifecycle.DataExportDue, lifecycle.SubscriptionDataDeleted, "outdated"),
    ],
)
def test_a_status_mail_is_suppressed_when_its_cause_is_gone(
    told: type[lifecycle.LifecycleFact], then: type[lifecycle.LifecycleFact], reason: str
) -> None:
    desk = Desk()
    desk.hear(example(told, version=5))
    mail_id = desk.mails[0].mail_id
    desk.hear(example(then, version=6) if then is not lifecycle.PaymentRecovered else _paid(desk, version=6))
    suppressed = [fact for fact in desk.heard(EmailSuppressed) if fact.mail_id == mail_id]
    assert [fact.reason for fact in suppressed] == [reason]
    desk.wait(timedelta(hours=1))
    assert not [call for call in desk.calls if mail_id in call.key]


def test_who_cancels_what_has_ended_is_not_asked_for_a_card_to_return() -> None:
    desk = Desk()
    desk.hear(example(PaymentMethodNeeded, purpose="reactivation", version=5))
    desk.hear(example(lifecycle.CancellationRejected, rule="already_ended", version=6))
    assert [fact.reason for fact in desk.heard(EmailSuppressed)] == ["withdrawn"]


def _paid(desk: Desk, version: int) -> lifecycle.PaymentRecovered:
    """Pays the invoice that the first mail is about."""
    return example(lifecycle.PaymentRecovered, invoice_id=desk.mails[0].cause.partition(":")[2], version=version)


def test_another_invoice_that_is_paid_leaves_the_mail_alone() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.PaymentPastDue, invoice_id="in_1", version=5))
    desk.hear(example(lifecycle.PaymentRecovered, invoice_id="in_2", version=6))
    assert desk.mail("payment_failed").state == "queued"


def test_a_later_step_replaces_an_earlier_one_that_has_not_left() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.PaymentRetryDue, invoice_id="in_1", step=1, steps=4, version=5))
    desk.hear(example(lifecycle.PaymentRetryDue, invoice_id="in_1", step=2, steps=4, version=6))
    assert [fact.reason for fact in desk.heard(EmailSuppressed)] == ["outdated"]
    assert len(desk.facts.mails) == 1


def test_a_proof_is_never_suppressed() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled, version=4))
    desk.hear(example(lifecycle.CancellationUndone, version=5))
    desk.hear(example(lifecycle.SubscriptionEnded, version=6))
    assert {mail.state for mail in desk.mails} == {"queued"}
    assert desk.heard(EmailSuppressed) == []


def test_a_status_mail_that_comes_after_newer_news_is_out_of_date() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.PaymentRecovered, version=7))
    desk.hear(example(lifecycle.PaymentPastDue, version=6))
    assert [fact.reason for fact in desk.heard(EmailSuppressed)] == ["outdated"]


def test_older_news_suppresses_nothing_newer() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.InactivityWarned, version=9))
    desk.hear(example(lifecycle.InactivityCleared, version=7))
    assert desk.mails[0].state == "queued"


def test_a_proof_that_comes_late_is_sent_all_the_same() -> None:
    desk = Desk()
    desk.hear(example(refund.RefundIssued, version=8))
    desk.hear(example(refund.RefundApproved, version=7))
    assert {mail.template for mail in desk.mails} == {"refund_issued", "refund_approved"}


def test_a_refund_and_its_subscription_have_versions_of_their_own() -> None:
    desk = Desk()
    desk.hear(example(refund.RefundIssued, version=40))
    desk.hear(example(lifecycle.PaymentPastDue, version=5))
    assert desk.mail("payment_failed").state == "queued"


def test_a_wish_without_a_payment_has_versions_of_its_own_and_is_answered_once_for_each() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationUndone, version=40))
    desk.hear(example(refund.NothingToRefund, version=3))
    assert desk.mail("refund_nothing_paid").about == "CAN-9B3T7W"
    assert isinstance(desk.hear(example(refund.NothingToRefund, version=3)), Ignored)


def test_data_that_was_deleted_in_use_is_told_to_the_customer_and_to_ops() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.LiveDataDeleted))
    assert desk.mail("data_deleted_in_use").mail_class == "proof"
    assert [(each.audience, each.cause) for each in desk.events if isinstance(each, AlertRaised)] == [("ops", "data_deleted_in_use")]


def test_what_is_being_sent_just_now_is_not_tried_again_once_its_cause_is_gone() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.InactivityWarned, version=5))
    desk.wait(POLICY.hold_status)
    desk.hear(example(lifecycle.InactivityCleared, version=6))
    desk.answer(desk.calls[0], trouble="unreachable")
    assert [fact.reason for fact in desk.heard(EmailSuppressed)] == ["cleared"]


def test_an_alert_for_people_of_ours_is_raised_beside_the_customers_mail() -> None:
    desk = Desk()
    desk.hear(example(refund.RefundFailed, owner="finance"))
    assert [(alert.audience, alert.cause, alert.subscription_id) for alert in desk.heard(AlertRaised)] == [
        ("finance", "refund_failed", SUBSCRIPTION)
    ]
    assert desk.mail("refund_failed").state == "queued"


def test_a_fact_without_mail_or_alert_is_still_remembered() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.SubscriptionActivated, version=3))
    assert desk.facts.facts[SUBSCRIPTION].version == 3
    assert isinstance(desk.hear(example(lifecycle.SubscriptionActivated, version=2)), Ignored)


def test_an_undeliverable_mail_is_somebodys_case_by_a_date_and_people_of_ours_hear_of_it() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled))
    desk.answer(desk.calls[0], {"refused": 550})
    mail = desk.mail("cancellation_scheduled")
    assert (mail.state, mail.reason, mail.owner, mail.act_by) == ("undeliverable", "refused: 550", "support", desk.now + timedelta(days=1))
    assert [fact.act_by for fact in desk.heard(EmailFailed)] == [mail.act_by]
    assert [alert.cause for alert in desk.heard(AlertRaised)] == ["mail_undeliverable"]
