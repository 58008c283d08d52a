"""`lifecycle.events.v1`: why a customer leaves, what they are offered for staying, and who may ask them to return."""

from typing import Annotated, Literal

from pydantic import Field

from offramp_schemas.account import Interval
from offramp_schemas.base import Currency, FreeText, Id, MinorOrZero, Moment, Name, Part
from offramp_schemas.lifecycle_events import DataStage, LifecycleFact
from offramp_schemas.request import FeedbackCode

Consent = Annotated[bool, Field(description="to marketing mail, which this asks for")]
ConsentedAt = Annotated[
    Moment | None, Field(description="when the customer agreed to marketing mail: who opted out before that wants it again")
]


class RetentionOffer(Part):
    """What the customer is offered for staying. Only the fields of its kind are there."""

    kind: Literal["discount", "pause", "success_session", "trial_extension"]
    offer_id: Id
    expires_at: Moment
    discount_percent: int | None = Field(default=None, ge=1, le=100)
    discount_periods: int | None = Field(default=None, ge=1, description="for so many periods")
    price_minor: MinorOrZero | None = Field(default=None, description="per period, with the discount")
    currency: Currency | None = None
    interval: Interval | None = None
    pause_days: int | None = Field(default=None, ge=1)
    extension_days: int | None = Field(default=None, ge=1, description="of the trial")


class RetentionOffered(LifecycleFact):
    """An offer that stands beside a scheduled cancellation, never in its way: accepting it undoes the cancellation."""

    reference: Id = Field(description="of the cancellation")
    ends_at: Moment = Field(description="of access, if the offer is not accepted")
    offer: RetentionOffer
    marketing_consent: Consent = False
    marketing_consented_at: ConsentedAt = None


class RetentionOfferApplied(LifecycleFact):
    """The customer accepted: the cancellation is off. Billing applies a discount or an extension, support arranges a session.

    A pause that was accepted comes with SubscriptionPaused.
    """

    reference: Id = Field(description="of the cancellation that was undone")
    offer: RetentionOffer
    applied_at: Moment
    renews_at: Moment | None = None
    trial_ends_at: Moment | None = Field(default=None, description="the new end of an extended trial")


class RetentionOfferDeclined(LifecycleFact):
    """The customer declined: the cancellation stands."""

    reference: Id = Field(description="of the cancellation")
    offer: RetentionOffer
    ends_at: Moment


class RetentionOfferExpired(LifecycleFact):
    """Nobody answered the offer in time, or somebody accepts it too late: the cancellation stands."""

    reference: Id = Field(description="of the cancellation")
    offer: RetentionOffer
    ends_at: Moment = Field(description="of access; it may be past")
    answered_late: bool = Field(default=False, description="an acceptance came after it had expired: the customer is told")


class RetentionOfferRejected(LifecycleFact):
    """An answer to an offer that could not be taken."""

    reference: Id = Field(description="of the answer")
    rule: Literal["not_account_owner", "no_open_offer"]
    requested_by: Id
    requester_name: Name | None = None
    as_of: Moment = Field(description="the facts it rests on were known then")


class FeedbackRecorded(LifecycleFact):
    """The customer said why, with the cancellation or afterwards. `technical_issues` is followed up."""

    cancellation_ref: Id | None = None
    feedback: tuple[FeedbackCode, ...] = ()
    comment: FreeText | None = None
    switching_to: Name | None = None


class SurveyDue(LifecycleFact):
    """A cancellation without a reason: the customer may be asked for one, once."""

    reference: Id = Field(description="of the cancellation")
    ends_at: Moment = Field(description="of access; it may be past")
    marketing_consent: Consent = False
    marketing_consented_at: ConsentedAt = None


class PersonalOutreachRequested(LifecycleFact):
    """A customer of high value or long standing leaves: a person writes to them, instead of the survey."""

    reference: Id = Field(description="of the cancellation")
    because: tuple[Literal["high_value", "long_standing"], ...] = Field(min_length=1)
    customer_since: Moment | None = None
    price_minor: MinorOrZero
    currency: Currency
    interval: Interval
    ends_at: Moment
    feedback: tuple[FeedbackCode, ...] = ()
    comment: FreeText | None = None
    act_by: Moment


class WinBackDue(LifecycleFact):
    """Some time after a voluntary end, with consent to marketing: the customer may be asked to come back."""

    step: int = Field(ge=1)
    days_since_end: int = Field(ge=0)
    ended_at: Moment
    price_minor: MinorOrZero
    currency: Currency
    interval: Interval
    data_stage: DataStage
    retained_until: Moment | None = Field(default=None, description="until then the data waits; none: it is gone, and nothing promises it")
    marketing_consented_at: ConsentedAt = None
