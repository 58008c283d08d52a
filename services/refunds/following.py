"""What the provider says about a refund it has. However it was learnt, the same words lead to the same state."""

from msgspec.structs import replace

from offramp_schemas.refund_events import RefundActionNeeded, RefundArrived, RefundClosed, RefundFact, RefundIssued, RefundReversed
from services.refunds.answers import DISPUTED, ProviderRefund
from services.refunds.attempts import ask_later, with_attempt
from services.refunds.attention import failed, give_up, over
from services.refunds.case import Case, enter, finish
from services.refunds.states import Attempt, Closed, Pending, Refund, RequiresAction, Reversed, Succeeded
from services.runtime.decision import Decision


def says(case: Case, refund: Refund, before: Attempt, said: ProviderRefund) -> Decision[Refund]:
    """The row of what was said; what is no news is asked again later."""
    attempt = replace(
        before, waiting_for=None, ask_at=None, trouble=None, missing_since=None, provider_refund_id=said.id, raw_status=said.status
    )
    heard = with_attempt(refund, attempt)
    news = said.status != before.raw_status
    match refund.stage, said.status:
        case Succeeded() | Closed(), "succeeded":
            return _still_stands(case, heard, attempt)
        case Succeeded() | Closed(), "failed" | "canceled" if said.failure_reason not in DISPUTED:
            return _reverse(case, heard, attempt, said)
        case _, "failed":
            return failed(case, heard, attempt, said.failure_reason or "failed")
        case _, "canceled":
            return failed(case, heard, attempt, "canceled", again=False)
        case _, "succeeded" if news:
            return _arrive(case, heard, attempt, said)
        case _, "pending" if news:
            return _wait_for_the_bank(case, heard, attempt, said)
        case RequiresAction(expires_at=at), "requires_action" if said.expires_at in {None, at}:
            return Decision(ask_later(case, heard))
        case _, "requires_action" if news or isinstance(refund.stage, RequiresAction):
            return _wait_for_the_customer(case, heard, attempt, said)
        case _, status if news:
            return give_up(case, with_attempt(heard, replace(attempt, patience=0)), f"provider status {status}", definite=False)
        case _:
            return Decision(ask_later(case, heard))


def _still_stands(case: Case, refund: Refund, attempt: Attempt) -> Decision[Refund]:
    """The customer has the money. When the watch is over nobody asks any more, but for word that the provider sends later."""
    match refund.stage:
        case _ if attempt.again:
            return Decision(ask_later(case, refund))
        case Succeeded(watched_until=until) if case.when.now >= until:
            closed = finish(refund, Closed())
            return Decision(closed, (case.say(RefundClosed, closed),))
        case Closed():
            return Decision(refund)
        case _:
            return Decision(ask_later(case, refund))


def _issue(case: Case, refund: Refund, attempt: Attempt, said: ProviderRefund) -> tuple[Refund, tuple[RefundFact, ...]]:
    """The first time that the provider has it. The customer is told when it arrives."""
    if attempt.issued_at is not None:
        return with_attempt(refund, replace(attempt, patience=0)), ()
    arrives_by = case.business_days(case.policy.arrive_within)
    issued = with_attempt(replace(refund, told_due_at=arrives_by), replace(attempt, issued_at=case.when.now, patience=0))
    return issued, (case.say(RefundIssued, issued, provider_refund_id=said.id, arn=said.arn, arrives_by=arrives_by),)


def _wait_for_the_bank(case: Case, refund: Refund, attempt: Attempt, said: ProviderRefund) -> Decision[Refund]:
    issued, told = _issue(case, refund, attempt, said)
    pending = enter(case, issued, Pending(), case.business_days(case.policy.arrive_within))
    return Decision(ask_later(case, pending), told)


def _arrive(case: Case, refund: Refund, attempt: Attempt, said: ProviderRefund) -> Decision[Refund]:
    issued, told = _issue(case, refund, attempt, said)
    until = case.when.now + case.policy.watch
    watched = ask_later(case, enter(case, issued, Succeeded(until), case.policy.calendar.after(until, case.policy.attend_within)))
    return Decision(watched, (*told, case.say(RefundArrived, watched, provider_refund_id=said.id, arn=said.arn)))


def _wait_for_the_customer(case: Case, refund: Refund, attempt: Attempt, said: ProviderRefund) -> Decision[Refund]:
    """Until the expiry it is the customer's turn: that is the date they are told now."""
    expires_at = said.expires_at or case.when.now + case.policy.act_within
    told_of = replace(with_attempt(refund, replace(attempt, patience=0)), told_due_at=max(refund.told_due_at, expires_at))
    waits = ask_later(case, enter(case, told_of, RequiresAction(expires_at), expires_at))
    return Decision(waits, (case.say(RefundActionNeeded, waits, expires_at=expires_at, action_url=said.action_url),))


def _reverse(case: Case, refund: Refund, attempt: Attempt, said: ProviderRefund) -> Decision[Refund]:
    reason = said.failure_reason or said.status
    back = with_attempt(refund, over(case, attempt))
    deadline_at = case.business_days(case.policy.attend_within)
    back = enter(case, back, Reversed(case.when.now, reason), deadline_at)
    return Decision(back, (case.say(RefundReversed, back, provider_refund_id=said.id, reason=reason),))
