"""To the provider, and what is done while nobody can say whether it arrived there."""

from collections.abc import Mapping

from msgspec.structs import replace

from offramp_schemas.refund_events import RefundApproved
from services.refunds.answers import provider_refund
from services.refunds.attempts import ask_later, send, send_again, with_attempt
from services.refunds.attention import failed
from services.refunds.case import Case, enter
from services.refunds.following import says
from services.refunds.states import Attempt, Closed, Refund, Submitting, Unknown
from services.runtime.decision import CallAnswered, Decision


def approve(case: Case, refund: Refund, approved_by: str, also_approved_by: str | None = None) -> Decision[Refund]:
    """It will be paid back: the first attempt goes out at once."""
    sent = send(case, enter(case, refund, Submitting(), case.when.now + case.policy.submit_within))
    full = refund.amount_minor == case.available_minor
    approved = case.say(
        RefundApproved, sent.state, basis=refund.basis, approved_by=approved_by, also_approved_by=also_approved_by, full_payment=full
    )
    return Decision(sent.state, (approved,), sent.calls)


def answered(case: Case, refund: Refund, attempt: Attempt, event: CallAnswered) -> Decision[Refund]:
    """The answer to the one question that is out."""
    match event:
        case CallAnswered(kind="refund.find", answer={"error": "not_found"}):
            return _not_found(case, refund, replace(attempt, trouble=None))
        case CallAnswered(kind="refund.read", answer={"error": "not_found"}) if isinstance(refund.stage, Closed) and not attempt.again:
            return Decision(with_attempt(refund, replace(attempt, waiting_for=None)))  # of what is over and unknown there, nothing can come
        case CallAnswered(kind="refund.create", answer={"error": code}):
            return failed(case, refund, attempt, code)
        case CallAnswered(answer=Mapping() as answer) if "error" not in answer:
            return says(case, refund, attempt, provider_refund(answer))
        case _:
            return _no_answer(case, refund, attempt, event.trouble or "unknown")  # also when it refuses to say


def _no_answer(case: Case, refund: Refund, attempt: Attempt, trouble: str) -> Decision[Refund]:
    """Never a failure: it may have been done. The provider is asked before anything else."""
    open_ = with_attempt(refund, replace(attempt, trouble=trouble))
    if isinstance(refund.stage, Submitting):
        open_ = replace(open_, stage=Unknown())  # the deadline of submitting it stands
    return Decision(ask_later(case, open_))


def _not_found(case: Case, refund: Refund, attempt: Attempt) -> Decision[Refund]:
    """While the provider remembers the key it is safe to send it again. After that, never: only a second look a day later tells."""
    now, policy = case.when.now, case.policy
    if now - attempt.sent_at < policy.key_lifetime:
        return send_again(case, refund, attempt)
    since = attempt.missing_since or now
    if now - since >= policy.missing_again_after:
        return failed(case, refund, attempt, "never reached the provider")
    again_at = now if attempt.again else since + policy.missing_again_after
    return Decision(with_attempt(refund, replace(attempt, missing_since=since, waiting_for=None, ask_at=again_at, again=False)))
