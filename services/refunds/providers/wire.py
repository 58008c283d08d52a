"""Stripe's refund as it travels, and the same in our own words. The sandbox writes it alike."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from services.refunds.answers import ProviderRefund

NOT_DONE = frozenset({401, 403, 429})
MAYBE_DONE = frozenset({408, 409, 425})
KEY_IN_DOUBT = frozenset({"idempotency_error", "idempotency_key_in_use"})
"""The key is known by another request, or one with it is under way: what became of it is to be asked."""


class Wire(msgspec.Struct, frozen=True):
    """A refund as Stripe writes it."""

    id: str
    status: str
    amount: int = 0
    failure_reason: str | None = None
    metadata: dict[str, str] = {}
    next_action: dict[str, Any] | None = None
    destination_details: dict[str, Any] | None = None


def ours(wire: Wire) -> ProviderRefund:
    """In our own words; what a fact may not carry is left out."""
    action = (wire.next_action or {}).get("display_details") or {}
    card = (wire.destination_details or {}).get("card") or {}
    expires_at = action.get("expires_at")
    return ProviderRefund(
        id=clean(wire.id),
        status=clean(wire.status),
        failure_reason=clean(wire.failure_reason) if wire.failure_reason else None,
        expires_at=datetime.fromtimestamp(expires_at, UTC) if isinstance(expires_at, int | float) else None,
        action_url=action.get("url"),
        arn=card.get("reference"),
        amount_minor=wire.amount,
        metadata=wire.metadata,
    )


def clean(word: str) -> str:
    """A provider's word as an id may be written."""
    return "".join(letter for letter in word if letter.isprintable() and not letter.isspace())[:200] or "empty"
