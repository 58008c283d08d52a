"""Deadlines that pass, and customers who ask where it is: louder every time, and never silent."""

from msgspec.structs import replace

from offramp_schemas.refund_events import RefundDelayed, RefundFact, RefundStalled, RefundStatusReported, StallCause
from services.refunds.attention import give_up
from services.refunds.case import Case
from services.refunds.states import (
    Approved,
    Escalation,
    NeedsAttention,
    Pending,
    PendingReview,
    Refund,
    RequiresAction,
    Reversed,
    Submitting,
    Succeeded,
    Unknown,
)
from services.refunds.timers import TOP_LEVEL
from services.runtime.decision import Decision

_TOLD_FROM = 2  # the level from which the customer hears


def alarm(case: Case, refund: Refund) -> Decision[Refund]:
    """The deadline passed, or passed long enough ago for the next level."""
    if isinstance(refund.stage, RequiresAction):
        return give_up(case, refund, "the customer did not act in time", definite=False, cause="customer_action")
    louder = Escalation(min(TOP_LEVEL, refund.escalation.level + 1), refund.escalation.said + 1, case.when.now, missed=True)
    return _stalled(case, refund, louder)


def chased(case: Case, refund: Refund) -> Decision[Refund]:
    """The status, at once. While money is still owed, whoever it waits for hears of it a level earlier."""
    before = refund.escalation
    if refund.over or isinstance(refund.stage, Succeeded):
        return Decision(refund, (status(case, refund),))
    level = min(TOP_LEVEL, before.level + 1)
    if not before.missed:
        raised = replace(refund, escalation=replace(before, level=level))
        return Decision(raised, (status(case, raised),))
    stalled = _stalled(case, refund, Escalation(level, before.said + 1, case.when.now, missed=True))
    return Decision(stalled.state, (status(case, stalled.state), *stalled.events))


def status(case: Case, refund: Refund) -> RefundStatusReported:
    """Where it stands, for the customer."""
    return case.say(RefundStatusReported, refund, stage=refund.state, raised_to_level=refund.escalation.level, issued=refund.issued)


def _stalled(case: Case, refund: Refund, louder: Escalation) -> Decision[Refund]:
    promised_at = refund.told_due_at
    stalled = _with_an_honest_date(case, refund, replace(refund, escalation=louder))
    told: tuple[RefundFact, ...] = (
        case.say(
            RefundStalled,
            stalled,
            level=louder.level,
            reminder=louder.said,
            cause=_cause(refund),
            stage=refund.state,
            missed_at=refund.deadline_at,
        ),
    )
    if stalled.told_due_at != promised_at:
        told = (*told, case.say(RefundDelayed, stalled, promised_at=promised_at, new_date=stalled.told_due_at))
    return Decision(stalled, told)


def _with_an_honest_date(case: Case, before: Refund, refund: Refund) -> Refund:
    """A later day than they were told, when this first reaches the customer's level, and again before that one goes by unkept."""
    if refund.escalation.level < _TOLD_FROM or isinstance(refund.stage, Succeeded):
        return refund
    told_before = before.escalation.missed and before.escalation.level >= _TOLD_FROM
    if told_before and refund.told_due_at >= case.when.now + case.policy.repeat_every:
        return refund
    honest = case.business_days(case.policy.arrive_within if refund.issued else case.policy.issue_within)
    calendar = case.policy.calendar
    if calendar.day(honest) <= calendar.day(refund.told_due_at):  # mails name days: the day they were told already would be no news
        honest = calendar.after(refund.told_due_at, 1)
    return replace(refund, told_due_at=honest)


def _cause(refund: Refund) -> StallCause:
    trouble = refund.attempt.trouble if refund.attempt else None
    match refund.stage:
        case PendingReview():
            return "undecided"
        case Approved() | Submitting():
            return "not_submitted"
        case Unknown():
            return "provider_unreachable" if trouble == "unreachable" else "provider_silent"
        case Pending() | Succeeded():
            return "provider_silent" if trouble else "not_arrived"
        case RequiresAction():
            return "customer_action"
        case NeedsAttention() | Reversed():
            return "needs_attention"
    raise TypeError(f"a refund that is {refund.state} can't stall")
