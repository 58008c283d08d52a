"""`subscription.payment.v1`: what happened to charges and cards. Heard by lifecycle and by refunds."""

from typing import Literal

from pydantic import Field

from offramp_schemas.base import Currency, Event, Id, Last4, Minor, Moment, Name


class PaymentFailed(Event):
    """A charge was declined. `hard` declines are never retried: the card must be replaced."""

    payment_id: Id
    invoice_id: Id
    amount_minor: Minor
    currency: Currency
    decline_code: Id
    kind: Literal["soft", "hard"]
    card_brand: Name | None = None
    card_last4: Last4 | None = None
    attempt: int = Field(default=1, ge=1, le=100)


class PaymentSucceeded(Event):
    """Money was captured for an invoice."""

    payment_id: Id
    invoice_id: Id
    amount_minor: Minor = Field(description="captured")
    currency: Currency
    period_start: Moment | None = Field(default=None, description="the period that was paid for")
    period_end: Moment | None = None
    provider_payment_id: Id | None = Field(default=None, description="the provider's name for the charge; `payment_id` when absent")


class PaymentMethodUpdated(Event):
    """The customer gave another card."""

    card_brand: Name | None = None
    card_last4: Last4 | None = None
