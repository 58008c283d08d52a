"""A mail that can't be sent is tried again, for as long as it is any use; then it is a person's case."""

from itertools import pairwise

import pytest

from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas.email_feedback import EmailBounced
from offramp_schemas.notification_events import EmailFailed, EmailSent, EmailSuppressed
from services.runtime.decision import CallAnswered, Ignored
from tests.notifier.given import NOTIFIER, POLICY, Desk, example

PROOF, STATUS = lifecycle.CancellationScheduled, lifecycle.PaymentPastDue


def bounce(message_id: str, kind: str = "hard") -> EmailBounced:
    return example(EmailBounced, message_id=message_id, kind=kind)


def test_an_unreachable_server_is_tried_again_after_ever_longer_waits() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    asked = [desk.now]
    for attempt in range(4):
        desk.answer(desk.calls[attempt], trouble="unreachable")
        desk.wait(POLICY.try_again_after[attempt])
        asked.append(desk.now)
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps == list(POLICY.try_again_after[:4])
    assert len({call.key for call in desk.calls}) == 5
    assert len({call.request["message_id"] for call in desk.calls}) == 1


def test_trying_ends_when_its_time_is_over() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    while desk.facts.mails:
        desk.answer(desk.calls[-1], trouble="unreachable")
        desk.wait(max(POLICY.try_again_after))
    mail = desk.mail("cancellation_scheduled")
    assert (mail.state, mail.reason) == ("undeliverable", "unreachable")
    assert mail.closed_at is not None
    assert mail.closed_at <= mail.due_by + max(POLICY.try_again_after)
    assert len(desk.heard(EmailFailed)) == 1


def test_an_answer_that_never_comes_does_not_leave_the_mail_waiting() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.wait(POLICY.answer_within + POLICY.try_again_after[0])
    assert len(desk.calls) == 2


def test_a_late_success_of_an_earlier_try_counts() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.wait(POLICY.answer_within + POLICY.try_again_after[0])
    desk.answer(desk.calls[0])
    assert len(desk.heard(EmailSent)) == 1
    assert isinstance(desk.answer(desk.calls[1]), Ignored)
    assert len(desk.heard(EmailSent)) == 1


def test_a_late_failure_of_an_earlier_try_changes_nothing() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.wait(POLICY.answer_within + POLICY.try_again_after[0])
    assert isinstance(desk.answer(desk.calls[0], {"refused": 550}), Ignored)


def test_a_hard_bounce_makes_the_sent_mail_a_case() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.answer(desk.calls[0])
    desk.hear(bounce(desk.mails[0].message_id))
    assert (desk.mails[-1].state, desk.mails[-1].reason) == ("undeliverable", "bounced")
    assert [fact.owner for fact in desk.heard(EmailFailed)] == ["support"]


def test_a_bounce_is_recognised_without_angle_brackets() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.answer(desk.calls[0])
    desk.hear(bounce(desk.mails[0].message_id.strip("<>")))
    assert len(desk.heard(EmailFailed)) == 1


def test_a_bounce_told_twice_is_one_case() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.answer(desk.calls[0])
    desk.hear(bounce(desk.mails[0].message_id))
    assert isinstance(desk.hear(bounce(desk.mails[0].message_id)), Ignored)
    assert len(desk.heard(EmailFailed)) == 1


def test_after_a_hard_bounce_status_mails_are_suppressed_and_proofs_are_cases_at_once() -> None:
    desk = Desk()
    desk.hear(example(PROOF, version=4))
    desk.answer(desk.calls[0])
    desk.hear(bounce(desk.mails[0].message_id))
    desk.hear(example(STATUS, version=5))
    desk.hear(example(refund.RefundReceived, version=1))
    assert [fact.reason for fact in desk.heard(EmailSuppressed)] == ["address_bounced"]
    assert [fact.reason for fact in desk.heard(EmailFailed)] == ["bounced", "address_bounced"]
    assert len(desk.calls) == 1


def test_a_hard_bounce_also_ends_what_waits_for_the_same_address() -> None:
    desk = Desk()
    desk.hear(example(PROOF, version=4))
    desk.answer(desk.calls[0])
    desk.hear(example(STATUS, version=5))
    desk.hear(bounce(desk.mails[0].message_id))
    assert desk.facts.mails == ()


def test_a_new_address_is_written_to_again() -> None:
    desk = Desk()
    desk.hear(example(PROOF, version=4))
    desk.answer(desk.calls[0])
    desk.hear(bounce(desk.mails[0].message_id))
    fact = example(lifecycle.CancellationUndone, version=5)
    desk.hear(fact.model_copy(update={"contact": fact.contact.model_copy(update={"email": "new@example.com"})}))
    assert desk.calls[-1].request["to"] == "new@example.com"


def test_a_soft_bounce_is_the_providers_business() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.answer(desk.calls[0])
    assert isinstance(desk.hear(bounce(desk.mails[0].message_id, kind="soft")), Ignored)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_a_bounce_of_a_mail_nobody_knows_is_ignored(kind: str) -> None:
    desk = Desk()
    assert isinstance(desk.hear(bounce("<nobody@example.com>", kind)), Ignored)
    desk.hear(example(PROOF))
    assert isinstance(desk.hear(bounce("<nobody@example.com>", kind)), Ignored)


def test_an_answer_for_a_mail_nobody_knows_is_ignored() -> None:
    assert isinstance(Desk().hear(CallAnswered("mail", "mail:x:1", {"accepted": True})), Ignored)


def test_nothing_about_the_customer_stays_in_the_state_once_all_is_sent() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.answer(desk.calls[0])
    assert "aoife" not in repr(desk.facts.sent).lower()
    assert NOTIFIER.timers(desk.facts) == frozenset()
