"""The states of a subscription: one frozen type each. Every deadline is stored in it; none is computed only on the way out.

Mappings are never changed in place; they are dicts because a subscription may have any number of unpaid invoices.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from msgspec import Struct

from offramp_schemas import Contact
from offramp_schemas.lifecycle_events import DataStage, EndReason
from offramp_schemas.request import FeedbackCode

REMEMBERED = 12  # of a kind: payments, requests, acknowledgements; more would only make the rows larger
LONGEST_PERIOD = {"month": timedelta(days=31), "year": timedelta(days=366)}


class Seller(Struct, frozen=True):
    """The reseller: only they can end what they sold."""

    reseller_id: str
    name: str
    contact: str


class PaymentMethod(Struct, frozen=True, omit_defaults=True):
    """What is known of the card. `as_of`: of what said it; cards are told of on two topics, and the newer one holds."""

    on_file: bool
    as_of: datetime
    brand: str | None = None
    last4: str | None = None
    declined: bool = False  # hard: it will not be charged again

    @property
    def usable(self) -> bool:
        """It may be charged."""
        return self.on_file and not self.declined


class PriceChange(Struct, frozen=True):
    """Another price, which the charge at `effective_at` is the first to have. Until then it is `previous_minor`."""

    price_minor: int
    currency: str
    effective_at: datetime
    previous_minor: int


class Facts(Struct, frozen=True, omit_defaults=True):
    """What billing and the account service last said. `as_of` and `period_as_of` are the times of what said it: older facts are ignored."""

    customer_id: str
    owner_id: str
    email: str
    name: str
    locale: str
    plan: str
    plan_name: str
    price_minor: int
    currency: str
    country: str
    consumer: bool
    contract_at: datetime  # when the contract was made: the right of withdrawal counts from it
    as_of: datetime
    period_as_of: datetime
    interval: Literal["month", "year"] = "month"
    period_end: datetime | None = None  # of the period that billing has begun
    paid_through: datetime | None = None  # earlier than period_end while the present period is unpaid
    commitment_ends_at: datetime | None = None
    marketing_consent: bool = False
    reseller: Seller | None = None
    account_created_at: datetime | None = None
    method: PaymentMethod | None = None  # None: billing has not said
    price_change: PriceChange | None = None

    @property
    def free(self) -> bool:
        """Nothing is ever charged, so nothing has to be waited for."""
        return self.price_minor == 0 and self.period_end is None

    @property
    def expected_end(self) -> datetime:
        """Of the present period, assumed where billing never said it."""
        return self.period_end or self.period_as_of + LONGEST_PERIOD[self.interval]

    @property
    def contact(self) -> Contact:
        """Whom the follow-ups address."""
        return Contact(email=self.email, name=self.name, locale=self.locale)


class Paid(Struct, frozen=True, omit_defaults=True):
    """A payment that was made. `until`: the end of the period it paid for, when it was said."""

    invoice_id: str
    payment_id: str
    until: datetime | None = None


class Offer(Struct, frozen=True, omit_defaults=True):
    """What the customer was offered for staying, in the terms of the plan and policy version it was made under. No outcome: it is open.

    It is void once the cancellation that it came with was withdrawn.
    """

    offer_id: str
    kind: Literal["discount", "pause", "success_session", "trial_extension"]
    reference: str  # of the cancellation
    offered_at: datetime
    expires_at: datetime
    plan: str
    policy_version: int
    outcome: Literal["accepted", "declined", "expired", "void"] | None = None
    accepted_at: datetime | None = None


class Feedback(Struct, frozen=True, omit_defaults=True):
    """Why a customer leaves, or may leave."""

    said_at: datetime
    codes: tuple[FeedbackCode, ...] = ()
    comment: str | None = None
    switching_to: str | None = None
    cancellation_ref: str | None = None


class Heard(Struct, frozen=True, omit_defaults=True):
    """What is remembered so that late and repeated events change nothing. The tuples keep the last `REMEMBERED`."""

    paid: tuple[Paid, ...] = ()
    requests: tuple[str, ...] = ()  # "<reference> <user>" of the customer's requests that were answered
    acknowledged: tuple[str, ...] = ()  # refund requests that refunds has answered, whoever made them
    last_seen_at: datetime | None = None
    unused_told_at: datetime | None = None  # when a paying customer was last told that nobody uses it
    paused_at: datetime | None = None  # the customer's last pause, and the last offer made to them, with whichever subscription of
    offered_at: datetime | None = None  # theirs: both come once per twelve months and customer
    erased_at: datetime | None = None  # since then nobody may know who it was, whatever is heard later
    offer: Offer | None = None  # the last one that came with a cancellation of this subscription
    feedback: Feedback | None = None  # the last that was not about the present cancellation


class RefundAck(Struct, frozen=True, omit_defaults=True):
    """A RefundRequested of ours that refunds has not answered yet; ops hear of it at `due_at`."""

    requested_at: datetime
    due_at: datetime
    reminders: int = 0


class Inactivity(Struct, frozen=True, omit_defaults=True):
    """Nobody uses a free or trial account. A moment is None once its mail was given."""

    last_seen_at: datetime
    deactivate_at: datetime
    warn_at: datetime | None = None
    remind_at: datetime | None = None
    last_day_at: datetime | None = None


class Reminder(Struct, frozen=True):
    """A charge is recalled at `at`, before it comes."""

    at: datetime
    kind: Literal["renewal", "price_change", "trial_ending"]
    charged_at: datetime


class Dunning(Struct, frozen=True, omit_defaults=True):
    """An unpaid invoice that is chased, by the schedule of the plan and policy version that it started under."""

    payment_id: str
    amount_minor: int
    currency: str
    kind: Literal["soft", "hard"]
    started_at: datetime
    failed_at: datetime
    gives_up_at: datetime
    plan: str
    policy_version: int
    next_step_at: datetime | None = None  # None: the last step was given
    step: int = 0
    card_brand: str | None = None
    card_last4: str | None = None


class Cancellation(Struct, frozen=True, omit_defaults=True):
    """What was asked, with the reasons that were given then or later. `survey_at`: when they are asked for, if none was."""

    reference: str
    canceled_at: datetime
    requested_by: str
    feedback: tuple[FeedbackCode, ...] = ()
    comment: str | None = None
    switching_to: str | None = None
    keep_data: bool = False
    survey_at: datetime | None = None

    @property
    def reason_given(self) -> bool:
        """Then nobody is asked for one."""
        return bool(self.feedback or self.comment)


class Owed(Struct, frozen=True):
    """An invoice that was unpaid at the end."""

    amount_minor: int
    currency: str


class _Subscription(Struct, frozen=True, omit_defaults=True, tag_field="state"):
    facts: Facts
    heard: Heard = Heard()
    refund_acks: Mapping[str, RefundAck] = {}  # by request_ref


class Trialing(_Subscription, frozen=True, kw_only=True, tag="trialing"):
    """Access, not paid yet. `lapses_at`: the trial's end and a margin in which its payment can still be heard."""

    trial_ends_at: datetime
    lapses_at: datetime
    inactivity: Inactivity | None = None
    reminders: tuple[Reminder, ...] | None = None  # still to be given; None: they were never planned


