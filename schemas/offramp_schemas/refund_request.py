"""`refund.request.v1`: what customers, support, lifecycle and ops ask about money."""

from typing import Literal

from pydantic import Field

from offramp_schemas.base import Currency, Event, FreeText, Id, Minor, Moment, Name

SETTLED_BY = ("bank transfer", "other card", "wallet", "check", "cash", "account credit", "voucher")


class RefundRequested(Event):
    """Somebody wants money back. (payment, `request_ref`) names the refund: the same twice is one refund."""

    request_ref: Id = Field(description="minted by whoever asks; a cancellation passes its own reference on")
    requested_by: Literal["customer", "support", "lifecycle", "ops"] = "customer"
    payment_id: Id | None = Field(default=None, description="none: the latest captured payment of the current period")
    amount_minor: Minor | None = Field(default=None, description="none: all that is left of the payment")
    currency: Currency | None = Field(default=None, description="when given, it must be the payment's")
    cause: Literal["customer_request", "immediate_cancellation", "charged_in_error", "goodwill"] = Field(
        default="customer_request", description="goodwill: ops only; charged_in_error: lifecycle or ops only"
    )
    comment: FreeText | None = None


class _AboutARefund(Event):
    refund_id: Id | None = Field(default=None, description="one of `refund_id` and `request_ref` is enough")
    request_ref: Id | None = None


class RefundChased(_AboutARefund):
    """The customer asks "where is it?". Without an id: the subscription's latest refund."""


class RefundDecided(_AboutARefund):
    """A person decided a refund that was over the limit."""

    decision: Literal["approve", "reject"]
    decided_by: Id
    note: FreeText | None = Field(default=None, description="on a rejection, told to the customer")


class RefundRetried(_AboutARefund):
    """Ops send a refund that needed attention to the provider once more."""

    decided_by: Id
    note: FreeText | None = None


class RefundSettledManually(_AboutARefund):
    """Ops paid it back another way."""

    decided_by: Id
    settlement_ref: Id = Field(description="of the bank transfer, voucher, …")
    method: Name = Field(
        default="bank transfer",
        description=f"the customer reads {', '.join(SETTLED_BY[:-1])} and {SETTLED_BY[-1]} in their language, and any other word as it is",
    )
    settled_at: Moment | None = None


class RefundAppealed(_AboutARefund):
    """The customer does not accept that a refund was rejected: a person looks at it again."""

    appealed_by: Literal["customer", "support"] = "customer"
    comment: FreeText | None = None


class ForeignRefundExplained(Event):
    """Ops found out who made a refund that we did not make: its case is closed, the money stays counted."""

    provider_refund_id: Id
    decided_by: Id
    note: FreeText | None = None
