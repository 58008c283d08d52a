"""What every rule about one refund is given: the account it belongs to, the policy it began with, and the two moments."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from msgspec.structs import replace

from offramp_schemas.refund_events import Basis, RefundFact
from services.refunds.policy import Policy
from services.refunds.states import Account, Escalation, Over, Refund, Stage
from services.refunds.timers import next_action_at
from services.runtime.decision import When

Fact = TypeVar("Fact", bound=RefundFact)


@dataclass(frozen=True)
class Case:
    """The circumstances of one decision about a refund of that payment, a new one unless it has an id."""

    account: Account
    payment_id: str
    policy: Policy
    when: When
    refund_id: str | None = None

    @property
    def subscription_id(self) -> str:
        """Whose refund it is."""
        return self.account.subscription_id

    @property
    def provider_payment_id(self) -> str:
        """What the provider calls the payment."""
        return self.account.payments[self.payment_id].provider_payment_id

    @cached_property
    def available_minor(self) -> int:
        """What the refund can take of its payment at most. It is counted over all refunds: when somebody asks, and once."""
        return self.account.available_minor(self.payment_id, to=self.refund_id)

    @property
    def taken_minor(self) -> int:
        """What else its payment gave or gives back."""
        return self.account.payments[self.payment_id].captured_minor - self.available_minor

    def say(self, fact: type[Fact], refund: Refund, **own: Any) -> Fact:
        """A fact about the refund as it is after this decision."""
        return fact(
            refund_id=refund.refund_id,
            request_ref=refund.request_ref,
            payment_id=refund.payment_id,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            contact=self.account.customer.contact,
            plan_name=self.account.customer.plan_name,
            owner=refund.owner,
            next_action_at=next_action_at(refund, self.policy),
            deadline_at=refund.deadline_at,
            told_due_at=refund.told_due_at,
            **own,
        )

    def business_days(self, days: int) -> datetime:
        """So many business days from now."""
        return self.policy.calendar.after(self.when.now, days)


def promise(case: Case, refund: Refund, basis: Basis, since: datetime) -> Refund:
    """The refund by a right, and its two dates: the promise counts from `since`, the law's from the first request."""
    policy = case.policy
    promise_due_at = policy.calendar.after(since, policy.issue_within)
    legal_due_at = refund.informed_at + policy.withdrawal_pays_within if basis == "withdrawal" else None
    to_keep = [each for each in (promise_due_at, legal_due_at) if each is not None and each > case.when.now]
    told_due_at = min(to_keep, default=promise_due_at)  # nobody is told a date that has passed
    return replace(refund, basis=basis, promise_due_at=promise_due_at, legal_due_at=legal_due_at, told_due_at=told_due_at)


def enter(case: Case, refund: Refund, stage: Stage, deadline_at: datetime, *, level: int = 0) -> Refund:
    """The refund in another stage, with that stage's deadline and all complaints about the last one settled.

    Before it is issued, no deadline lies beyond the date the customer was told: that one's passing can't go unnoticed.
    """
    within_promise = not refund.issued and not refund.over and case.when.now < refund.told_due_at
    deadline_at = min(deadline_at, refund.told_due_at) if within_promise else deadline_at
    return replace(refund, stage=stage, deadline_at=deadline_at, escalation=Escalation(level=level))


def finish(refund: Refund, stage: Over) -> Refund:
    """The refund, over: nobody owes anything, no question is asked any more."""
    attempts = tuple(replace(each, waiting_for=None, ask_at=None) for each in refund.attempts)
    return replace(refund, stage=stage, deadline_at=None, escalation=Escalation(), attempts=attempts)
