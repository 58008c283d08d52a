"""How a subscription's refund account answers an event. Each conversation has a file of its own; here they are routed."""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

from offramp_schemas import Event, FollowUp, Reason
from offramp_schemas.account import PersonErased, SubscriptionChanged, SubscriptionFacts, SubscriptionRenewed, SubscriptionStarted
from offramp_schemas.payment import PaymentSucceeded
from offramp_schemas.refund_events import ForeignRefundClosed, ForeignRefundSeen, NothingToRefund, RefundFact
from offramp_schemas.refund_provider import ProviderRefundUpdated
from offramp_schemas.refund_request import (
    ForeignRefundExplained,
    RefundAppealed,
    RefundChased,
    RefundDecided,
    RefundRequested,
    RefundRetried,
    RefundSettledManually,
)
from services.refunds import account as accounts
from services.refunds import appealing, attention, escalating, foreign, hearing, requesting, reviewing, submitting, wishing
from services.refunds import timers as wakes
from services.refunds.answers import NOT_SO_MUCH_LEFT
from services.refunds.attempts import SURVEY, ask, ask_now
from services.refunds.case import Case
from services.refunds.policy import Policy
from services.refunds.states import Account, Approved, Refund, Rejected, Reversed
from services.runtime.decision import CallAnswered, Decision, Ignored, Input, NotSeenYet, Outcome, Refused, Timer, TimerDue, When
from services.runtime.policies import Policies

AboutARefund = RefundChased | RefundAppealed | RefundDecided | RefundRetried | RefundSettledManually
HEARD = (*get_args(accounts.Told), RefundRequested, *get_args(AboutARefund), ProviderRefundUpdated, ForeignRefundExplained)


