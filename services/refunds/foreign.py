"""Refunds at the provider that we did not make: recorded beside ours, counted, and a case of somebody's until they are explained."""

from typing import Literal

from msgspec.structs import replace

from offramp_schemas import Event, Reason
from offramp_schemas.refund_events import ForeignRefundClosed, ForeignRefundSeen
from offramp_schemas.refund_request import ForeignRefundExplained, RefundSettledManually
from services.refunds.answers import ProviderRefund, provider_refunds
from services.refunds.attempts import SURVEY, name_of, wait
from services.refunds.payments import NOT_PAID, ForeignRefund, Payment, Survey
from services.refunds.policy import Policy
from services.refunds.states import Account, SettledManually
from services.runtime.decision import Call, CallAnswered, Decision, Ignored, Refused, When
from services.runtime.policies import Policies


def look(account: Account, payment: Payment) -> Decision[Account]:
    """Every refund of the payment is read at the provider. One question at a time: word that comes meanwhile makes the next one."""
    survey = payment.survey or Survey()
    if survey.waiting_for is not None:
        return Decision(account.with_payment(replace(payment, survey=replace(survey, again=True))))
    asked = survey.asked + 1
    call = Call(SURVEY, f"survey:{asked}:{payment.payment_id}", {"payment": payment.provider_payment_id})
    survey = replace(survey, asked=asked, waiting_for=call.key, ask_at=None, again=False)
    return Decision(account.with_payment(replace(payment, survey=survey)), calls=(call,))


def surveyed(account: Account, event: CallAnswered, when: When, policies: Policies[Policy]) -> Decision[Account] | Ignored:
    """What the provider shows; without an answer it is asked again, for ever."""
    payment = account.payments[event.key.split(":", 2)[2]]
    survey = payment.survey
    if survey is None or survey.waiting_for != event.key:
        return Ignored("nobody_waits_for_it")
    if event.answer is None:
        ask_at = when.now + wait(policies.of(account.customer).unknown_waits, survey.patience)
        later = replace(survey, waiting_for=None, ask_at=ask_at, patience=survey.patience + 1, again=False)
        return Decision(account.with_payment(replace(payment, survey=later)))
    payment = replace(payment, survey=replace(survey, waiting_for=None, patience=0, again=False))
    shown = provider_refunds(event.answer) if "refunds" in event.answer else ()  # or a definite no: the provider has no such payment
    seen = _record(account.with_payment(payment), payment, shown, when, policies)
    if not survey.again:
        return seen
    more = look(seen.state, seen.state.payments[payment.payment_id])
    return Decision(more.state, seen.events, more.calls)


def remind(account: Account, provider_refund_id: str, when: When, policies: Policies[Policy]) -> Decision[Account]:
    """Nobody has explained it in time: said again, daily, and the provider is asked whether it still stands."""
    payment = next(each for each in account.payments.values() if provider_refund_id in each.foreign)
    foreign = payment.foreign[provider_refund_id]
    remind_at = when.now + policies.begun(foreign).repeat_every
    again = replace(foreign, said=foreign.said + 1, remind_at=remind_at)
    payment = _with(payment, again)
    asked = look(account.with_payment(payment), payment)
    return Decision(asked.state, (_seen(asked.state, payment, again),), asked.calls)


def explained(account: Account, event: ForeignRefundExplained) -> Decision[Account] | Refused:
    """A person found out who made it."""
    payment = payment_with(account, event.provider_refund_id)
    if payment is None:
        return Refused(Reason.WRONG_STATE, "no such refund was seen at the provider, or it is one of ours")
    foreign = payment.foreign[event.provider_refund_id]
    if foreign.remind_at is None:
        return Refused(Reason.WRONG_STATE, "its case is closed already")
    return _close(account, payment, foreign, "explained", decided_by=event.decided_by, note=event.note)


def settled(account: Account, payment_id: str, event: RefundSettledManually) -> Decision[Account]:
    """A refund of ours that was settled by one of theirs explains it."""
    payment = account.payments[payment_id]
    foreign = payment.foreign.get(event.settlement_ref)
    if foreign is None or foreign.remind_at is None:
        return Decision(account)
    return _close(account, payment, foreign, "explained", decided_by=event.decided_by)


def payment_with(account: Account, provider_refund_id: str) -> Payment | None:
    """The payment of which somebody else made this refund."""
    return next((each for each in account.payments.values() if provider_refund_id in each.foreign), None)


def _record(
    account: Account, payment: Payment, shown: tuple[ProviderRefund, ...], when: When, policies: Policies[Policy]
) -> Decision[Account]:
    told: tuple[Event, ...] = ()
    for each in shown:
        before = payment.foreign.get(each.id)
        counts = each.status not in NOT_PAID
        if before is not None and (before.counts == counts):
            payment = _with(payment, replace(before, provider_status=each.status))
            account = account.with_payment(payment)
        elif before is not None and not counts:
            failed = _close(account, payment, replace(before, provider_status=each.status), "failed")
            account, told = failed.state, (*told, *failed.events)
            payment = account.payments[payment.payment_id]
        elif counts and each.amount_minor > 0 and not _ours(account, each):
            policy, whose = policies.of(account.customer), account.customer
            act_by = policy.calendar.after(when.now, policy.attend_within)
            foreign = ForeignRefund(each.id, each.amount_minor, each.status, when.now, act_by, policies.version, act_by)
            foreign = replace(foreign, plan=whose.plan, country=whose.country)
            payment = _with(payment, foreign)
            account = account.with_payment(payment)
            told = (*told, _seen(account, payment, foreign))
    return Decision(account, told)


def _ours(account: Account, shown: ProviderRefund) -> bool:
    """An attempt of ours that has not failed stands behind it. Of an attempt that has, or of a refund that was settled otherwise, it is
    money that nobody counts: as foreign as any."""
    for refund in account.refunds.values():
        attempt = refund.attempt
        if attempt is None or isinstance(refund.stage, SettledManually):
            continue
        if attempt.provider_refund_id == shown.id:
            return True
        if attempt.provider_refund_id is None and name_of(refund, attempt).items() <= shown.metadata.items():
            return True
    return False


def _close(
    account: Account,
    payment: Payment,
    foreign: ForeignRefund,
    cause: Literal["explained", "failed"],
    decided_by: str | None = None,
    note: str | None = None,
) -> Decision[Account]:
    closed = account.with_payment(_with(payment, replace(foreign, remind_at=None)))
    fact = ForeignRefundClosed(
        provider_refund_id=foreign.provider_refund_id,
        payment_id=payment.payment_id,
        amount_minor=foreign.amount_minor,
        currency=payment.currency,
        cause=cause,
        decided_by=decided_by,
        note=note,
    )
    return Decision(closed, (fact,))


def _seen(account: Account, payment: Payment, foreign: ForeignRefund) -> ForeignRefundSeen:
    return ForeignRefundSeen(
        provider_refund_id=foreign.provider_refund_id,
        payment_id=payment.payment_id,
        amount_minor=foreign.amount_minor,
        currency=payment.currency,
        provider_status=foreign.provider_status,
        left_minor=account.available_minor(payment.payment_id),
        seen_at=foreign.seen_at,
        owner=foreign.owner,
        act_by=foreign.act_by,
        reminder=foreign.said,
    )


def _with(payment: Payment, foreign: ForeignRefund) -> Payment:
    return replace(payment, foreign={**payment.foreign, foreign.provider_refund_id: foreign})
