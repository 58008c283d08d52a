"""How things are said at a terminal: moments, amounts, durations and the gist of an event."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from offramp_schemas import Event
from offramp_schemas.base import CURRENCY_EXPONENTS
from offramp_schemas.refund_events import RefundFact
from services.console.trouble import Trouble

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"(?:\d+[wdhms])+")
_LONGEST_TEXT = 60
_ELSEWHERE = {"version", "state", "contact", "plan_name", "currency", "subscription_id"}
_BOOKKEEPING = {"request_ref", "payment_id", "owner", "next_action_at", "deadline_at", "told_due_at"}  # of every fact about a refund
_SHOWN = 6


def moment(at: datetime | None) -> str:
    """`2026-05-01 09:12`, UTC; seconds only where there are some."""
    if at is None:
        return "-"
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}" if utc.second else f"{utc:%Y-%m-%d %H:%M}"


def money(minor: int, currency: str) -> str:
    """`49.00 EUR`; JPY without decimals, KWD with three."""
    decimals = CURRENCY_EXPONENTS.get(currency.strip(), 2)
    whole, part = divmod(minor, 10**decimals)
    return f"{whole:,}.{part:0{decimals}d} {currency}" if decimals else f"{whole:,} {currency}"


def span(length: timedelta) -> str:
    """The two largest units: `3d 4h`, `12m`, `5s`."""
    seconds = int(abs(length).total_seconds())
    parts = []
    for letter, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount}{letter}")
    return " ".join(parts[:2]) or "0s"


def away(at: datetime | None, now: datetime) -> str:
    """`in 3d 4h`, `2h ago`."""
    if at is None:
        return "-"
    if at == now:
        return "now"
    return f"{span(now - at)} ago" if at < now else f"in {span(at - now)}"


def duration(text: str) -> timedelta:
    """`30d`, `1d12h`, `90m`. Raises Trouble."""
    if not _DURATION.fullmatch(text):
        raise Trouble(f"{text!r} is not a duration: write it like 30d, 12h, 1d12h or 90m")
    parts = re.findall(r"(\d+)([wdhms])", text)
    try:
        return sum((timedelta(**{_UNITS[unit]: int(amount)}) for amount, unit in parts), timedelta())
    except (OverflowError, ValueError):  # a number that is no number of days, or has too many digits for int()
        raise Trouble(f"{text[:40]!r} is longer than any calendar") from None


def when(text: str) -> datetime:
    """A day or a moment in UTC or with a zone: `2026-05-01`, `2026-05-01T09:00`, `2026-05-01T09:00:00+02:00`. Raises Trouble."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Trouble(f"{text!r} is not a moment: write it like 2026-05-01 or 2026-05-01T09:00:00Z") from None


def gist(event: Event) -> str:
    """What is worth knowing of an event in one line; who and what it is about stands elsewhere in the line."""
    said = []
    currency = getattr(event, "currency", None)
    for name, value in event:
        if name in _ELSEWHERE or (name in _BOOKKEEPING and isinstance(event, RefundFact)) or value in (None, (), "") or value is False:
            continue
        said.append(_said(name, value, currency))
    return "  ".join(said[:_SHOWN])


def _said(name: str, value: Any, currency: str | None) -> str:
    label = name.removesuffix("_minor").replace("_", " ")
    match value:
        case True:
            return label
        case datetime():
            return f"{label.removesuffix(' at')} {moment(value)}"
        case int() if name.endswith("_minor") and currency:
            return money(value, currency)
        case BaseModel():
            return f"{label} {next((str(each) for _, each in value), '')}"
        case tuple():
            return f"{label} {', '.join(_short(each) for each in value)}"
        case _:
            return f"{label} {_short(value)}"


def _short(value: Any) -> str:
    if isinstance(value, BaseModel):
        return str(next((each for _, each in value), ""))
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
