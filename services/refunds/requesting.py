"""Somebody wants money back: which payment, by which right, and who decides."""

import uuid
from datetime import datetime

from offramp_schemas import Reason
from offramp_schemas.refund_events import RefundFact, RefundReceived, RefundRejected
from offramp_schemas.refund_request import RefundRequested
from services.refunds.case import Case, promise
from services.refunds.eligibility import basis_of, windows
from services.refunds.payments import Payment
from services.refunds.policy import Policy
from services.refunds.reviewing import reject, wait_for_a_person
from services.refunds.states import Account, PendingReview, Refund, Rejected
from services.refunds.submitting import approve
from services.runtime.decision import Decision, NotSeenYet, Refused, When, id_of
from services.runtime.policies import Policies

_REFUNDS = uuid.UUID("0b6c7c52-54c8-5d0a-8a3a-2d0c8c6f7a11")
_MAY_ASK = {"goodwill": {"ops"}, "charged_in_error": {"lifecycle", "ops"}}


def refund_id(payment_id: str, request_ref: str) -> str:
    """The same payment and reference are the same refund, whoever asks and however often."""
    return id_of(_REFUNDS, f"{payment_id}|{request_ref}")


def known(account: Account, request: RefundRequested) -> Refund | None:
    """The refund this request asked for before; without a payment named, its reference alone tells."""
    for refund in account.refunds.values():
        if refund.request_ref == request.request_ref and request.payment_id in {None, refund.payment_id}:
            return refund
    return None


def payment_of(account: Account, request: RefundRequested, at: datetime, policy: Policy) -> Payment | None:
    """The payment named, or the latest one of the present period; None: not heard of yet."""
    if request.payment_id is not None:
        return account.payments.get(request.payment_id)
    present = [each for each in account.payments.values() if of_present_period(each, account, at, policy)]
    return max(present, key=lambda each: each.captured_at, default=None)


def of_present_period(payment: Payment, account: Account, at: datetime, policy: Policy) -> bool:
    """Whether it paid for the period that ran at that moment."""
    if payment.period_end is not None:
        return at < payment.period_end
    return account.period_start is None or payment.captured_at >= account.period_start - policy.charged_ahead


def hear(
    account: Account, request: RefundRequested, when: When, policies: Policies[Policy], *, promised_from: datetime | None = None
) -> Decision[Refund] | NotSeenYet | Refused:
    """A request for a refund that is not known yet. The promise begins when it was asked, or `promised_from`."""
    policy = policies.of(account.customer)
    if request.requested_by not in _MAY_ASK.get(request.cause, {request.requested_by}):
        return Refused(Reason.NOT_ALLOWED, f"{request.requested_by} can't ask for a refund by cause of {request.cause}")
    payment = payment_of(account, request, when.at, policy)
    if payment is None:
        return NotSeenYet(f"payment:{request.payment_id}" if request.payment_id else "payment")
    if request.currency not in {None, payment.currency}:
        return Refused(Reason.WRONG_CURRENCY, f"asked for in {request.currency}, paid in {payment.currency}")
    case = Case(account, payment.payment_id, policy, when)
    left = case.available_minor
    refund = _begin(case, payment, request, request.amount_minor or max(left, 0) or payment.captured_minor, policies.version)
    if left <= 0:
        return _reject(case, refund, account, rule="nothing_left_to_refund")
    if refund.amount_minor > left:
        return _reject(case, refund, account, rule="exceeds_payment")
    basis = basis_of(account, request, when.at, policy)
    if basis is None:
        return _reject(case, refund, account, rule="outside_refund_window")
    return _receive(case, promise(case, refund, basis, promised_from or when.at), request)


def _begin(case: Case, payment: Payment, request: RefundRequested, amount_minor: int, version: int) -> Refund:
    promise_due_at = case.policy.calendar.after(case.when.at, case.policy.issue_within)
    return Refund(
        refund_id=refund_id(payment.payment_id, request.request_ref),
        request_ref=request.request_ref,
        payment_id=payment.payment_id,
        amount_minor=amount_minor,
        currency=payment.currency,
        policy_version=version,
        plan=case.account.customer.plan,
        country=case.account.customer.country,
        informed_at=case.when.at,
        promise_due_at=promise_due_at,
        told_due_at=promise_due_at,
        stage=PendingReview(),
    )


def _receive(case: Case, refund: Refund, request: RefundRequested) -> Decision[Refund]:
    """The limits are for all that one payment gives back: they can't be passed in small steps."""
    approvals = case.policy.approvals(case.taken_minor + refund.amount_minor, refund.currency)
    if not approvals:
        approved = approve(case, refund, "policy")
        received = case.say(RefundReceived, approved.state, basis=refund.basis, decides_by=case.when.now, person_decides=False)
        return Decision(approved.state, (received, *approved.events), approved.calls)
    waits, asked = wait_for_a_person(case, refund, approvals, case.business_days(case.policy.decide_within), request.comment)
    received = case.say(RefundReceived, waits, basis=refund.basis, decides_by=waits.deadline_at, person_decides=True)
    return Decision(waits, (received, asked))


def _reject(case: Case, refund: Refund, account: Account, *, rule: str) -> Decision[Refund]:
    if rule != "outside_refund_window":
        return reject(case, refund, rule, "policy")
    quoted = max(windows(account, case.policy), key=lambda each: each.ended_at)
    window = {"window_days": quoted.length.days, "window_started_at": quoted.started_at, "window_ended_at": quoted.ended_at}
    return reject(case, refund, rule, "policy", **window)


def repeated(case: Case, refund: Refund, request: RefundRequested) -> Decision[Refund]:
    """The same wish again changes nothing. Lifecycle alone is answered again: it waits for that, even if the web form was first."""
    match refund.stage:
        case _ if request.requested_by != "lifecycle":
            return Decision(refund)
        case Rejected(rule=rule, decided_by=by, appeal_by=appeal_by):
            fact: RefundFact = case.say(
                RefundRejected, refund, rule=rule, decided_by=by, as_of=case.when.now, appeal_by=appeal_by, repeat=True
            )
        case stage:
            waits = isinstance(stage, PendingReview)
            decides_by = refund.deadline_at if waits else case.when.now
            fact = case.say(RefundReceived, refund, basis=refund.basis, decides_by=decides_by, person_decides=waits, repeat=True)
    return Decision(refund, (fact,))
