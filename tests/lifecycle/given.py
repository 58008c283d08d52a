"""The story of one subscription: what it hears, what time does to it, and what it tells. Time passes only when a test says so."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from offramp_schemas import Contact, Event
from offramp_schemas.account import DataDeleted, PersonErased, SubscriptionChanged, SubscriptionRenewed, SubscriptionStarted
from offramp_schemas.activity import ActivityResumed, InactivityDetected
from offramp_schemas.payment import PaymentFailed, PaymentMethodUpdated, PaymentSucceeded
from offramp_schemas.refund_events import Basis, NothingToRefund, RefundApproved, RefundReceived, RefundRejected
from offramp_schemas.request import (
    CancellationRequested,
    CancellationWithdrawn,
    FeedbackCode,
    FeedbackSubmitted,
    PauseRequested,
    ReactivationRequested,
    Requester,
    ResumeRequested,
    RetentionOfferAnswered,
)
from services.lifecycle.decide import Lifecycle
from services.lifecycle.policy import Policy
from services.lifecycle.states import Subscription
from services.runtime.decision import Decision, Input, Outcome, TimerDue, When
from services.runtime.policies import single

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERIOD_START = datetime(2026, 3, 1, tzinfo=UTC)
PERIOD_END = datetime(2026, 4, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OWNER = Requester(user_id="usr_ada")
STRANGER = Requester(user_id="usr_mallory", name="Mallory")
SUPPORT = Requester(user_id="usr_sam", role="support")
LIFECYCLE = Lifecycle(single(Policy()))
EventType = TypeVar("EventType", bound=Event)


class Story:
    """One subscription and business time. `told` is everything it said, `just_told` what it said to the last that happened."""

    def __init__(self, started: SubscriptionStarted, rules: Lifecycle = LIFECYCLE, now: datetime = NOW) -> None:
        self.rules, self.now = rules, now
        self.told: list[Event] = []
        self.just_told: list[Event] = []
        self.fired: list[str] = []
        self._state: Subscription | None = None
        self.hears(started)

    @property
    def state(self) -> Subscription:
        assert self._state is not None
        return self._state

    @property
    def name(self) -> str:
        return self.rules.name(self.state)

    def hears(self, event: Input, at: datetime | None = None) -> Outcome[Subscription]:
        """An event that happened `at` (now, if not said) is heard now."""
        outcome = self.rules.decide("sub_1", self._state, event, When(self.now, min(at or self.now, self.now)))
        self.just_told = []
        if isinstance(outcome, Decision):
            self._state = outcome.state
            self.just_told = list(outcome.events)
            self.told += outcome.events
        return outcome

    def until(self, moment: datetime) -> "Story":
        """Time passes, and every timer fires on time."""
        while due := [timer for timer in self.rules.timers(self.state) if timer.due_at <= moment]:
            timer = min(due, key=lambda each: (each.due_at, each.name))
            self.now = max(self.now, timer.due_at)
            self._fire(timer.name, timer.due_at)
        self.now = moment
        return self

    def sleeps_until(self, moment: datetime) -> "Story":
        """Nobody is at work until then; what has come due fires all at once."""
        self.now = moment
        return self.until(moment)

    def passes(self, **duration: float) -> "Story":
        return self.until(self.now + timedelta(**duration))

    def heard_of(self, kind: type[EventType]) -> list[EventType]:
        """What it has told of one kind, in order."""
        return [event for event in self.told if isinstance(event, kind)]

    def told_kinds(self) -> list[str]:
        """The names of what it told last."""
        return [type(event).__name__ for event in self.just_told]

    def _fire(self, name: str, due_at: datetime) -> None:
        told = self.told[:]
        self.hears(TimerDue(name, due_at), due_at)
        self.fired.append(name)
        assert self.told[: len(told)] == told


def picture(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "customer_id": "cus_1", "owner_id": "usr_ada", "contact": Contact(email="ada@example.org", name="Ada Lovelace"), "plan": "pro",
        "plan_name": "Pro", "price_minor": 4900, "currency": "EUR", "current_period_start": PERIOD_START, "current_period_end": PERIOD_END,
        "country": "DE", "consumer": True,
    }  # fmt: skip
    return facts | changes


def started(**changes: Any) -> SubscriptionStarted:
    return SubscriptionStarted(**picture(**changes))


def changed(**changes: Any) -> SubscriptionChanged:
    return SubscriptionChanged(**picture(**changes))


def paid_plan(rules: Lifecycle = LIFECYCLE, **changes: Any) -> Story:
    return Story(started(**changes), rules)


def started_free(**changes: Any) -> SubscriptionStarted:
    return started(**{"price_minor": 0, "current_period_start": None, "current_period_end": None, "plan": "free"} | changes)


def started_trial(days: int = 14, **changes: Any) -> SubscriptionStarted:
    return started(trial_ends_at=NOW + timedelta(days=days), current_period_start=None, current_period_end=None, **changes)


def free_plan(**changes: Any) -> Story:
    return Story(started_free(**changes))


def trial(days: int = 14, **changes: Any) -> Story:
    return Story(started_trial(days, **changes))


def renewed(start: datetime = PERIOD_END, end: datetime = PERIOD_END + 30 * DAY, payment_id: str | None = None) -> SubscriptionRenewed:
    return SubscriptionRenewed(current_period_start=start, current_period_end=end, price_minor=4900, currency="EUR", payment_id=payment_id)


def cancellation(
    reference: str = "CAN-1",
    mode: Literal["at_period_end", "immediately"] = "at_period_end",
    by: Requester = OWNER,
    **more: Any,
) -> CancellationRequested:
    return CancellationRequested(reference=reference, requested_by=by, mode=mode, **more)


def withdrawal(reference: str = "WDR-1", by: Requester = OWNER) -> CancellationWithdrawn:
    return CancellationWithdrawn(reference=reference, requested_by=by)


def pause(reference: str = "PAU-1", by: Requester = OWNER, days: int | None = 90, **more: Any) -> PauseRequested:
    return PauseRequested(reference=reference, requested_by=by, days=days, **more)


def resume(reference: str = "RES-1", by: Requester = OWNER) -> ResumeRequested:
    return ResumeRequested(reference=reference, requested_by=by)


def reactivation(reference: str = "REA-1", by: Requester = OWNER) -> ReactivationRequested:
    return ReactivationRequested(reference=reference, requested_by=by)


def answer(
    answer: Literal["accepted", "declined"] = "accepted", reference: str = "ANS-1", by: Requester = OWNER, offer_id: str | None = None
) -> RetentionOfferAnswered:
    return RetentionOfferAnswered(reference=reference, requested_by=by, answer=answer, offer_id=offer_id)


def feedback(*codes: FeedbackCode, **more: Any) -> FeedbackSubmitted:
    return FeedbackSubmitted(feedback=codes, **more)


def failure(invoice: str = "in_7", kind: Literal["soft", "hard"] = "soft", payment: str = "pay_f", last4: str = "4242") -> PaymentFailed:
    return PaymentFailed(
        payment_id=payment, invoice_id=invoice, amount_minor=4900, currency="EUR", decline_code="card_declined", kind=kind,
        card_brand="Visa", card_last4=last4,
    )  # fmt: skip


def payment(
    invoice: str = "in_7", payment_id: str = "pay_1", start: datetime | None = None, end: datetime | None = None
) -> PaymentSucceeded:
    return PaymentSucceeded(
        payment_id=payment_id, invoice_id=invoice, amount_minor=4900, currency="EUR", period_start=start, period_end=end
    )


def new_card(last4: str = "1111") -> PaymentMethodUpdated:
    return PaymentMethodUpdated(card_brand="Mastercard", card_last4=last4)


def unused(days: int, story: Story) -> InactivityDetected:
    return InactivityDetected(last_seen_at=story.now - timedelta(days=days), inactive_days=days)


def used(at: datetime) -> ActivityResumed:
    return ActivityResumed(last_seen_at=at)


def erased() -> PersonErased:
    return PersonErased()


def data_deleted() -> DataDeleted:
    return DataDeleted()


def _refund(request_ref: str, payment_id: str) -> dict[str, Any]:
    return {
        "refund_id": "ref_1", "request_ref": request_ref, "payment_id": payment_id, "amount_minor": 4900, "currency": "EUR",
        "contact": Contact(email="ada@example.org", name="Ada Lovelace"), "plan_name": "Pro", "told_due_at": NOW,
    }  # fmt: skip


def refund_received(request_ref: str) -> RefundReceived:
    return RefundReceived(**_refund(request_ref, "pay_1"), basis="guarantee", decides_by=NOW, person_decides=False)


def refund_rejected(request_ref: str) -> RefundRejected:
    return RefundRejected(**_refund(request_ref, "pay_1"), rule="outside_refund_window", decided_by="policy", as_of=NOW)


def nothing_to_refund(request_ref: str) -> NothingToRefund:
    contact = Contact(email="ada@example.org", name="Ada Lovelace")
    return NothingToRefund(request_ref=request_ref, contact=contact, plan_name="Pro", asked_at=NOW, as_of=NOW)


def refund_approved(payment_id: str = "pay_1", basis: Basis = "guarantee", full: bool = True) -> RefundApproved:
    return RefundApproved(**_refund("web-1", payment_id), basis=basis, approved_by="policy", full_payment=full)
