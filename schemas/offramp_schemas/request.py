"""`subscription.request.v1`: what a customer (or support, for them) asks for."""

from typing import Literal

from pydantic import Field

from offramp_schemas.base import Event, FreeText, Id, Name, Part

FeedbackCode = Literal[
    "customer_service", "low_quality", "missing_features", "no_integration", "switched_service", "too_complex", "too_expensive",
    "technical_issues", "goals_not_met", "unused", "test_account", "company_closed", "other",
]  # fmt: skip


class Requester(Part):
    """Who asks: a user of the account, or support acting for its owner."""

    user_id: Id
    role: Literal["user", "support"] = "user"
    name: Name | None = None


class CancellationRequested(Event):
    """Somebody wants the subscription to stop renewing, or to end now."""

    reference: Id = Field(description="minted by the publisher, unique per subscription; the customer's proof")
    requested_by: Requester
    mode: Literal["at_period_end", "immediately"] = "at_period_end"
    feedback: tuple[FeedbackCode, ...] = Field(default=(), max_length=3)
    comment: FreeText | None = None
    switching_to: Name | None = None
    wants_refund: bool = False
    payment_id: Id | None = Field(default=None, description="the payment to refund; else the latest captured one of the current period")


class CancellationWithdrawn(Event):
    """The customer stays after all."""

    reference: Id = Field(description="of this request, not of the cancellation")
    requested_by: Requester
