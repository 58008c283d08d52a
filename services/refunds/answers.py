"""What the provider says, in words of our own: the same whichever provider it is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

NOT_FOUND = "not_found"
DISPUTED = frozenset({"charge_disputed", "charge_for_pending_refund_disputed"})
NOT_SO_MUCH_LEFT = frozenset({"charge_already_refunded", "amount_too_large"})
NO_MONEY = frozenset({"insufficient_funds", "balance_insufficient"})


class ProviderRefund(Struct, frozen=True):
    """The provider's refund. `status` is its own word: pending, succeeded, requires_action, failed, canceled, or one that we don't know."""

    id: str
    status: str
    failure_reason: str | None = None
    expires_at: datetime | None = None
    action_url: str | None = None
    arn: str | None = None
    amount_minor: int = 0
    metadata: Mapping[str, str] = {}


def provider_refunds(answer: Mapping[str, Any]) -> tuple[ProviderRefund, ...]:
    """Out of a survey's JSON."""
    return msgspec.convert(answer["refunds"], tuple[ProviderRefund, ...])


def provider_refund(answer: Mapping[str, Any]) -> ProviderRefund:
    """Out of a caller's JSON. An answer with `error` is another thing: it was refused for certain."""
    return msgspec.convert(answer, ProviderRefund)
