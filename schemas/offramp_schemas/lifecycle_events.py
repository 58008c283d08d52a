"""`lifecycle.events.v1`: what lifecycle states about a subscription. Whoever reads it needs nothing else to write a mail.

What is done so that a customer stays or returns is in `retention_events.py`, pauses and ways back are in `pause_events.py`.
"""

from typing import Literal

from pydantic import Field

from offramp_schemas.account import Interval, Reseller
from offramp_schemas.base import Contact, Currency, FollowUp, Id, Last4, Minor, MinorOrZero, Moment, Name, Part
from offramp_schemas.request import FeedbackCode

DataStage = Literal["grace", "retained", "deletion_due", "deleted"]
EndReason = Literal["requested", "withdrawal", "refunded", "payment_failed", "inactivity", "trial_expired", "pause_expired"]


class LifecycleFact(FollowUp):
    """Common to all: whom it concerns."""

    contact: Contact
    plan_name: Name


class OpenBalance(Part):
    """An invoice that is not paid."""

    invoice_id: Id
    amount_minor: Minor
    currency: Currency


class CancellationScheduled(LifecycleFact):
    """It will not renew; access stays until `ends_at`. The customer's proof."""

    reference: Id
    ends_at: Moment
    export_by: Moment = Field(description="until then the data can be exported")
    reason_given: bool
    feedback: tuple[FeedbackCode, ...] = ()
    open_balances: tuple[OpenBalance, ...] = ()
    refund_requested: bool = False
    data_retained: bool = Field(default=False, description="at the customer's wish, until `deletion_due_at`")
    deletion_due_at: Moment | None = None


class CancellationRejected(LifecycleFact):
    """A cancellation, or its withdrawal, that could not be done."""

    reference: Id
    rule: Literal["not_account_owner", "managed_by_reseller", "already_ended", "too_late_to_withdraw"]
    requested_by: Id
    requester_name: Name | None = None
    reseller: Reseller | None = None
    ended_at: Moment | None = None
    as_of: Moment = Field(description="the facts it rests on were known then")


class CancellationUndone(LifecycleFact):
    """The scheduled cancellation is off; the subscription goes on as before."""

    reference: Id = Field(description="of the cancellation that was undone")
    renews_at: Moment | None = None


class SubscriptionEndingSoon(LifecycleFact):
    """A scheduled end is near."""

    reference: Id
    ends_at: Moment
    export_by: Moment


class SubscriptionEnded(LifecycleFact):
    """Access is over."""

    end_reason: EndReason
    ended_at: Moment
    reference: Id | None = Field(default=None, description="of the cancellation, when there was one")
    refund_requested: bool = False
    asked_now: bool = Field(default=False, description="the customer asked for it to end at once: this is the confirmation")
    reason_given: bool = True
    export_by: Moment
    deletion_due_at: Moment
    card_last4: Last4 | None = None
    open_balances: tuple[OpenBalance, ...] = ()
    data_retained: bool = Field(default=False, description="at the customer's wish, until `deletion_due_at`")
    data_stage: DataStage = Field(default="grace", description="after a pause another one: nothing can be exported any more")


class SubscriptionDeactivated(LifecycleFact):
    """Nobody used it: access is over. Comes with SubscriptionEnded(inactivity)."""

    last_seen_at: Moment
    inactive_days: int


class SubscriptionActivated(LifecycleFact):
    """A trial was paid for."""

    payment_id: Id


class DataExportDue(LifecycleFact):
    """The last day to export the data is near."""

    export_by: Moment


class DataRetained(LifecycleFact):
    """The grace period is over and the customer asked to keep the data: it waits for a return."""

    retained_until: Moment


class DataDeletionSoon(LifecycleFact):
    """The day on which the data is deleted is near."""

    deletion_due_at: Moment
    days_left: int = Field(ge=0)
    data_retained: bool = Field(default=False, description="it was kept at the customer's wish until now")


class DataDeletionDue(LifecycleFact):
    """The owner of the data is to delete it; repeated daily until DataDeleted."""

    ended_at: Moment = Field(description="since when there is no access; of a paused subscription: since the pause")
    reminder: int = Field(ge=1, description="1 the first time")


class SubscriptionDataDeleted(LifecycleFact):
    """The data is gone: of a paused subscription, too, which can still resume; of an ended one, terminal."""

    deleted_at: Moment


