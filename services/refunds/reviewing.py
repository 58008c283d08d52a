"""A person decides a refund over the limit."""

from offramp_schemas import Reason
from offramp_schemas.refund_events import RefundRejected
from offramp_schemas.refund_request import RefundDecided
from services.refunds.case import Case, finish
from services.refunds.states import PendingReview, Refund, Rejected
from services.refunds.submitting import approve
from services.runtime.decision import Decision, Refused


def decided(case: Case, refund: Refund, event: RefundDecided) -> Decision[Refund] | Refused:
    """Only what waits for a person can be decided by one, and nobody can reject a withdrawal."""
    match refund.stage, event.decision:
        case PendingReview(), "approve":
            return approve(case, refund, event.decided_by)
        case PendingReview(), "reject" if refund.basis == "withdrawal":
            return Refused(Reason.NOT_ALLOWED, "a consumer's withdrawal can't be rejected")
        case PendingReview(), _:
            rejected = finish(refund, Rejected("decided_by_person", event.decided_by))
            fact = case.say(
                RefundRejected,
                rejected,
                rule="decided_by_person",
                decided_by=event.decided_by,
                note=event.note,
                as_of=case.when.now,
            )
            return Decision(rejected, (fact,))
        case _:
            return Refused(Reason.WRONG_STATE, f"the refund is {refund.state}: there is nothing to decide")
