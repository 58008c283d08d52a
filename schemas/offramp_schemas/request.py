"""`subscription.request.v1`: what a customer (or support, for them) asks for."""

from typing import Literal

from pydantic import Field

from offramp_schemas.base import Event, FreeText, Id, Moment, Name, Part

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
    keep_data: bool = Field(
        default=False, description="the data is retained for a possible return; else it is deleted after the grace period"
    )


class CancellationWithdrawn(Event):
    """The customer stays after all."""

    reference: Id = Field(description="of this request, not of the cancellation")
    requested_by: Requester


class RetentionOfferAnswered(Event):
    """The customer accepts or declines the offer that came with the confirmation of a cancellation."""

    reference: Id = Field(description="of this answer, not of the cancellation")
    requested_by: Requester
    answer: Literal["accepted", "declined"]
    offer_id: Id | None = Field(default=None, description="as RetentionOffered told it; none: the one that is open")


class FeedbackSubmitted(Event):
    """The customer says why: the answer to a survey, before or after the end."""

    feedback: tuple[FeedbackCode, ...] = Field(default=(), max_length=3)
    comment: FreeText | None = None
    switching_to: Name | None = None
    cancellation_ref: Id | None = Field(default=None, description="of the cancellation it explains; none: the latest one")


class PauseRequested(Event):
    """The owner wants billing and access to rest for a while."""

    reference: Id = Field(description="minted by the publisher, unique per subscription; the customer's proof")
    requested_by: Requester
    resume_at: Moment | None = Field(default=None, description="when it goes on; none: after so many `days`")
    days: int | None = Field(default=None, ge=1, le=36_500, description="how long; none as well: as long as a pause may last")
    keep_data: bool = Field(default=False, description="the data is retained meanwhile; else it is deleted after the grace period")
    feedback: tuple[FeedbackCode, ...] = Field(default=(), max_length=3)
    comment: FreeText | None = None


class ResumeRequested(Event):
    """The owner wants a paused subscription to go on now."""

    reference: Id = Field(description="minted by the publisher, unique per subscription")
    requested_by: Requester


class ReactivationRequested(Event):
    """The owner wants a subscription back that has ended."""

    reference: Id = Field(description="minted by the publisher, unique per subscription")
    requested_by: Requester
