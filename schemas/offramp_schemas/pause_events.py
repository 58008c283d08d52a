"""`lifecycle.events.v1`: pauses, and the ways back from a pause or an end."""

from typing import Literal

from pydantic import Field

from offramp_schemas.account import Interval, Reseller
from offramp_schemas.base import Currency, Id, Last4, MinorOrZero, Moment, Name
from offramp_schemas.lifecycle_events import DataStage, LifecycleFact


class SubscriptionPaused(LifecycleFact):
    """Billing and access rest until `resumes_at`. The customer's proof, with what becomes of the data."""

    reference: Id = Field(description="of the request, or of the cancellation whose offer was accepted")
    paused_at: Moment
    resumes_at: Moment
    data_retained: bool = Field(description="false: it is deleted at `deletion_due_at`, and who resumes later finds an empty account")
    export_by: Moment
    deletion_due_at: Moment
    card_removed: bool = Field(default=False, description="resuming will ask for a card")
    by_offer: bool = Field(default=False, description="it was a retention offer: no mail but this one")


class PauseRejected(LifecycleFact):
    """A pause that could not be done, by which rule, and from when on it could be."""

    reference: Id
    rule: Literal[
        "not_account_owner", "managed_by_reseller", "trialing", "past_due", "cancellation_scheduled", "already_paused", "already_ended",
        "paused_recently", "too_long", "date_in_the_past",
    ]  # fmt: skip
    requested_by: Id
    requester_name: Name | None = None
    reseller: Reseller | None = None
    possible_from: Moment | None = Field(default=None, description="when a pause is possible again")
    longest_days: int | None = Field(default=None, description="how long a pause may last")
    as_of: Moment = Field(description="the facts it rests on were known then")


class ResumingSoon(LifecycleFact):
    """A pause is nearly over, and then it is charged again."""

    resumes_at: Moment
    days_left: int = Field(ge=0)
    price_minor: MinorOrZero
    currency: Currency
    interval: Interval
    needs_payment_method: bool = False
    data_deleted: bool = Field(default=False, description="the account will be empty")


class SubscriptionResumed(LifecycleFact):
    """A pause is over: access is back, and billing charges again."""

    resumed_at: Moment
    reference: Id | None = Field(default=None, description="of the request; none: the pause ran out")
    price_minor: MinorOrZero
    currency: Currency
    interval: Interval
    renews_at: Moment | None = Field(default=None, description="the next charge, when something is still paid for; none: now")
    card_last4: Last4 | None = None
    data_deleted: bool = Field(default=False, description="the account is empty")


class ResumeRejected(LifecycleFact):
    """A paused subscription that does not go on, by which rule."""

    reference: Id
    rule: Literal["not_account_owner", "managed_by_reseller", "not_paused", "already_ended"]
    requested_by: Id
    requester_name: Name | None = None
    reseller: Reseller | None = None
    ended_at: Moment | None = None
    as_of: Moment = Field(description="the facts it rests on were known then")


class PaymentMethodNeeded(LifecycleFact):
    """It can only go on, or come back, with a card: PaymentMethodUpdated is waited for until `give_by`."""

    purpose: Literal["resume", "reactivation"]
    reference: Id | None = Field(default=None, description="of the request; none: the pause ran out")
    price_minor: MinorOrZero
    currency: Currency
    interval: Interval
    give_by: Moment = Field(description="a paused subscription ends then; a reactivation is given up")
    declined: bool = Field(default=False, description="there was a card, and it was declined")
    reminder: int = Field(default=1, ge=1, description="how often this has been said")
    data_deleted: bool = Field(default=False, description="the account will be empty")


class ReactivationChargeDue(LifecycleFact):
    """Billing is to charge for the return; PaymentSucceeded brings the subscription back."""

    reference: Id
    amount_minor: MinorOrZero
    currency: Currency
    interval: Interval
    charge_by: Moment = Field(description="unpaid by then, the return is given up")


class SubscriptionReactivated(LifecycleFact):
    """It is back."""

    reference: Id
    reactivated_at: Moment
    at_once: bool = Field(description="the paid period still ran; else a charge came first")
    price_minor: MinorOrZero
    currency: Currency
    interval: Interval
    renews_at: Moment | None = None
    card_last4: Last4 | None = None
    data_deleted: bool = Field(default=False, description="the account is empty")


class ReactivationRejected(LifecycleFact):
    """It does not come back, by which rule; what can be done instead is in `data_stage`."""

    reference: Id
    rule: Literal["not_account_owner", "managed_by_reseller", "not_ended", "data_deleted", "not_paid_in_time"]
    requested_by: Id
    requester_name: Name | None = None
    reseller: Reseller | None = None
    data_stage: DataStage | None = None
    ended_at: Moment | None = None
    as_of: Moment = Field(description="the facts it rests on were known then")
