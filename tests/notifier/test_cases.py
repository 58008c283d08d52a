"""A mail that could not be delivered is somebody's case, and who asks to be forgotten is: no case, no address, no mail."""

from datetime import timedelta

import msgspec
import pytest

from offramp_schemas import Contact
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas import refund_events as refund
from offramp_schemas.base import ERASED
from offramp_schemas.email_feedback import EmailBounced, MailCaseResolved
from offramp_schemas.notification_events import AlertRaised, EmailSuppressed, MailCaseClosed, MailCaseOverdue
from services.notifier.states import Correspondence, Letters
from services.runtime.decision import Ignored
from tests.notifier.given import NOW, POLICY, SUBSCRIPTION, Desk, example

ACT_WITHIN = POLICY.undeliverable.act_within


def refused(reply: object = 550) -> Desk:
    """A proof that the mail server does not take."""
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled, version=4))
    desk.answer(desk.calls[0], {"refused": reply})
    return desk


def moved(version: int, email: str = "new@example.com") -> lifecycle.LifecycleFact:
    return example(lifecycle.CancellationUndone, version=version, contact=Contact(email=email, name="Aoife Byrne"))


def test_a_case_nobody_deals_with_is_said_again_every_day() -> None:
    desk = refused()
    desk.wait(ACT_WITHIN * 3)
    assert [(fact.reminder, fact.owner, fact.missed_at) for fact in desk.heard(MailCaseOverdue)] == [
        (number, "support", NOW + ACT_WITHIN * number) for number in (1, 2, 3)
    ]
    assert [alert.cause for alert in desk.heard(AlertRaised)] == ["mail_undeliverable", *["mail_case_overdue"] * 3]


def test_a_person_closes_a_case() -> None:
    desk = refused()
    desk.hear(example(MailCaseResolved, mail_id=desk.mails[0].mail_id, decided_by="mari"))
    desk.wait(ACT_WITHIN * 3)
    assert [(fact.cause, fact.decided_by) for fact in desk.heard(MailCaseClosed)] == [("resolved", "mari")]
    assert desk.heard(MailCaseOverdue) == []


def test_a_case_is_closed_once() -> None:
    desk = refused()
    resolved = example(MailCaseResolved, mail_id=desk.mails[0].mail_id)
    desk.hear(resolved)
    assert isinstance(desk.hear(resolved), Ignored)
    assert isinstance(Desk().hear(resolved), Ignored)


def test_a_new_address_closes_the_cases_of_the_old_one() -> None:
    desk = refused()
    desk.hear(moved(5))
    assert [fact.cause for fact in desk.heard(MailCaseClosed)] == ["address_replaced"]


@pytest.mark.parametrize(
    ("reply", "news"),
    [
        (550, moved(5, "aoife.byrne@example.com")),  # the address that failed
        (550, moved(3)),  # older than the mail
        (550, example(refund.RefundIssued, contact=Contact(email="older@example.com", name="Aoife Byrne"))),
        ("not_renderable", moved(5)),  # no address mends that
    ],
)
def test_what_is_no_new_address_leaves_the_case_open(reply: object, news: lifecycle.LifecycleFact) -> None:
    desk = refused(reply)
    desk.hear(news)
    assert desk.heard(MailCaseClosed) == []
    assert len(desk.facts.cases) == 1


def test_an_alert_that_can_not_be_delivered_is_not_said_by_another_alert() -> None:
    desk = Desk("ops:ops:renewal_missing")
    desk.hear(AlertRaised(audience="ops", cause="renewal_missing", about="sub_1", subscription_id="sub_1"))
    desk.wait(POLICY.alerts.window)
    desk.answer(desk.calls[0], {"refused": 550})
    desk.wait(timedelta(days=30))
    assert desk.heard(AlertRaised) == []


def forgotten() -> Desk:
    """A mail is on its way, one is held, one is a case, one refund is open and one is over; then the customer asks to be forgotten."""
    desk = refused()
    desk.hear(example(lifecycle.PaymentPastDue, version=5))
    desk.hear(example(lifecycle.CancellationUndone, version=6))
    desk.hear(example(refund.RefundApproved, refund_id="open", version=1, deadline_at=NOW + timedelta(days=1)))
    desk.hear(example(refund.RefundSettled, refund_id="over", version=1, deadline_at=None))
    desk.hear(example(lifecycle.PersonForgotten, version=7))
    return desk


