"""The customer does not accept a rejection: a person looks at it again, once."""

from typing import Any

from msgspec.structs import replace

from offramp_schemas.refund_events import Basis, RefundAppealReceived, RefundAppealRejected
from offramp_schemas.refund_request import RefundAppealed
from services.refunds.case import Case, promise
from services.refunds.eligibility import right_of
from services.refunds.escalating import status
from services.refunds.reviewing import wait_for_a_person
from services.refunds.states import Account, Refund, Rejected
from services.runtime.decision import Decision


def appealed(case: Case, account: Account, refund: Refund, event: RefundAppealed) -> Decision[Refund]:
    """A customer's wish is answered whatever the refund is doing; the limits of an appeal are its date and what is left to pay back."""
    match refund.stage:
        case Rejected() if refund.appealed_at is not None:
            return _not_again(case, refund, rule="appealed_before")
        case Rejected(appeal_by=by) if by is not None and case.when.at > by:
            return _not_again(case, refund, rule="too_late", appeal_by=by)
        case Rejected() if refund.amount_minor > case.available_minor:
            return _not_again(case, refund, rule="nothing_left_to_refund")
        case Rejected():
            return _hear(case, account, refund, event)
        case _:
            return Decision(refund, (status(case, refund),))  # it is not rejected, or not any more


def _hear(case: Case, account: Account, refund: Refund, event: RefundAppealed) -> Decision[Refund]:
    """What was rejected promised nothing: the promise begins with the appeal."""
    policy = case.policy
    again = replace(promise(case, refund, _basis(account, refund, case), case.when.at), appealed_at=case.when.now)
    approvals = max(1, policy.approvals(case.taken_minor + refund.amount_minor, refund.currency))
    waits, asked = wait_for_a_person(case, again, approvals, case.business_days(policy.answer_appeal_within), event.comment)
    return Decision(waits, (case.say(RefundAppealReceived, waits, decides_by=waits.deadline_at, comment=event.comment), asked))


def _basis(account: Account, refund: Refund, case: Case) -> Basis:
    """By what is known now: a fact may have come after the rejection, and a withdrawal can't be rejected then."""
    right = right_of(account, refund.informed_at, case.policy)
    return "withdrawal" if right == "withdrawal" else refund.basis or right or "goodwill"


def _not_again(case: Case, refund: Refund, **why: Any) -> Decision[Refund]:
    return Decision(refund, (case.say(RefundAppealRejected, refund, **why),))
