"""`refund.events.v1`: what refunds states. `issued` = the provider has it; `arrived` = the bank shows it."""

from typing import Literal

from pydantic import Field

from offramp_schemas.base import MAX_MINOR, Contact, Currency, FollowUp, FreeText, Id, Minor, Moment, Name

RefundState = Literal[
    "requested", "pending_review", "approved", "submitting", "unknown", "pending", "requires_action", "needs_attention",
    "succeeded", "reversed", "closed", "rejected", "settled_manually", "superseded",
]  # fmt: skip
Basis = Literal["withdrawal", "guarantee", "goodwill", "charged_in_error"]
StallCause = Literal[
    "undecided", "not_submitted", "provider_unreachable", "provider_silent", "customer_action", "needs_attention", "not_arrived"
]


class RefundFact(FollowUp):
    """Common to all: which refund, whose turn it is, and by when."""

    refund_id: Id
    request_ref: Id
    payment_id: Id
    amount_minor: Minor
    currency: Currency
    contact: Contact
    plan_name: Name
    owner: Name | None = Field(default=None, description="whose turn it is; none once it is over")
    next_action_at: Moment | None = None
    deadline_at: Moment | None = Field(default=None, description="of the present stage; a missed one is told as RefundStalled by then")
    told_due_at: Moment = Field(description="the date the customer was last told: of issuing it, then of its arrival")


class RefundReceived(RefundFact):
    """The request is in."""

    basis: Basis
    decides_by: Moment
    person_decides: bool
    repeat: bool = Field(default=False, description="lifecycle asked again for what was answered before: the customer knows already")


class RefundReviewNeeded(RefundFact):
    """For ops: a person decides by `deadline_at`."""

    basis: Basis
    approvals_needed: int = Field(ge=1, description="different persons")
    approved_by: tuple[Name, ...] = Field(default=(), description="who approved it already: the next one must be somebody else")
    appeal: bool = Field(default=False, description="it was rejected before, and the customer appealed")
    comment: FreeText | None = Field(default=None, description="what the customer says")


class RefundApproved(RefundFact):
    """It will be paid back."""

    basis: Basis
    approved_by: Name
    also_approved_by: Name | None = Field(default=None, description="the second person, above the second limit")
    full_payment: bool = Field(default=False, description="nothing of the payment is left: lifecycle may end what it paid for")


class RefundRejected(RefundFact):
    """It will not be paid back, and why."""

    rule: Literal["outside_refund_window", "nothing_left_to_refund", "exceeds_payment", "decided_by_person", "not_a_consumer_withdrawal"]
    window_days: int | None = None
    window_started_at: Moment | None = None
    window_ended_at: Moment | None = None
    decided_by: Name
    note: FreeText | None = None
    as_of: Moment = Field(description="the facts it rests on were known then")
    appeal_by: Moment | None = Field(default=None, description="until then the customer can appeal; none: not (again)")
    after_appeal: bool = Field(default=False, description="a person looked at it again, and it stays rejected")
    repeat: bool = Field(default=False, description="lifecycle asked again for what was answered before: the customer knows already")


class NothingToRefund(FollowUp):
    """Money was asked back, and no payment is known that it could come from. Should one be heard of later, the request is taken up."""

    request_ref: Id
    contact: Contact
    plan_name: Name
    asked_at: Moment
    as_of: Moment = Field(description="no payment was known then, although everything was read that had been said")
    repeat: bool = Field(default=False, description="lifecycle asked again for what was answered before: the customer knows already")


class RefundIssued(RefundFact):
    """The provider has it."""

    provider_refund_id: Id
    arn: Id | None = Field(default=None, description="the bank's reference, when it is known")
    arrives_by: Moment


class RefundArrived(RefundFact):
    """The provider says that it succeeded: the bank shows it."""

    provider_refund_id: Id
    arn: Id | None = None


class RefundActionNeeded(RefundFact):
    """The customer has to do something first."""

    expires_at: Moment
    action_url: Name | None = None


class RefundStalled(RefundFact):
    """A deadline was missed, or only a person can go on. Level 1: ops; 2: on call, and the customer hears a new date; 3: the manager."""

    level: int = Field(ge=1, le=3)
    reminder: int = Field(ge=1, description="how often this has been said")
    cause: StallCause
    stage: RefundState
    missed_at: Moment


class RefundDelayed(RefundFact):
    """The date the customer was told no longer holds; `new_date` is the honest one."""

    promised_at: Moment
    new_date: Moment


class RefundStatusReported(RefundFact):
    """The answer to "where is it?"."""

    stage: RefundState
    raised_to_level: int
    issued: bool


class RefundFailed(RefundFact):
    """The provider definitely did not pay; ops find another way."""

    reason: Name
    attempts: int


class RefundReversed(RefundFact):
    """It had succeeded, and the bank sent it back (closed card): a correction for the customer, a case for ops."""

    provider_refund_id: Id
    reason: Name


class RefundSettled(RefundFact):
    """Ops paid it back another way."""

    settlement_ref: Id
    method: Name


class RefundClosed(RefundFact):
    """The watch after success is over. Only money that comes back even later opens it again: RefundReversed."""


class RefundAppealReceived(RefundFact):
    """The customer appealed against a rejection; a person decides. Comes with RefundReviewNeeded."""

    decides_by: Moment
    comment: FreeText | None = None


class RefundAppealRejected(RefundFact):
    """The appeal can't be heard, and why; the rejection stands."""

    rule: Literal["too_late", "appealed_before", "nothing_left_to_refund"]
    appeal_by: Moment | None = Field(default=None, description="when it would have been in time")


class RefundSuperseded(RefundFact):
    """The charge is disputed at the bank: the dispute decides about the money, not the refund. Terminal."""

    dispute_id: Id | None = Field(default=None, description="the provider's, when it is known")
    reason: Name = Field(description="as the provider said it")


class ForeignRefundSeen(FollowUp):
    """For ops: the provider shows a refund that we did not make. It counts against the payment; repeated until it is explained."""

    provider_refund_id: Id
    payment_id: Id
    amount_minor: Minor
    currency: Currency
    provider_status: Name = Field(description="as the provider said it")
    left_minor: int = Field(
        ge=-MAX_MINOR, le=MAX_MINOR, description="what can still be refunded; below 0: more was paid back than captured"
    )
    seen_at: Moment
    owner: Name
    act_by: Moment
    reminder: int = Field(ge=1, description="how often this has been said")


class ForeignRefundClosed(FollowUp):
    """A refund that we did not make was explained by a person, or failed at the provider and counts no longer."""

    provider_refund_id: Id
    payment_id: Id
    amount_minor: Minor
    currency: Currency
    cause: Literal["explained", "failed"]
    decided_by: Id | None = None
    note: FreeText | None = None
