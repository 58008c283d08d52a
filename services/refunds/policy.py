"""What can be tuned about refunds. The defaults are DOMAIN's; `services/policy.yaml` repeats them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import holidays
from annotated_types import Gt, Len
from pydantic import AfterValidator

from offramp_schemas.base import Currency, MinorOrZero
from services.refunds.business_days import Calendar
from services.runtime import policy_values
from services.runtime.policies import Varied
from services.runtime.policy_values import Country

Duration = Annotated[policy_values.Duration, Gt(timedelta(0))]  # a wait of no time would be waited for again at once, for ever
Waits = Annotated[tuple[Duration, ...], Len(min_length=1)]
BusinessDays = Annotated[int, Gt(0)]
EU = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT",
    "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip


def _known_country(country: str) -> str:
    if country not in holidays.list_supported_countries():
        raise ValueError(f"no public holidays are known for {country}")
    return country


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{zone} is not a time zone, like Europe/Dublin") from None
    return zone


class Policy(Varied):
    """Who gets money back, who decides, and how long anything may take. A refund keeps the version, plan and country it began with."""

    country: Annotated[str, AfterValidator(_known_country)] = "IE"
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "Europe/Dublin"

    withdrawal_countries: tuple[Country, ...] = EU
    """Whose consumers can withdraw."""
    withdrawal_window: Duration = timedelta(days=14)
    withdrawal_pays_within: Duration = timedelta(days=14)
    guarantee_window: Duration = timedelta(days=30)
    guarantee_starts: Literal["first_payment", "account_created"] = "first_payment"
    charged_ahead: Duration = timedelta(days=3)
    """A payment that does not say its period is of the present one when captured at most so long before it began."""

    charge_awaited: Duration = timedelta(minutes=5)
    """A request without a payment: word of one may be on its way. Less than lifecycle's `acknowledged_within`."""

    approve_up_to: Mapping[Currency, MinorOrZero] = {"EUR": 20_000, "USD": 20_000, "GBP": 20_000, "JPY": 30_000}
    """In minor units, of all that one payment gives back. In any other currency a person decides."""
    one_person_up_to: Mapping[Currency, MinorOrZero] = {"EUR": 100_000, "USD": 100_000, "GBP": 100_000, "JPY": 150_000}
    """Above it, and in any other currency, two different persons do."""
    appeal_within: Duration = timedelta(days=30)
    """After a rejection, once."""

    issue_within: BusinessDays = 2
    decide_within: BusinessDays = 1
    answer_appeal_within: BusinessDays = 1
    submit_within: Duration = timedelta(hours=1)
    arrive_within: BusinessDays = 5
    act_within: Duration = timedelta(days=7)
    """The customer, where the provider names no expiry."""
    attend_within: BusinessDays = 1

    level_2_after: Duration = timedelta(hours=4)
    level_3_after: BusinessDays = 1
    repeat_every: Duration = timedelta(days=1)

    attempts: Annotated[int, Gt(0)] = 3
    attempt_waits: Waits = (timedelta(minutes=10), timedelta(minutes=30))
    key_lifetime: Duration = timedelta(hours=24)
    """How long the provider remembers an idempotency key: after it, nothing is ever posted again under the old one."""
    missing_again_after: Duration = timedelta(days=1)

    unknown_waits: Waits = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))
    pending_waits: Waits = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
    """Between questions to the provider: the last one goes on for ever."""
    watch: Duration = timedelta(days=30)
    watch_every: Duration = timedelta(days=7)

    @property
    def calendar(self) -> Calendar:
        """The business days of the seller."""
        return Calendar(self.country, self.time_zone)

    def approvals(self, amount_minor: int, currency: str) -> int:
        """How many persons have to agree when one payment gives back so much; 0: none."""
        if amount_minor <= self.approve_up_to.get(currency, 0):
            return 0
        return 1 if amount_minor <= self.one_person_up_to.get(currency, 0) else 2
