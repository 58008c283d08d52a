"""What a publisher at the terminal need not say: references are minted, the rest is known from the subscription or the clock."""

import getpass
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from offramp_schemas import Event
from services.console.database import Row
from services.console.fields import Option, options

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that is misread over the telephone


@dataclass(frozen=True, slots=True)
class Known:
    """What defaults are made of. `subscription`: its row in lifecycle, when there is one."""

    event: type[Event]
    now: datetime
    subscription: Row | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Default:
    """`words` say it in the help; `make` gives None where it is not known."""

    words: str
    make: Callable[[Known], Any]


def minted(prefix: str) -> str:
    """`CAN-7Q2M4X`"""
    return f"{prefix}-{''.join(secrets.choice(_ALPHABET) for _ in range(6))}"


def _of_subscription(name: str) -> Callable[[Known], Any]:
    return lambda known: known.subscription.get(name) if known.subscription else None


def _last_seen(known: Known) -> str:
    return (known.now - timedelta(days=known.data.get("inactive_days") or 0)).isoformat()


_PREFIX = {
    "CancellationRequested": "CAN",
    "CancellationWithdrawn": "WDR",
    "RetentionOfferAnswered": "OFF",
    "PauseRequested": "PAU",
    "ResumeRequested": "RES",
    "ReactivationRequested": "REA",
}
DEFAULTS: dict[tuple[str, ...], Default] = {
    ("reference",): Default("minted", lambda known: minted(_PREFIX.get(known.event.__name__, "REF"))),
    ("request_ref",): Default("minted", lambda known: minted("REF")),
    ("requested_by", "user_id"): Default("the subscription's owner", _of_subscription("owner_id")),
    ("payment_id",): Default("minted", lambda known: minted("pay").lower().replace("-", "_")),
    ("invoice_id",): Default("minted", lambda known: minted("in").lower().replace("-", "_")),
    ("amount_minor",): Default("the subscription's price", _of_subscription("price_minor")),
    ("currency",): Default("the subscription's", _of_subscription("currency")),
    ("provider_event_id",): Default("minted", lambda known: minted("evt").lower().replace("-", "_")),
    ("decline_code",): Default("card_declined", lambda known: "card_declined"),
    ("kind",): Default("soft", lambda known: "soft"),
    ("last_seen_at",): Default("as long ago as it is inactive", _last_seen),
    ("decided_by",): Default("who is logged in", lambda known: getpass.getuser()),
}


def missing(event: type[Event], data: Mapping[str, Any]) -> list[Option]:
    """The required fields that were not given and have a default."""
    return [option for option in options(event) if option.required and option.path in DEFAULTS and not _has(data, option.path)]


def filled(known: Known) -> dict[str, Any]:
    """The data with every default that is known."""
    data = dict(known.data)
    for option in missing(known.event, data):
        value = DEFAULTS[option.path].make(known)
        if value is None:
            continue
        target = data
        for step in option.path[:-1]:
            target[step] = dict(target.get(step) or {})
            target = target[step]
        target[option.path[-1]] = value
    return data


def _has(data: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    here: Any = data
    for step in path:
        if not isinstance(here, Mapping) or step not in here:
            return False
        here = here[step]
    return True
