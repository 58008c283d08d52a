"""A subscription's refund account: who the customer is, what was paid, and every refund of it. Frozen; `replace` makes the next one."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from offramp_schemas.refund_events import Basis
from services.refunds.customer import Customer, Wish
from services.refunds.payments import Payment


class Attempt(Struct, frozen=True):
    """One try at the provider, under one idempotency key, and the conversation about it.

    While it is open either a question is out (`waiting_for`, its key) or the next one has its time (`ask_at`).
    """

    number: int
    key: str
    sent_at: datetime
    waiting_for: str | None = None
    ask_at: datetime | None = None
    questions: int = 0
    patience: int = 0
    """Questions asked in the present stage: the waits between them grow."""
    trouble: str | None = None
    """Why the last question has no answer: `unreachable` or `unknown`."""
    missing_since: datetime | None = None
    """When the provider first did not know it, after its key had expired."""
    provider_refund_id: str | None = None
    raw_status: str | None = None
    issued_at: datetime | None = None
    failed_at: datetime | None = None
    again: bool = False
    """The provider sent word: the next question is about that. Of one that was out already, the answer may be older."""


class PendingReview(Struct, frozen=True, tag_field="state", tag="pending_review"):
    """A person decides, or so many different ones."""

    approvals_needed: int = 1
    approved_by: tuple[str, ...] = ()
    comment: str | None = None
    """What the customer says, for each of them; it goes with the stage, or with the person."""


class Approved(Struct, frozen=True, tag_field="state", tag="approved"):
    """An attempt failed for certain; the next one has its time."""

    next_attempt_at: datetime


class Submitting(Struct, frozen=True, tag_field="state", tag="submitting"):
    """The provider is being asked to pay it back."""


class Unknown(Struct, frozen=True, tag_field="state", tag="unknown"):
    """Nobody can say whether the provider did it: it is asked before anything else is done."""


class Pending(Struct, frozen=True, tag_field="state", tag="pending"):
    """Issued: the provider has it, the bank does not show it yet."""


class RequiresAction(Struct, frozen=True, tag_field="state", tag="requires_action"):
    """The customer has to do something first."""

    expires_at: datetime


class NeedsAttention(Struct, frozen=True, tag_field="state", tag="needs_attention"):
    """The machine can go no further: a person retries it or settles it another way."""

    reason: str
    owner: str = "ops"


class Succeeded(Struct, frozen=True, tag_field="state", tag="succeeded"):
    """The bank shows it. It is watched, since banks send money back days later."""

    watched_until: datetime


class Reversed(Struct, frozen=True, tag_field="state", tag="reversed"):
    """It had succeeded and came back."""

    since: datetime
    reason: str


class Closed(Struct, frozen=True, tag_field="state", tag="closed"):
    """Paid back, and watched long enough. Nobody asks about it any more, unless the provider itself sends word."""


class Rejected(Struct, frozen=True, tag_field="state", tag="rejected"):
    """Not paid back, by which rule and whom."""

    rule: str
    decided_by: str
    appeal_by: datetime | None = None
    """None: the customer was told of no appeal."""


class SettledManually(Struct, frozen=True, tag_field="state", tag="settled_manually"):
    """Paid back another way, by ops."""

    settlement_ref: str


class Superseded(Struct, frozen=True, tag_field="state", tag="superseded"):
    """A dispute took over."""


Over: TypeAlias = Closed | Rejected | SettledManually | Superseded
Stage: TypeAlias = (
    PendingReview | Approved | Submitting | Unknown | Pending | RequiresAction | NeedsAttention | Succeeded | Reversed | Over
)  # `requested` is passed through within the transaction that hears the request


class Escalation(Struct, frozen=True):
    """How loudly the present stage has been complained about. `level` 0: not at all; `missed`: its deadline is past and ops know."""

    level: int = 0
    said: int = 0
    said_at: datetime | None = None
    missed: bool = False


class Refund(Struct, frozen=True):
    """One refund of one payment. `promise_due_at` and `legal_due_at` never move; `told_due_at` is the date the customer was last told."""

    refund_id: str
    request_ref: str
    payment_id: str
    amount_minor: int
    currency: str
    policy_version: int
    informed_at: datetime
    promise_due_at: datetime
    told_due_at: datetime
    stage: Stage
    basis: Basis | None = None
    """None: there was none, and it was rejected."""
    legal_due_at: datetime | None = None
    deadline_at: datetime | None = None
    escalation: Escalation = Escalation()
    attempts: tuple[Attempt, ...] = ()
    tries: int = 0
    """Attempts since a person last acted."""
    appealed_at: datetime | None = None
    """When the customer had it looked at again, after it was rejected."""
    plan: str = ""
    country: str = ""
    """With `policy_version`, what it began under."""

    @property
    def state(self) -> str:
        """DOMAIN's name of the stage."""
        return str(self.stage.__struct_config__.tag)

    @property
    def over(self) -> bool:
        """Nothing will happen to it any more."""
        return isinstance(self.stage, Over)

    @property
    def attempt(self) -> Attempt | None:
        """The open attempt."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].failed_at is None else None

    @property
    def issued(self) -> bool:
        """The provider returned an id for it, pending or succeeded."""
        return self.attempt is not None and self.attempt.issued_at is not None

    @property
    def owner(self) -> str | None:
        """Whose turn it is."""
        match self.stage:
            case PendingReview():
                return "support"
            case RequiresAction():
                return "customer"
            case NeedsAttention(owner=owner):
                return owner
            case stage:
                return None if isinstance(stage, Over) else "ops"


class Account(Struct, frozen=True):
    """Everything `refunds` knows of one subscription."""

    subscription_id: str
    customer: Customer
    period_start: datetime | None = None
    payments: Mapping[str, Payment] = {}
    refunds: Mapping[str, Refund] = {}
    wishes: Mapping[str, Wish] = {}
    """By `request_ref`."""
    erased: bool = False
    """The person asked to be forgotten."""

    def reserved_minor(self, payment_id: str, besides: str | None = None) -> int:
        """What its refunds take of a payment: all but the rejected. One that needs attention is owed, one settled otherwise is paid."""
        return sum(
            each.amount_minor
            for each in self.refunds.values()
            if each.payment_id == payment_id and each.refund_id != besides and not isinstance(each.stage, Rejected)
        )

    def available_minor(self, payment_id: str, to: str | None = None) -> int:
        """What can be refunded of a payment at most; `to` one refund, that may be among those that take of it already."""
        return self.payments[payment_id].captured_minor - self.external_minor(payment_id) - self.reserved_minor(payment_id, besides=to)

    def external_minor(self, payment_id: str) -> int:
        """What others gave back of a payment. One of theirs by which a person settled a refund of ours is not counted a second time."""
        theirs = [each for each in self.payments[payment_id].foreign.values() if each.counts]
        if not theirs:
            return 0
        settled: Counter[str] = Counter()
        for refund in self.refunds.values():
            if refund.payment_id == payment_id and isinstance(refund.stage, SettledManually):
                settled[refund.stage.settlement_ref] += refund.amount_minor
        return sum(max(0, each.amount_minor - settled[each.provider_refund_id]) for each in theirs)

    def with_payment(self, payment: Payment) -> "Account":
        """The account with this payment as it is now."""
        return replace(self, payments={**self.payments, payment.payment_id: payment})

    def with_refund(self, refund: Refund) -> "Account":
        """The account with this refund as it is now."""
        return replace(self, refunds={**self.refunds, refund.refund_id: refund})

    def with_wish(self, wish: Wish) -> "Account":
        """The account with this wish as it is now."""
        return replace(self, wishes={**self.wishes, wish.request_ref: wish})

    def without_wish(self, request_ref: str) -> "Account":
        """The account when the wish has become a refund."""
        return replace(self, wishes={ref: each for ref, each in self.wishes.items() if ref != request_ref})


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Account).decode
