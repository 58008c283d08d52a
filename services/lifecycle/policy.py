"""The numbers of the rules: the defaults of DOMAIN, to be changed per installation and per plan in `services/policy.yaml`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from services.runtime.policies import Duration, Policies, Section

DAY = timedelta(days=1)
Positive = Annotated[Duration, Field(gt=timedelta(0))]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
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


class DataRules(Section):
    """What becomes of the customer's data after the end."""

    grace: Positive = 5 * DAY
    remind_before: Positive = DAY
    ask_every: Positive = DAY

    @model_validator(mode="after")
    def _in_order(self) -> "DataRules":
        if self.remind_before >= self.grace:
            raise ValueError("remind_before must be shorter than grace")
        return self


class Rules(Section):
    """All of it, for one plan."""

    cancellation: CancellationRules = CancellationRules()
    withdrawal: WithdrawalRules = WithdrawalRules()
    refunds: RefundRules = RefundRules()
    dunning: DunningRules = DunningRules()
    trial: TrialRules = TrialRules()
    renewal: RenewalRules = RenewalRules()
    inactivity: InactivityRules = InactivityRules()
    data: DataRules = DataRules()


class Policy(Rules):
    """The rules for every plan, and what other plans change of them."""

    plans: dict[str, Rules] = Field(default_factory=dict)

    def of(self, plan: str) -> Rules:
        """The rules of one plan."""
        return self.plans.get(plan, self)

    @model_validator(mode="before")
    @classmethod
    def _complete_plans(cls, body: Any) -> Any:
        """A plan says only what it changes. Merged before validation, so that a mistake is reported at its own line."""
        if not isinstance(body, Mapping) or not isinstance(body.get("plans"), Mapping):
            return body
        general = {key: value for key, value in body.items() if key != "plans"}
        return general | {"plans": {plan: _merged(general, changes) for plan, changes in body["plans"].items()}}


def _merged(general: Any, changes: Any) -> Any:
    if not isinstance(general, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {**general, **{key: _merged(general.get(key), value) for key, value in changes.items()}}


LifecyclePolicies = Policies[Policy]
