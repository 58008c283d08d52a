"""Who has a right to their money back. The customer's right of withdrawal overrides every rule of the seller."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from offramp_schemas.refund_events import Basis
from offramp_schemas.refund_request import RefundRequested
from services.refunds.policy import Policy
from services.refunds.states import Account


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which money comes back for the asking. A request at its very end is in time."""

    basis: Basis
    started_at: datetime
    length: timedelta

    @property
    def ended_at(self) -> datetime:
        """The last moment."""
        return self.started_at + self.length

    def holds(self, moment: datetime) -> bool:
        """Nobody is too early: a payment may be heard of after the request for its return."""
        return moment <= self.ended_at


def windows(account: Account, policy: Policy) -> tuple[Window, ...]:
    """The windows this customer has, the strongest right first; there is at least one payment.

    A renewal does not open them again: both count from the beginning of what was paid for.
    """
    first_payment = min(payment.captured_at for payment in account.payments.values())
    created = account.customer.account_created_at
    starts = created if policy.guarantee_starts == "account_created" and created else first_payment
    guarantee = Window("guarantee", starts, policy.guarantee_window)
    if account.customer.consumer and account.customer.country in policy.withdrawal_countries:
        return Window("withdrawal", first_payment, policy.withdrawal_window), guarantee
    return (guarantee,)


def basis_of(account: Account, request: RefundRequested, at: datetime, policy: Policy) -> Basis | None:
    """By which right the money comes back; None: by none."""
    if request.cause == "charged_in_error":
        return "charged_in_error"
    return right_of(account, at, policy) or ("goodwill" if request.cause == "goodwill" else None)


def right_of(account: Account, at: datetime, policy: Policy) -> Basis | None:
    """The strongest right the customer had at that moment, by what is known now."""
    return next((window.basis for window in windows(account, policy) if window.holds(at)), None)
