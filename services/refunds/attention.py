"""When an attempt fails: it is tried again, a few times; then a person takes over, and nobody else may."""

from msgspec.structs import replace

from offramp_schemas import Reason
from offramp_schemas.refund_events import RefundFact, RefundFailed, RefundSettled, RefundStalled, RefundSuperseded
from offramp_schemas.refund_request import RefundRetried, RefundSettledManually
from services.refunds.answers import DISPUTED, NO_MONEY
from services.refunds.attempts import ask_later, send, with_attempt
from services.refunds.case import Case, enter, finish
from services.refunds.states import (
    Approved,
    Attempt,
    Escalation,
    NeedsAttention,
    PendingReview,
    Refund,
    Reversed,
    SettledManually,
    Submitting,
    Superseded,
    Unknown,
)
from services.runtime.decision import Decision, Refused

NOT_SO_MUCH = "not so much is left of the payment: if somebody gave it back, settle the refund by the provider's name of theirs"


def failed(case: Case, refund: Refund, attempt: Attempt, reason: str, *, again: bool = True) -> Decision[Refund]:
    """The provider did not do it, for certain."""
    failing = with_attempt(refund, over(case, attempt))
    if reason in DISPUTED:
        superseded = finish(failing, Superseded())
        return Decision(superseded, (case.say(RefundSuperseded, superseded, reason=reason),))
    if not again or refund.tries >= case.policy.attempts:
        return give_up(case, failing, reason, definite=True)
    waits = case.policy.attempt_waits
    approved = Approved(case.when.now + waits[min(refund.tries, len(waits)) - 1])
    if isinstance(refund.stage, Submitting | Unknown):
        return Decision(replace(failing, stage=approved))  # the deadline of submitting it stands
    return Decision(enter(case, failing, approved, case.when.now + case.policy.submit_within))


def over(case: Case, attempt: Attempt) -> Attempt:
    """The attempt, failed: another one may follow."""
    return replace(attempt, failed_at=case.when.now, waiting_for=None, ask_at=None)


def give_up(case: Case, refund: Refund, reason: str, *, definite: bool, cause: str = "needs_attention") -> Decision[Refund]:
    """A person's turn; told at once. The customer hears of it only when it is definite: else it may still be paid."""
    owner = "finance" if reason in NO_MONEY else "ops"
    level = max(1, refund.escalation.level)
    waits = enter(case, refund, NeedsAttention(reason, owner), case.business_days(case.policy.attend_within))
    waits = ask_later(case, replace(waits, escalation=Escalation(level, said=1, said_at=case.when.now)))
    told: tuple[RefundFact, ...] = (
        case.say(RefundStalled, waits, level=level, reminder=1, cause=cause, stage=waits.state, missed_at=case.when.now),
    )
    if definite:
        told = (case.say(RefundFailed, waits, reason=reason, attempts=len(waits.attempts)), *told)
    return Decision(waits, told)


def next_attempt(case: Case, refund: Refund) -> Decision[Refund]:
    """Its time has come; meanwhile somebody else may have given the money back."""
    if refund.amount_minor > case.available_minor:
        return give_up(case, refund, "somebody else gave it back", definite=False)
    return send(case, refund)


def retried(case: Case, refund: Refund, _: RefundRetried) -> Decision[Refund] | Refused:
    """A fresh attempt, unless one is open: two could both be paid."""
    match refund.stage:
        case NeedsAttention() | Reversed() if refund.amount_minor > case.available_minor:
            return Refused(Reason.WRONG_STATE, NOT_SO_MUCH)
        case NeedsAttention() | Reversed() if refund.attempt is None:
            afresh = enter(case, replace(refund, tries=0), Submitting(), case.when.now + case.policy.submit_within)
            return send(case, afresh)
        case NeedsAttention() | Reversed():
            return Refused(Reason.WRONG_STATE, "the last attempt is still open at the provider")
        case _:
            return Refused(Reason.WRONG_STATE, f"the refund is {refund.state}: there is nothing to retry")


def settled(case: Case, refund: Refund, event: RefundSettledManually) -> Decision[Refund] | Refused:
    """A person paid it back another way, or found that somebody had: then the provider's name for that refund is the reference."""
    match refund.stage:
        case NeedsAttention() | Reversed():
            pass
        case PendingReview() if refund.amount_minor > case.available_minor:
            pass
        case _:
            return Refused(Reason.WRONG_STATE, f"the refund is {refund.state}: it needs no other way")
    done = finish(refund, SettledManually(event.settlement_ref))
    return Decision(done, (case.say(RefundSettled, done, settlement_ref=event.settlement_ref, method=event.method),))