class Refunds:
    """The rules of the service `refunds`. Its entity is a subscription's refund account."""

    def __init__(self, policies: Policies[Policy]) -> None:
        self.policies = policies

    def route(self, event: Event, subject: str) -> tuple[str, ...]:
        """The subscription's own account, for what it can use."""
        return (subject,) if isinstance(event, HEARD) else ()

    def supplies(self, event: Event) -> frozenset[str]:
        """What requests may be waiting for."""
        match event:
            case SubscriptionStarted() | SubscriptionChanged():
                return frozenset({"subscription"})
            case PaymentSucceeded():
                charge = event.provider_payment_id or event.payment_id
                return frozenset({f"payment:{event.payment_id}", f"charge:{charge}"})
            case RefundRequested(payment_id=None):
                return frozenset({f"refund:{event.request_ref}"})
            case RefundRequested(payment_id=str(payment_id)):
                return frozenset({f"refund:{event.request_ref}", f"refund:{requesting.refund_id(payment_id, event.request_ref)}"})
            case _:
                return frozenset()

    def decide(self, entity_id: str, state: Account | None, event: Input, when: When) -> Outcome[Account]:
        """What the account answers. Whoever asked to be forgotten is, with the last open refund."""
        outcome = self._decide(entity_id, state, event, when)
        if isinstance(outcome, Decision) and outcome.state.erased:
            return replace(outcome, state=accounts.forget(outcome.state))
        return outcome

    def timers(self, state: Account) -> frozenset[Timer]:
        """Those of all its refunds, and of what others gave back."""
        ours = (wakes.timers(each, self.policies.begun(each)) for each in state.refunds.values())
        payments = (wakes.of_payment(each) for each in state.payments.values())
        return frozenset[Timer]().union(*ours, *payments, *(wakes.of_wish(each) for each in state.wishes.values()))

    def name(self, state: Account) -> str:
        """The states of its open refunds, or of its last one."""
        refunds = list(state.refunds.values())
        return "+".join(each.state for each in refunds if not each.over) or (refunds[-1].state if refunds else "no_refund")

    def identify(self, entity_id: str, state: Account, fact: FollowUp) -> tuple[str, str]:
        """A fact of refunds speaks of one refund, ours or somebody else's."""
        if isinstance(fact, RefundFact):
            return fact.refund_id, state.refunds[fact.refund_id].state
        if isinstance(fact, ForeignRefundSeen | ForeignRefundClosed):
            return fact.provider_refund_id, state.payments[fact.payment_id].foreign[fact.provider_refund_id].state
        if isinstance(fact, NothingToRefund):
            return fact.request_ref, self.name(state)
        return entity_id, self.name(state)

    def _decide(self, entity_id: str, state: Account | None, event: Input, when: When) -> Outcome[Account]:
        """The table of conversations."""
        match state, event:
            case None, SubscriptionFacts():
                return accounts.opened(entity_id, event, when)
            case None, Event():
                return NotSeenYet("subscription")
            case Account(), SubscriptionFacts() | SubscriptionRenewed() | PaymentSucceeded() | PersonErased():
                return self._told(state, event, when)
            case Account(), RefundRequested():
                return self._requested(state, event, when)
            case Account(), RefundChased() | RefundAppealed() | RefundDecided() | RefundRetried() | RefundSettledManually():
                return self._about(state, event, when)
            case Account(), ProviderRefundUpdated():
                return self._word(state, event, when)
            case Account(), ForeignRefundExplained():
                return foreign.explained(state, event)
            case Account(), TimerDue():
                return self._timer_due(state, event, when)
            case Account(), CallAnswered():
                return self._answered(state, event, when)
        raise TypeError(f"no rule for {type(event).__name__} in {type(state).__name__}")

    def _told(self, account: Account, event: accounts.Told, when: When) -> Outcome[Account]:
        heard = accounts.hear(account, event, when)
        if not isinstance(event, PaymentSucceeded):
            return heard
        return _then(heard, lambda done: wishing.taken_up(done, event.payment_id, when, self.policies))

    def _requested(self, account: Account, event: RefundRequested, when: When) -> Outcome[Account]:
        if refund := requesting.known(account, event):
            return _inside(account, requesting.repeated(self._case(account, refund, when), refund, event))
        outcome = requesting.hear(account, event, when, self.policies)
        if isinstance(outcome, NotSeenYet) and event.payment_id is None:
            return wishing.kept(account, event, when, self.policies)
        return _inside(account.without_wish(event.request_ref), outcome)

    def _about(self, account: Account, event: AboutARefund, when: When) -> Outcome[Account]:
        refund = _find(account, event)
        if refund is None and isinstance(event, RefundChased | RefundAppealed) and (said := wishing.asked_about(account, event, when)):
            return said
        if refund is None:
            name = event.refund_id or event.request_ref
            return NotSeenYet(f"refund:{name}") if name else Refused(Reason.WRONG_STATE, "there is no refund to speak of")
        case_ = self._case(account, refund, when)
        match event:
            case RefundChased():
                return _inside(account, escalating.chased(case_, refund))
            case RefundAppealed():
                return _inside(account, appealing.appealed(case_, account, refund, event))
            case RefundDecided():
                return _inside(account, reviewing.decided(case_, refund, event))
            case RefundRetried():
                return _inside(account, attention.retried(case_, refund, event))
            case RefundSettledManually():
                outcome = _inside(account, attention.settled(case_, refund, event))
                return _then(outcome, lambda done: foreign.settled(done, refund.payment_id, event))

    def _word(self, account: Account, event: ProviderRefundUpdated, when: When) -> Outcome[Account]:
        refund = hearing.meant(account, event)
        if refund is None or refund.attempt is None:
            return hearing.not_ours(account, event)
        return _inside(account, ask_now(self._case(account, refund, when), refund, refund.attempt))

    def _timer_due(self, account: Account, event: TimerDue, when: When) -> Outcome[Account]:
        what, one, two = event.name.split(":", 2)
        if what == "nothing-paid":
            return wishing.answered(account, account.wishes[two], when)
        if what == "survey":
            return foreign.look(account, account.payments[two])
        if what == "foreign":
            return foreign.remind(account, two, when, self.policies)
        return self._refund_due(account, what, account.refunds[one], when)

    def _refund_due(self, account: Account, what: str, refund: Refund, when: When) -> Outcome[Account]:
        case_ = self._case(account, refund, when)
        match what, refund.stage, refund.attempt:
            case "alarm", _, _:
                return _inside(account, escalating.alarm(case_, refund))
            case "ask", _, attempt if attempt is not None:
                return _inside(account, ask(case_, refund, attempt))
            case "attempt", Approved(), _:
                return _inside(account, attention.next_attempt(case_, refund))
            case "attention", Reversed(reason=reason), _:
                return _inside(account, attention.give_up(case_, refund, reason, definite=False))
        raise TypeError(f"no rule for the timer {what} of a refund that is {refund.state}")

    def _answered(self, account: Account, event: CallAnswered, when: When) -> Outcome[Account]:
        if event.kind == SURVEY:
            return foreign.surveyed(account, event, when, self.policies)
        refund = account.refunds[event.key.split(":")[1]]
        attempt = refund.attempt
        if attempt is None or attempt.waiting_for != event.key:
            return Ignored("nobody_waits_for_it")
        outcome = _inside(account, submitting.answered(self._case(account, refund, when), refund, attempt, event))
        if event.answer is not None and event.answer.get("error") in NOT_SO_MUCH_LEFT:  # by whose doing?
            return _then(outcome, lambda done: foreign.look(done, done.payments[refund.payment_id]))
        return outcome

    def _case(self, account: Account, refund: Refund, when: When) -> Case:
        return Case(account, refund.payment_id, self.policies.begun(refund), when, refund.refund_id)


def _find(account: Account, event: AboutARefund) -> Refund | None:
    """By id, by reference, or the latest one; an appeal means one that was rejected."""
    if event.refund_id is not None:
        return account.refunds.get(event.refund_id)
    found = [each for each in account.refunds.values() if event.request_ref in {None, each.request_ref}]
    meant = [each for each in found if isinstance(each.stage, Rejected)] if isinstance(event, RefundAppealed) else []
    return next(reversed(meant or found), None)


def _inside(account: Account, outcome: Decision[Refund] | NotSeenYet | Refused) -> Outcome[Account]:
    """What one refund decided, as the account's decision."""
    if isinstance(outcome, Decision):
        return Decision(account.with_refund(outcome.state), outcome.events, outcome.calls)
    return outcome


def _then(outcome: Outcome[Account], more: Callable[[Account], Decision[Account]]) -> Outcome[Account]:
    """What else follows from a decision, in the same breath."""
    if not isinstance(outcome, Decision):
        return outcome
    further = more(outcome.state)
    return Decision(further.state, (*outcome.events, *further.events), (*outcome.calls, *further.calls))
