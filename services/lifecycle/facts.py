"""What is known of a subscription, whatever its state: what billing and the account service said, and what must not be heard twice."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from offramp_schemas import Contact
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
    consented_at: datetime | None = None  # to marketing; None: not, or before anybody kept it
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

    def paid_ahead(self, now: datetime) -> datetime | None:
        """Until when it is paid for, if that lies ahead: it renews then."""
        return self.paid_through if self.paid_through and self.paid_through > now else None

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
    """What the customer was offered for staying, in the terms of the plan, country and policy version it was made under.

    No outcome: it is open. It is void once the cancellation that it came with was withdrawn.
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
    country: str = ""


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
    data_deleted_at: datetime | None = None  # the last deletion that the customer was told of
    erased_at: datetime | None = None  # since then nobody may know who it was, whatever is heard later
    offer: Offer | None = None  # the last one that came with a cancellation of this subscription
    feedback: Feedback | None = None  # the last that was not about the present cancellation
