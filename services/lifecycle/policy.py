"""The numbers of the rules: the defaults of DOMAIN, to be changed per installation, plan and country in `services/policy.yaml`."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from offramp_schemas.base import Currency, MinorOrZero
from offramp_schemas.request import FeedbackCode
from services.runtime.policies import Policies, Section, Varied
from services.runtime.policy_values import Country, Duration

DAY = timedelta(days=1)
Positive = Annotated[Duration, Field(gt=timedelta(0))]
OfferKind = Literal["discount", "pause", "success_session"]
EU = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT",
    "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip


class CancellationRules(Section):
    """A cancellation always goes through; these say when it takes effect and when it is recalled."""

    notice: Duration = timedelta(0)
    remind_before_end: Positive = 3 * DAY


class WithdrawalRules(Section):
    """The consumer's right of withdrawal: what makes an end at once, with a refund, a withdrawal."""

    window: Positive = 14 * DAY
    countries: tuple[Country, ...] = EU


class RefundRules(Section):
    """How lifecycle watches over the refunds it asks for. Whether money comes back is decided by refunds alone."""

    acknowledged_within: Positive = timedelta(minutes=10)
    remind_every: Positive = timedelta(hours=1)
    full_refund_ends: bool = True


class DunningRules(Section):
    """The schedule of a failed payment, from when it was heard."""

    steps: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=30)] = (DAY, 3 * DAY, 5 * DAY, 7 * DAY)
    settle_margin: Positive = DAY

    @model_validator(mode="after")
    def _in_order(self) -> "DunningRules":
        if any(later <= earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError("the steps must be in order, each later than the one before")
        return self


class TrialRules(Section):
    """How long a trial's payment may take to be heard."""

    settle_margin: Positive = timedelta(hours=1)


class RenewalRules(Section):
    """When billing's silence is reported, and how often."""

    silent_for: Positive = DAY


class InactivityRules(Section):
    """What happens to an account that nobody uses. Only free and trial accounts are ever deactivated."""

    warn_after: Positive = 60 * DAY
    deactivate_after: Positive = 90 * DAY
    last_day_before: Positive = DAY
    notice: Positive = 7 * DAY
    paid_again_after: Positive = 30 * DAY

    @model_validator(mode="after")
    def _in_order(self) -> "InactivityRules":
        if self.warn_after >= self.deactivate_after:
            raise ValueError("warn_after must be shorter than deactivate_after")
        if self.notice < 2 * self.last_day_before:
            raise ValueError("notice must be at least twice last_day_before")
        return self


class PauseRules(Section):
    """How long a subscription may rest, how often, and how it goes on."""

    longest: Positive = 365 * DAY
    once_per: Positive = 365 * DAY
    remind_before: tuple[Positive, ...] = (7 * DAY, DAY)
    card_within: Positive = 14 * DAY
    removes_card: bool = False


class ReactivationRules(Section):
    """How long a return waits for its money."""

    pay_within: Positive = 14 * DAY
    remind_before: tuple[Positive, ...] = (3 * DAY,)


class DataRules(Section):
    """What becomes of the customer's data while a subscription rests, and after its end."""

    grace: Positive = 5 * DAY
    remind_before: Positive = DAY
    retained: Positive = 365 * DAY
    remind_before_deletion: Positive = 7 * DAY
    ask_every: Positive = DAY

    @model_validator(mode="after")
    def _in_order(self) -> "DataRules":
        if self.remind_before >= self.grace:
            raise ValueError("remind_before must be shorter than grace")
        if self.remind_before_deletion >= self.retained:
            raise ValueError("remind_before_deletion must be shorter than retained")
        return self


class OfferRules(Section):
    """What a customer who cancels is offered for staying: beside the confirmation, once in a while, and never as a condition."""

    again_after: Positive = 365 * DAY
    open_for: Positive = 14 * DAY
    by_reason: Mapping[FeedbackCode, OfferKind | None] = Field(
        default={
            "too_expensive": "discount",
            "unused": "pause",
            "missing_features": "success_session",
            "technical_issues": "success_session",
        }
    )
    discount_percent: int = Field(default=30, ge=1, le=100)
    discount_periods: int = Field(default=3, ge=1)
    pause_for: Annotated[Duration, Field(ge=DAY)] = 90 * DAY
    extend_trial_by: Annotated[Duration, Field(ge=DAY)] | None = 14 * DAY


class FeedbackRules(Section):
    """How a customer who leaves is asked why: by a survey, or by a person where they matter more than most."""

    survey_after: Positive = DAY
    outreach_monthly_price: Mapping[Currency, MinorOrZero] = Field(default={"EUR": 50_000, "USD": 50_000, "GBP": 45_000, "JPY": 80_000})
    outreach_customer_for: Positive = 730 * DAY
    outreach_within: Positive = DAY


def _nearer_and_nearer(before: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if any(later >= earlier for earlier, later in pairwise(before)):
        raise ValueError("the reminders must be in order, each nearer to the charge than the one before")
    return before


Reminders = Annotated[tuple[Positive, ...], Field(max_length=10), AfterValidator(_nearer_and_nearer)]


class ReminderRules(Section):
    """How long before a charge the customer is reminded of it; none: never."""

    yearly: Reminders = (30 * DAY, 7 * DAY)
    monthly: Reminders = ()
    price_change: Reminders = (30 * DAY, 7 * DAY)
    trial: Reminders = (3 * DAY, DAY)


class WinBackRules(Section):
    """When, after an end that the customer wanted, they may be asked to come back."""

    after: Annotated[tuple[Positive, ...], Field(max_length=10)] = (30 * DAY, 90 * DAY)

    @model_validator(mode="after")
    def _in_order(self) -> "WinBackRules":
        if any(later <= earlier for earlier, later in pairwise(self.after)):
            raise ValueError("these must be in order, each later than the one before")
        return self


class Rules(Section):
    """All of it, as it holds for one customer."""

    cancellation: CancellationRules = CancellationRules()
    withdrawal: WithdrawalRules = WithdrawalRules()
    refunds: RefundRules = RefundRules()
    dunning: DunningRules = DunningRules()
    trial: TrialRules = TrialRules()
    renewal: RenewalRules = RenewalRules()
    inactivity: InactivityRules = InactivityRules()
    pause: PauseRules = PauseRules()
    reactivation: ReactivationRules = ReactivationRules()
    data: DataRules = DataRules()
    offers: OfferRules = OfferRules()
    feedback: FeedbackRules = FeedbackRules()
    reminders: ReminderRules = ReminderRules()
    win_back: WinBackRules = WinBackRules()

    @model_validator(mode="after")
    def _offers_only_what_is_possible(self) -> "Rules":
        if self.offers.pause_for > self.pause.longest:
            raise ValueError("offers.pause_for must not be longer than pause.longest")
        return self


class Policy(Rules, Varied):
    """The rules for everybody, and what plans and countries change of them."""


LifecyclePolicies = Policies[Policy]
