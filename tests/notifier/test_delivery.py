"""A mail that can't be sent is tried again, for as long as it is any use; then it is a person's case."""

from datetime import timedelta
from itertools import pairwise

import pytest

from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas.email_feedback import EmailBounced
from offramp_schemas.notification_events import EmailFailed, EmailSent, EmailSuppressed
from services.runtime.decision import CallAnswered, Ignored
from tests.notifier.given import NOTIFIER, POLICY, Desk, example

PROOF, STATUS = lifecycle.CancellationScheduled, lifecycle.PaymentPastDue
MINUTE = timedelta(minutes=1)


def bounce(message_id: str, kind: str = "hard") -> EmailBounced:
    return example(EmailBounced, message_id=message_id, kind=kind)


def tries(desk: Desk, lasting: timedelta, trouble: str = "unreachable") -> list[timedelta]:
    """How long after the first try each other one is made, while the mail server is in trouble."""
    began = desk.now
    asked: list[timedelta] = []
    while desk.now - began <= lasting:
        if len(desk.calls) > len(asked):
            asked.append(desk.now - began)
            desk.answer(desk.calls[-1], trouble=trouble)
        desk.wait(MINUTE)
    return asked


def test_an_unreachable_server_is_tried_again_after_ever_longer_waits() -> None:
    desk = Desk()
    desk.hear(example(STATUS))
    desk.wait(POLICY.hold_status)
    gaps = [later - earlier for earlier, later in pairwise(tries(desk, timedelta(hours=6)))]
    assert gaps == list(POLICY.try_again_after[:5])
    assert len({call.key for call in desk.calls}) == 6
    assert len({call.request["message_id"] for call in desk.calls}) == 1


def test_a_proof_is_tried_so_often_that_the_hour_is_kept_when_the_server_is_back_within_it() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    asked = tries(desk, POLICY.deliver_within["proof"])
    longest = max(later - earlier for earlier, later in pairwise(asked))
    assert longest == POLICY.proof_again_within
    assert POLICY.proof_within - longest <= max(each for each in asked if each < POLICY.proof_within)


def test_a_proof_that_may_have_arrived_is_not_repeated_every_few_minutes() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    gaps = [later - earlier for earlier, later in pairwise(tries(desk, timedelta(hours=6), "unknown"))]
    assert gaps[:3] == list(POLICY.try_again_after[:3])
    assert set(gaps[3:]) == {POLICY.proof_within}


def test_a_proof_knows_since_when_it_waits_and_by_when_it_was_promised() -> None:
    desk = Desk()
    desk.hear(example(PROOF), at=desk.now - 20 * MINUTE)
    desk.hear(example(STATUS, version=9))
    assert (desk.mail("cancellation_scheduled").since, desk.mail("cancellation_scheduled").promised_by) == (
        desk.now - 20 * MINUTE,
        desk.now + 40 * MINUTE,
    )
    assert desk.mail("payment_failed").promised_by is None


def told_while_the_server_is_away() -> Desk:
    """Two proofs wait, and a third is on its way."""
    desk = Desk()
    facts: list[type[refund.RefundFact]] = [refund.RefundReceived, refund.RefundApproved, refund.RefundIssued]
    for version, fact in enumerate(facts, start=1):
        made = len(desk.calls)
        desk.hear(example(fact, refund_id="re_1", version=version))
        for call in desk.calls[made:] if version < 3 else ():
            desk.answer(call, trouble="unreachable")
        desk.wait(MINUTE / 4)
    return desk


def test_a_later_proof_does_not_overtake_those_that_wait_for_the_server() -> None:
    desk = told_while_the_server_is_away()
    tried = [(call.request["template"], int(call.key.rpartition(":")[2])) for call in desk.calls[-3:]]
    assert tried == [("refund_received", 3), ("refund_approved", 2), ("refund_issued", 1)]


def test_proofs_that_wait_for_the_server_go_together_when_the_first_of_them_is_tried_again() -> None:
    desk = told_while_the_server_is_away()
    for call in desk.calls[-3:]:
        desk.answer(call, trouble="unreachable")
        desk.now += MINUTE / 6
    made = len(desk.calls)
    desk.wait(POLICY.proof_again_within)
    assert [call.request["template"] for call in desk.calls[made:]] == ["refund_received", "refund_approved", "refund_issued"]


def test_a_proof_that_is_accepted_brings_along_those_that_wait() -> None:
    desk = told_while_the_server_is_away()
    desk.answer(desk.calls[-3], trouble="unreachable")
    made = len(desk.calls)
    desk.answer(desk.calls[-2])
    assert [call.request["template"] for call in desk.calls[made:]] == ["refund_received"]


def test_a_proof_that_may_have_arrived_is_not_repeated_with_those_that_were_told_later() -> None:
    desk = Desk()
    desk.hear(example(refund.RefundReceived, refund_id="re_1", version=1))
    desk.answer(desk.calls[0], trouble="unknown")
    desk.hear(example(refund.RefundApproved, refund_id="re_1", version=2))
    desk.answer(desk.calls[1], trouble="unreachable")
    desk.wait(POLICY.try_again_after[0])
    assert [call.request["template"] for call in desk.calls] == [
        "refund_received", "refund_approved", "refund_received", "refund_approved",
    ]  # fmt: skip
    desk.answer(desk.calls[2], trouble="unknown")
    desk.answer(desk.calls[3])
    assert len(desk.calls) == 4, "it waits for its own time"


def test_a_status_mail_goes_behind_the_proofs_that_wait() -> None:
    desk = Desk()
    desk.hear(example(PROOF, version=4))
    desk.hear(example(STATUS, version=5))
    desk.wait(POLICY.hold_status - MINUTE / 2)
    desk.answer(desk.calls[0], trouble="unreachable")
    desk.wait(MINUTE / 2)
    assert [call.request["template"] for call in desk.calls[1:]] == ["cancellation_scheduled", "payment_failed"]


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


def test_a_try_that_waits_long_for_its_turn_is_not_made_twice() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.wait(POLICY.answer_within * 5)
    assert len(desk.calls) == 1
    desk.answer(desk.calls[0])
    assert len(desk.heard(EmailSent)) == 1


def test_a_try_that_is_never_answered_is_a_case_in_the_end() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.wait(POLICY.deliver_within["proof"] + POLICY.answer_within)
    assert [fact.reason for fact in desk.heard(EmailFailed)] == ["unknown"]


def test_a_late_failure_of_an_earlier_try_changes_nothing() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.answer(desk.calls[0], trouble="unknown")
    desk.wait(POLICY.try_again_after[0])
    assert isinstance(desk.answer(desk.calls[0], {"refused": 550}), Ignored)


def test_a_late_success_of_an_earlier_try_counts() -> None:
    desk = Desk()
    desk.hear(example(PROOF))
    desk.answer(desk.calls[0], trouble="unknown")
    desk.wait(POLICY.try_again_after[0])
    desk.answer(desk.calls[0])
    assert isinstance(desk.answer(desk.calls[1]), Ignored)
    assert len(desk.heard(EmailSent)) == 1


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
