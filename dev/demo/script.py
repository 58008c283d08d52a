"""What happens, and when: the events that other systems publish, and what the payment provider does about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dev.demo.cast import ANNA, BEGINS, BEN, CARA, DAVE, EMMA, FINN, GINA, HUGO, IVY, Customer, day
from dev.sandbox.behaviour import Behaviour, Behaviours, silent_after_doing
from offramp_schemas import Event
from offramp_schemas.account import DataDeleted, SubscriptionRenewed
from offramp_schemas.activity import ActivityResumed, InactivityDetected
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.refund_request import RefundChased, RefundRequested, RefundSettledManually
from offramp_schemas.request import CancellationRequested, Requester

Provider = Callable[[Behaviours], None]
_UNUSED_SINCE = day(3, 3, 9) - timedelta(days=60)


@dataclass(frozen=True)
class Scene:
    """At `at`, `event` comes in about somebody; `words` tell it. `provider` is told first. `cut_off`: the event is broken on its way."""

    at: datetime
    who: Customer
    event: Event | None
    words: str
    provider: Provider | None = None
    cut_off: bool = False

    @property
    def what(self) -> str:
        """The event's name."""
        return self.event.kebab() if self.event else "the provider"


def _cancels(who: Customer, at: datetime, words: str, provider: Provider | None = None, **how: object) -> Scene:
    request = {"reference": f"CAN-{who.first.upper()}", "requested_by": Requester(user_id=who.user_id), **how}
    return Scene(at, who, CancellationRequested.model_validate(request), words, provider)


def _deleted(who: Customer, at: datetime) -> Scene:
    return Scene(at, who, DataDeleted(), "whoever holds the data has deleted it")


def _wants_back(who: Customer, at: datetime, amount_minor: int, words: str, provider: Provider) -> Scene:
    event = RefundRequested(request_ref=f"REF-{who.first.upper()}", payment_id=who.payment(), amount_minor=amount_minor, currency="EUR")
    return Scene(at, who, event, words, provider)


def _charge_failed(who: Customer, at: datetime, words: str, **how: object) -> Scene:
    charge = {"payment_id": who.payment(2), "invoice_id": who.invoice(2), "amount_minor": who.price_minor, "currency": "EUR", **how}
    return Scene(at, who, PaymentFailed.model_validate(charge), words)


def _renewed(who: Customer, began: datetime, ends: datetime, words: str) -> Scene:
    event = SubscriptionRenewed(current_period_start=began, current_period_end=ends, price_minor=who.price_minor, currency="EUR")
    return Scene(began, who, event, words)


def _unused(who: Customer, at: datetime, words: str) -> Scene:
    return Scene(at, who, InactivityDetected(last_seen_at=_UNUSED_SINCE, inactive_days=60), words)


def _banks_take_an_hour(provider: Behaviours) -> None:
    provider.tell(Behaviour(do="pending", payment="pi_ben_1", after_reads=2))


def _falls_silent(provider: Behaviours) -> None:
    provider.tell(*silent_after_doing("pi_cara_1"))


def _refuses_the_card(provider: Behaviours) -> None:
    provider.tell(Behaviour(do="refuse", payment="pi_dave_1", times=None))


_THEY_CANCEL = (
    _cancels(BEN, day(3, 4, 10), "at once, with the money back", _banks_take_an_hour, mode="immediately", wants_refund=True),
    _deleted(BEN, day(3, 9, 16)),
    _cancels(ANNA, day(3, 5, 9, 30), "at the end of the month: too expensive", feedback=("too_expensive",)),
    _deleted(ANNA, day(4, 6, 16)),
)
_THEY_WANT_MONEY_BACK = (
    _wants_back(CARA, day(3, 9, 20, 30), 4000, "40.00 EUR; the provider falls silent", _falls_silent),
    Scene(day(3, 10, 9), CARA, RefundChased(request_ref="REF-CARA"), "“where is my money?”"),
    Scene(day(3, 10, 18), CARA, None, "answers again", lambda provider: provider.behave()),
    _wants_back(DAVE, day(3, 16, 10), 2500, "25.00 EUR; his card takes no refunds", _refuses_the_card),
    Scene(day(3, 18, 9), DAVE, RefundSettledManually(request_ref="REF-DAVE", decided_by="olga", settlement_ref="SEPA-20260318-7"),
          "Olga of ops has sent it by bank transfer"),
)  # fmt: skip
_THEY_CAN_NOT_PAY = (
    _renewed(EMMA, day(3, 10, 8), datetime.fromisoformat("2027-03-10T08:00:00Z"), "another year"),
    _charge_failed(EMMA, day(3, 10, 8, 5), "insufficient funds", decline_code="insufficient_funds", kind="soft", card_last4="4242"),
    _charge_failed(EMMA, day(3, 11, 8, 30), "again", decline_code="insufficient_funds", kind="soft", card_last4="4242", attempt=2),
    Scene(day(3, 13, 8, 30), EMMA, PaymentSucceeded(payment_id=EMMA.payment(2), invoice_id=EMMA.invoice(2), amount_minor=9900,
                                                    currency="EUR"), "the third try went through"),
    _renewed(FINN, day(3, 12, 8), day(4, 12, 8), "another month"),
    _charge_failed(FINN, day(3, 12, 8, 10), "his card has expired", decline_code="expired_card", kind="hard", card_last4="0341"),
    _deleted(FINN, day(3, 25, 16)),
)  # fmt: skip
_THEY_DO_NOT_USE_IT = (
    _unused(HUGO, day(3, 3, 9), "not used for 60 days"),
    replace(_unused(GINA, day(3, 3, 9, 1), "cut off in the middle by a faulty program"), cut_off=True),
    _unused(GINA, day(3, 3, 9, 2), "not used for 60 days"),
    _unused(IVY, day(3, 3, 9, 30), "not used for 60 days"),
    Scene(day(3, 14, 20), HUGO, ActivityResumed(last_seen_at=day(3, 14, 20)), "he logs in"),
    _deleted(GINA, day(4, 7, 16)),
)


SCENES = tuple(sorted((*_THEY_CANCEL, *_THEY_WANT_MONEY_BACK, *_THEY_CAN_NOT_PAY, *_THEY_DO_NOT_USE_IT), key=lambda scene: scene.at))
assert SCENES[0].at > BEGINS
