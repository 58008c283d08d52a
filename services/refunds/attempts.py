"""An attempt: one idempotency key, and one conversation with the provider that never just stops."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.refunds.case import Case
from services.refunds.policy import Waits
from services.refunds.states import Attempt, Refund, Submitting, Succeeded, Unknown
from services.runtime.decision import Call, Decision

CREATE, FIND, READ, SURVEY = "refund.create", "refund.find", "refund.read", "payment.survey"


def send(case: Case, refund: Refund) -> Decision[Refund]:
    """The next attempt. Its key is stored before the provider hears of it."""
    number = len(refund.attempts) + 1
    key = f"refund:{refund.refund_id}:{number}"
    attempt = Attempt(number, key, sent_at=case.when.now, waiting_for=key)
    sent = replace(refund, stage=Submitting(), attempts=(*refund.attempts, attempt), tries=refund.tries + 1)
    return Decision(sent, calls=(_create(case, refund, attempt, key),))


def send_again(case: Case, refund: Refund, attempt: Attempt) -> Decision[Refund]:
    """The same attempt under the same key: the provider remembers it and does it once."""
    question = f"{attempt.key}:again:{attempt.questions + 1}"
    attempt = replace(attempt, waiting_for=question, ask_at=None, questions=attempt.questions + 1)
    return Decision(with_attempt(refund, attempt), calls=(_create(case, refund, attempt, question),))


def ask(case: Case, refund: Refund, attempt: Attempt) -> Decision[Refund]:
    """What became of it? By the provider's id, or, where we have none, by what we wrote on it."""
    number = attempt.questions + 1
    if attempt.provider_refund_id is not None:
        call = Call(READ, f"{attempt.key}:read:{number}", {"provider_refund_id": attempt.provider_refund_id})
    else:
        request = {"payment": case.provider_payment_id, "metadata": _metadata(case, refund, attempt)}
        call = Call(FIND, f"{attempt.key}:find:{number}", request)
    patience = attempt.patience if attempt.again else attempt.patience + 1
    attempt = replace(attempt, waiting_for=call.key, ask_at=None, questions=number, patience=patience, again=False)
    return Decision(with_attempt(refund, attempt), calls=(call,))


def ask_later(case: Case, refund: Refund) -> Refund:
    """The next question has its time; the waits grow up to a last one that goes on for ever."""
    attempt = refund.attempt
    if attempt is None:
        return refund
    ask_at = case.when.now if attempt.again else _ask_at(case, refund, attempt.patience)
    return with_attempt(refund, replace(attempt, waiting_for=None, ask_at=ask_at))


def ask_now(case: Case, refund: Refund, attempt: Attempt) -> Decision[Refund]:
    """The provider sent word: what it says is read there, once the question that may be out is answered.

    Such a question is not one of our waits: without news the next one comes as soon as it would have without the word.
    """
    told = replace(attempt, again=True)
    return ask(case, refund, told) if attempt.waiting_for is None else Decision(with_attempt(refund, told))


def with_attempt(refund: Refund, attempt: Attempt) -> Refund:
    """The refund with its latest attempt as it is now."""
    return replace(refund, attempts=(*refund.attempts[:-1], attempt))


def _ask_at(case: Case, refund: Refund, patience: int) -> datetime:
    now, policy = case.when.now, case.policy
    match refund.stage:
        case Succeeded(watched_until=until) if now < until:
            return min(now + policy.watch_every, until)  # the last question is asked when the watch ends
        case Unknown():
            return now + wait(policy.unknown_waits, patience)
        case _:
            return now + wait(policy.pending_waits, patience)


def wait(waits: Waits, patience: int) -> timedelta:
    """The longer, the more patient; the last one goes on for ever."""
    return waits[min(patience, len(waits) - 1)]


def _create(case: Case, refund: Refund, attempt: Attempt, call_key: str) -> Call:
    request = {
        "payment": case.provider_payment_id,
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "idempotency_key": attempt.key,
        "metadata": _metadata(case, refund, attempt),
    }
    return Call(CREATE, call_key, request)


def _metadata(case: Case, refund: Refund, attempt: Attempt) -> dict[str, str]:
    """Written on the provider's refund, so that it can be found without its id. No personal data."""
    return name_of(refund, attempt) | {"subscription_id": case.subscription_id}


def name_of(refund: Refund, attempt: Attempt) -> dict[str, str]:
    """What tells one attempt from all others."""
    return {"refund_id": refund.refund_id, "attempt": str(attempt.number)}
