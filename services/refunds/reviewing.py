"""Persons decide: one above the limit, two different ones above the second limit, and one again when the customer appeals."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from offramp_schemas import Reason
from offramp_schemas.refund_events import RefundRejected, RefundReviewNeeded
from offramp_schemas.refund_request import RefundDecided
from services.refunds.attention import NOT_SO_MUCH
from services.refunds.case import Case, enter, finish
from services.refunds.states import PendingReview, Refund, Rejected
from services.refunds.submitting import approve
from services.runtime.decision import Decision, Refused

_FOR_A_PERSON_TO_JUDGE = {"outside_refund_window", "decided_by_person"}  # the other rules are sums: no person makes them come out otherwise


def wait_for_a_person(
    case: Case, refund: Refund, approvals: int, decides_by: datetime, comment: str | None
) -> tuple[Refund, RefundReviewNeeded]:
    """The refund until then, and what ops hear."""
    stage = PendingReview(approvals, comment=comment)
    waits = enter(case, refund, stage, decides_by)
    return waits, _ask(case, waits, stage)


def decided(case: Case, refund: Refund, event: RefundDecided) -> Decision[Refund] | Refused:
    """Only what waits for a person can be decided by one, and nobody can reject a withdrawal."""
    match refund.stage, event.decision:
        case PendingReview() as stage, "approve":
            return _approve(case, refund, stage, event.decided_by)
        case PendingReview(), "reject" if refund.basis == "withdrawal":
            return Refused(Reason.NOT_ALLOWED, "a consumer's withdrawal can't be rejected")
        case PendingReview(), _:
            return reject(case, refund, "decided_by_person", event.decided_by, note=event.note)
        case _:
            return Refused(Reason.WRONG_STATE, f"the refund is {refund.state}: there is nothing to decide")


def reject(case: Case, refund: Refund, rule: str, decided_by: str, **quoted: Any) -> Decision[Refund]:
    """Not paid back, and by when the customer can have a person look at it: once."""
    can_appeal = rule in _FOR_A_PERSON_TO_JUDGE and refund.appealed_at is None
    appeal_by = case.when.now + case.policy.appeal_within if can_appeal else None
    rejected = finish(refund, Rejected(rule, decided_by, appeal_by))
    fact = case.say(
        RefundRejected,
        rejected,
        rule=rule,
        decided_by=decided_by,
        as_of=case.when.now,
        appeal_by=appeal_by,
        after_appeal=refund.appealed_at is not None,
        **quoted,
    )
    return Decision(rejected, (fact,))


def _approve(case: Case, refund: Refund, stage: PendingReview, person: str) -> Decision[Refund] | Refused:
    """The deadline is for all of them: a first approval does not move it."""
    if person.casefold() in {each.casefold() for each in stage.approved_by}:
        return Refused(Reason.NOT_ALLOWED, "this person approved it already: so large a refund takes two different persons")
    if refund.amount_minor > case.available_minor:
        return Refused(Reason.WRONG_STATE, NOT_SO_MUCH)
    approved_by = (*stage.approved_by, person)
    if len(approved_by) >= stage.approvals_needed:
        return approve(case, refund, *approved_by)
    stage = replace(stage, approved_by=approved_by)
    waits = replace(refund, stage=stage)
    return Decision(waits, (_ask(case, waits, stage),))


def _ask(case: Case, refund: Refund, stage: PendingReview) -> RefundReviewNeeded:
    return case.say(
        RefundReviewNeeded,
        refund,
        basis=refund.basis,
        approvals_needed=stage.approvals_needed,
        approved_by=stage.approved_by,
        appeal=refund.appealed_at is not None,
        comment=stage.comment,
    )
