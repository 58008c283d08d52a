"""The states of a subscription: one frozen type each. Every deadline is stored in it; none is computed only on the way out.

Mappings are never changed in place; they are dicts because a subscription may have any number of unpaid invoices.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeVar

from msgspec import Struct

from offramp_schemas.lifecycle_events import DataStage, EndReason
from offramp_schemas.request import FeedbackCode
from services.lifecycle.facts import Facts, Heard


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
    """An unpaid invoice that is chased, by the schedule of the plan, country and policy version that it started under."""

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
    country: str = ""


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

    @property
    def data_given_up(self) -> bool:
        """Deleted, or its owner was asked to delete it: nobody promises it any more, and who returns is told to expect an empty account."""
        return self.data_stage in ("deletion_due", "deleted")


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
