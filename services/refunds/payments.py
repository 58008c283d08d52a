"""Captured money, and what the provider shows of it that is not our doing."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

NOT_PAID = frozenset({"failed", "canceled"})


class Survey(Struct, frozen=True):
    """Asking the provider for every refund of a payment: a question is out, the next one has its time, or all is said."""

    asked: int = 0
    waiting_for: str | None = None
    ask_at: datetime | None = None
    patience: int = 0
    """Questions without an answer: the waits between them grow."""
    again: bool = False
    """The provider sent word while the question was out."""


class ForeignRefund(Struct, frozen=True):
    """A refund at the provider that we did not make. It is a case of somebody's until it is explained or has failed."""

    provider_refund_id: str
    amount_minor: int
    provider_status: str
    seen_at: datetime
    act_by: datetime
    policy_version: int
    remind_at: datetime | None = None
    """None: the case is closed."""
    said: int = 1
    owner: str = "ops"
    plan: str = ""
    country: str = ""

    @property
    def counts(self) -> bool:
        """The money left, or may have: only a definite failure says that it did not."""
        return self.provider_status not in NOT_PAID

    @property
    def state(self) -> str:
        """Of its case."""
        return "open" if self.remind_at is not None else "closed"


class Payment(Struct, frozen=True):
    """Captured money, and the refunds of it that we did not make, by the provider's id."""

    payment_id: str
    provider_payment_id: str
    captured_minor: int
    currency: str
    captured_at: datetime
    period_end: datetime | None = None
    foreign: Mapping[str, ForeignRefund] = {}
    survey: Survey | None = None
