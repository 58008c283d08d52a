"""A refund account on a test clock: events go in, facts and calls come out, and time passes from timer to timer."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from offramp_schemas import Contact
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.payment import PaymentSucceeded
from offramp_schemas.refund_request import RefundRequested
from services.refunds.decide import Refunds
from services.refunds.policy import Policy
from services.refunds.states import Account, Refund
from services.runtime.decision import Call, CallAnswered, Decision, Input, Outcome, TimerDue, When
from services.runtime.policies import single

SUB = "sub_1"
MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REFUND_ID = "re_1"
E = TypeVar("E")


def started(**changes: Any) -> SubscriptionStarted:
    """A consumer in Germany on a monthly plan."""
    facts: dict[str, Any] = {
        "customer_id": "cus_1", "owner_id": "usr_1", "contact": Contact(email="ada@example.com", name="Ada", locale="en"), "plan": "pro",
        "plan_name": "Pro", "price_minor": 4900, "currency": "EUR", "current_period_start": MONDAY, "current_period_end": MONDAY + 30 * DAY,
        "country": "DE", "consumer": True,
    }  # fmt: skip
    return SubscriptionStarted(**facts | changes)


def paid(payment_id: str = "pay_1", amount_minor: int = 4900, **changes: Any) -> PaymentSucceeded:
    """A captured payment in euros."""
    facts: dict[str, Any] = {"payment_id": payment_id, "invoice_id": f"inv_{payment_id}", "amount_minor": amount_minor, "currency": "EUR"}
    return PaymentSucceeded(**facts | changes)


def requested(request_ref: str = "CAN-1", **changes: Any) -> RefundRequested:
    """The customer asks for all of the latest payment."""
    return RefundRequested(**{"request_ref": request_ref} | changes)


@dataclass
class Desk:
    """The service's rules around one account; every decision must hold what the shell relies on."""

    policy: Policy = field(default_factory=Policy)
    now: datetime = MONDAY
    account: Account | None = None
    told: list[Any] = field(default_factory=list)
    asked: list[Call] = field(default_factory=list)
    outcome: Outcome[Account] | None = None
    passed: set[str] = field(default_factory=set)
    """Every state a refund was in."""

    def __post_init__(self) -> None:
        self.rules = Refunds(single(self.policy))

    @classmethod
    def with_a_payment(cls, *, policy: Policy | None = None, amount_minor: int = 4900, **facts: Any) -> "Desk":
        desk = cls(policy or Policy())
        desk.hear(started(**facts))
        desk.hear(paid(amount_minor=amount_minor))
        return desk

    @property
    def refund(self) -> Refund:
        assert self.account is not None
        return list(self.account.refunds.values())[-1]

    def hear(self, event: Input, at: datetime | None = None) -> list[Any]:
        """The facts told in answer."""
        self.outcome = outcome = self.rules.decide(SUB, self.account, event, When(self.now, at or self.now))
        if not isinstance(outcome, Decision):
            return []
        self.account = outcome.state
        self.passed |= {each.state for each in outcome.state.refunds.values()}
        self.told += outcome.events
        self.asked += outcome.calls
        return list(outcome.events)

    def answer(self, **answer: Any) -> list[Any]:
        """The provider answers the latest call."""
        call = self.asked[-1]
        return self.hear(CallAnswered(call.kind, call.key, answer))

    def no_answer(self, trouble: str = "unknown") -> list[Any]:
        call = self.asked[-1]
        return self.hear(CallAnswered(call.kind, call.key, None, trouble))

    def next_timer(self) -> TimerDue | None:
        assert self.account is not None
        first = min(self.rules.timers(self.account), key=lambda each: (each.due_at, each.name), default=None)
        return TimerDue(first.name, first.due_at) if first else None

    def fire(self) -> list[Any]:
        """The clock goes to the next timer, which fires; it must be gone then."""
        assert self.account is not None
        timer = self.next_timer()
        assert timer is not None, "nothing would ever happen again"
        self.now = max(self.now, timer.due_at)
        told = self.hear(timer)
        assert timer not in {TimerDue(each.name, each.due_at) for each in self.rules.timers(self.account)}, (
            f"{timer} fired and is still due"
        )
        return told

    def wait(self, time: timedelta, trouble: str | None = None) -> list[Any]:
        """Time passes, and whatever falls due is done. With `trouble`, the provider answers nothing but that."""
        told: list[Any] = []
        until, fired = self.now + time, 0
        while (timer := self.next_timer()) and timer.due_at <= until:
            told += self.fire()
            fired += 1
            assert fired < 5000, f"{timer} comes again and again"
            if trouble and self.refund.attempt and self.refund.attempt.waiting_for:
                told += self.no_answer(trouble)
        self.now = until
        return told

    def all_told(self, kind: type[E]) -> list[E]:
        return [each for each in self.told if isinstance(each, kind)]


def kinds(facts: list[Any]) -> list[str]:
    """Their names, in order."""
    return [type(each).__name__ for each in facts]