class Active(_Subscription, frozen=True, kw_only=True, tag="active"):
    """Access. `silence_at`: when ops hear that billing did not renew it; None on a free plan, which may sleep."""

    silence_at: datetime | None = None
    inactivity: Inactivity | None = None
    reminders: tuple[Reminder, ...] | None = None  # as of a trial


class PastDue(_Subscription, frozen=True, kw_only=True, tag="past_due"):
    """Charges failed; access is kept while dunning runs. At least one, by invoice."""

    dunnings: Mapping[str, Dunning]


class NonRenewing(_Subscription, frozen=True, kw_only=True, tag="non_renewing"):
    """A cancellation is scheduled; access until `ends_at`. Unpaid invoices stay open, but nobody is chased for them."""

    cancellation: Cancellation
    ends_at: datetime
    remind_at: datetime | None = None
    trial_ends_at: datetime | None = None
    dunnings: Mapping[str, Dunning] = {}

    @property
    def return_state(self) -> Literal["trialing", "active", "past_due"]:
        """What a withdrawal leads back to."""
        if self.dunnings:
            return "past_due"
        return "trialing" if self.trial_ends_at else "active"


class _Resting(_Subscription, frozen=True, kw_only=True):
    """Without access. The data stays for a grace period, then it is retained if the customer asked for that, and then deleted."""

    ask_deletion_at: datetime  # when the owner of the data is asked (again) to delete it
    export_reminder_at: datetime | None = None
    retain_at: datetime | None = None  # the end of grace, where the data is retained then
    retained: bool = False
    deletion_reminder_at: datetime | None = None
    deletion_asked: int = 0
    deleted_at: datetime | None = None

    @property
    def data_stage(self) -> DataStage:
        """What is left of the customer's data."""
        if self.deleted_at:
            return "deleted"
        if self.deletion_asked:
            return "deletion_due"
        return "retained" if self.retained else "grace"


class Paused(_Resting, frozen=True, kw_only=True, tag="paused"):
    """Billing and access rest until `resumes_at`. `expires_at`: a card was asked for then, and without one it ends.

    Invoices that were unpaid before, but heard of later, wait with it.
    """

    reference: str
    paused_at: datetime
    resumes_at: datetime
    remind_at: datetime | None = None
    expires_at: datetime | None = None
    card_asked: int = 0
    resume_asked: str | None = None  # the request that waits for a card
    dunnings: Mapping[str, Dunning] = {}

    @property
    def without_access_since(self) -> datetime:
        """The data of this pause is younger than that."""
        return self.paused_at


class Return(Struct, frozen=True, omit_defaults=True):
    """A reactivation that waits for its money, until `give_by`. `charge_due`: billing was asked to charge; else a card is waited for."""

    reference: str
    requested_by: str
    asked_at: datetime
    give_by: datetime
    charge_due: bool = False
    card_asked: int = 0
    remind_at: datetime | None = None


class Ended(_Resting, frozen=True, kw_only=True, tag="ended"):
    """Access is over. `paid_until`: the end of a period that is paid and not refunded; `refund_ref`: a refund that may change that."""

    ended_at: datetime
    end_reason: EndReason
    cancellation: Cancellation | None = None
    owed: Mapping[str, Owed] = {}
    paid_until: datetime | None = None
    refund_ref: str | None = None
    returning: Return | None = None
    win_back_at: datetime | None = None
    win_backs: int = 0  # steps that are over

    @property
    def without_access_since(self) -> datetime:
        """The data of this subscription is younger than that."""
        return self.ended_at


Live = Trialing | Active | PastDue
Resting = Paused | Ended
AnyResting = TypeVar("AnyResting", Paused, Ended)
AnyState = TypeVar("AnyState", bound=Live | NonRenewing | Paused | Ended)
Subscription = Live | NonRenewing | Paused | Ended