class LiveDataDeleted(LifecycleFact):
    """For ops: data was deleted although its subscription goes on, or goes on again. The customer is told the truth."""

    deleted_at: Moment


class PersonForgotten(LifecycleFact):
    """The customer asked to be forgotten; `contact` is overwritten from here on. What is open about them goes nowhere, but refunds."""

    forgotten_at: Moment


class PaymentPastDue(LifecycleFact):
    """A charge failed; access stays while dunning runs."""

    payment_id: Id
    invoice_id: Id
    amount_minor: Minor
    currency: Currency
    kind: Literal["soft", "hard"]
    card_brand: Name | None = None
    card_last4: Last4 | None = None
    next_attempt_at: Moment | None = Field(default=None, description="of a soft decline")
    gives_up_at: Moment = Field(description="unpaid by then, access ends")


class PaymentRetryDue(LifecycleFact):
    """Billing is to charge again (a soft decline's step, or a new card)."""

    invoice_id: Id
    amount_minor: Minor
    currency: Currency
    step: int = Field(ge=0, description="0: at once, because the card was replaced; else 1 to `steps`")
    steps: int
    card_last4: Last4 | None = None
    next_attempt_at: Moment | None = None
    gives_up_at: Moment


class CardUpdateDue(LifecycleFact):
    """A hard decline's step: nothing is charged again until the card is replaced."""

    invoice_id: Id
    amount_minor: Minor
    currency: Currency
    step: int = Field(ge=1)
    steps: int
    card_brand: Name | None = None
    card_last4: Last4 | None = None
    gives_up_at: Moment


class PaymentRecovered(LifecycleFact):
    """The open invoice was paid; dunning for it is over."""

    invoice_id: Id
    payment_id: Id
    amount_minor: Minor
    currency: Currency
    after_step: int
    still_open: int = Field(ge=0, description="other unpaid invoices of this subscription")


class DunningExhausted(LifecycleFact):
    """The schedule ran out unpaid. Comes with SubscriptionEnded(payment_failed), or with a scheduled end."""

    invoice_id: Id
    amount_minor: Minor
    currency: Currency
    steps: int
    card_last4: Last4 | None = None


class DunningStopped(LifecycleFact):
    """The subscription is ending anyway: nobody is chased any longer; the invoice stays open."""

    open_balances: tuple[OpenBalance, ...]


class InactivityWarned(LifecycleFact):
    """A free or trial account will be deactivated, or a paid one is not used."""

    kind: Literal["warning", "reminder", "last_day", "paid_but_unused"]
    last_seen_at: Moment
    inactive_days: int = Field(description="when it was last counted")
    deactivation_at: Moment | None = Field(default=None, description="none for a paid plan: it is never deactivated")
    deactivates_after_days: int | None = None
    price_minor: MinorOrZero
    currency: Currency


class InactivityCleared(LifecycleFact):
    """It is used again; every warning is void."""

    last_seen_at: Moment


class RenewalUpcoming(LifecycleFact):
    """A renewal, a new price or a trial's first charge is near."""

    kind: Literal["renewal", "price_change", "trial_ending"]
    charged_at: Moment = Field(description="when it will be charged")
    days_left: int = Field(ge=0)
    amount_minor: MinorOrZero
    currency: Currency
    interval: Interval
    previous_minor: MinorOrZero | None = Field(default=None, description="the price until now, where it changes")
    card_brand: Name | None = None
    card_last4: Last4 | None = None


class RenewalMissing(LifecycleFact):
    """For ops: the period ended and billing is silent; repeated daily, nothing changes."""

    period_end: Moment


class ChargedAfterCancellation(LifecycleFact):
    """For ops: billing charged or renewed what was canceled or rests. Comes with RefundRequested for the charge; that stands."""

    payment_id: Id | None = Field(default=None, description="none while the charge for a renewal is not known")
    amount_minor: Minor | None = None
    currency: Currency


class PaymentAfterEnd(LifecycleFact):
    """For ops: money came in for a subscription that is over. Comes with an offer to refund it."""

    payment_id: Id
    amount_minor: Minor
    currency: Currency
    ended_at: Moment


class RefundUnacknowledged(LifecycleFact):
    """For ops: refunds has not answered a request of lifecycle; repeated until it does."""

    request_ref: Id
    requested_at: Moment
    reminder: int = Field(ge=1)