def test_who_is_forgotten_gets_nothing_but_the_proofs_of_an_open_refund() -> None:
    desk = forgotten()
    assert [(fact.template, fact.reason, fact.detail) for fact in desk.heard(EmailSuppressed)] == [("payment_failed", "outdated", "erased")]
    for call in desk.calls[1:]:
        desk.answer(call, trouble="unreachable")
    assert {mail.template: (mail.state, mail.reason) for mail in desk.mails} == {
        "cancellation_scheduled": ("undeliverable", "refused: 550"),
        "payment_failed": ("suppressed", "outdated.erased"),
        "cancellation_undone": ("suppressed", "outdated.erased"),
        "refund_settled": ("suppressed", "outdated.erased"),
        "refund_approved": ("queued", None),
    }


def test_what_is_being_sent_just_now_forgets_whom_it_is_for() -> None:
    mail = forgotten().mail("cancellation_undone")
    assert (mail.address, mail.context) == (ERASED.email, {})


def test_a_case_about_who_is_forgotten_is_over() -> None:
    assert [fact.cause for fact in forgotten().heard(MailCaseClosed)] == ["erased"]


def test_what_is_heard_after_forgetting_writes_to_nobody_but_about_the_open_refund() -> None:
    desk = forgotten()
    asked = len(desk.calls)
    desk.hear(example(lifecycle.SubscriptionEnded, version=8, contact=ERASED))
    desk.hear(example(lifecycle.SubscriptionDataDeleted, version=9))
    desk.hear(example(refund.NothingToRefund))
    desk.hear(example(refund.RefundClosed, refund_id="over", version=2, contact=ERASED))
    desk.hear(example(refund.RefundIssued, refund_id="open", version=2, deadline_at=NOW + timedelta(days=5)))
    desk.hear(example(refund.RefundReversed, refund_id="open", version=3, deadline_at=None, contact=ERASED))
    assert [call.request["template"] for call in desk.calls[asked:]] == ["refund_issued"]


def test_a_mail_to_who_is_forgotten_becomes_no_case_any_more() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled, version=4))
    desk.answer(desk.calls[0])
    desk.hear(example(lifecycle.CancellationUndone, version=5))
    desk.hear(example(lifecycle.PersonForgotten, version=6))
    desk.answer(desk.calls[1], {"refused": 550})
    desk.hear(example(EmailBounced, message_id=desk.calls[0].request["message_id"], kind="hard"))
    assert desk.facts.cases == ()
    assert desk.mail("cancellation_undone").reason == "outdated.erased"


def test_forgetting_twice_changes_nothing() -> None:
    desk = forgotten()
    assert isinstance(desk.hear(example(lifecycle.PersonForgotten, version=7)), Ignored)


def test_nothing_of_the_customer_stays_when_no_refund_is_open() -> None:
    desk = refused()
    desk.hear(example(lifecycle.CancellationUndone, version=6))
    desk.hear(example(lifecycle.PersonForgotten, version=7))
    assert "aoife" not in repr(desk.facts).lower()


@pytest.mark.parametrize("kind", [pause.SubscriptionPaused, pause.SubscriptionReactivated, pause.SubscriptionResumed])
def test_a_finer_reason_is_told_as_a_detail(kind: type[lifecycle.LifecycleFact]) -> None:
    desk = Desk()
    desk.hear(example(lifecycle.RenewalUpcoming, version=5))
    desk.hear(example(lifecycle.DataDeletionSoon, version=6))
    desk.hear(example(kind, version=7))
    assert {fact.reason for fact in desk.heard(EmailSuppressed)} == {"outdated"}
    assert all(fact.detail for fact in desk.heard(EmailSuppressed))


def test_a_refund_that_is_not_ours_is_an_alert_and_no_mail() -> None:
    desk = Desk()
    desk.hear(example(refund.ForeignRefundSeen, provider_refund_id="re_9"))
    assert [(alert.audience, alert.cause, alert.about) for alert in desk.heard(AlertRaised)] == [("finance", "foreign_refund", "re_9")]
    assert isinstance(desk.hear(example(refund.ForeignRefundClosed)), Ignored)
    assert desk.calls == []


def test_what_an_earlier_version_stored_still_loads() -> None:
    stored = b'{"state":"correspondence","facts":{"sub_1":{"version":4,"state":"non_renewing","told":{"cancellation_scheduled":[4]}}}}'
    state = msgspec.json.decode(stored, type=Letters)
    assert isinstance(state, Correspondence)
    desk = Desk(state=state)
    assert isinstance(desk.hear(example(lifecycle.CancellationScheduled, version=4)), Ignored)
    assert desk.facts.facts[SUBSCRIPTION].version == 4
