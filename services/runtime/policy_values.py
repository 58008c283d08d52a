"""What a policy says, and how one part of it changes what another one says."""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter

_DURATION = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?", re.ASCII)
STORED = "stored"  # the context of a policy that was in use before
_BOUNDS = frozenset({"at_least", "at_most"})


def _duration(value: object) -> object:
    """A bare number is refused: nobody would know its unit."""
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith(("P", "-P"))):
        return value
    if isinstance(value, str) and value.strip() and (found := _DURATION.fullmatch(value.strip())):
        days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    raise ValueError("a duration is written like 3d, 1h, 15m or 1d12h")


@cache
def _countries() -> frozenset[str]:
    """ISO 3166, as the time zone database lists it, and Kosovo, which goes by a code of its own."""
    lines = (files("tzdata") / "zoneinfo" / "iso3166.tab").read_text().splitlines()
    return frozenset({line[:2] for line in lines if not line.startswith("#")} | {"XK"})


def known_country(code: str) -> str:
    """The code itself. Raises ValueError where no country has it."""
    if code not in _countries():
        raise ValueError(f"{code} is no country; Germany is DE, the United Kingdom GB")
    return code


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(0))]
"""Of a policy: `3d`, `1h`, `15m`, `1d12h` or ISO 8601; never negative."""
Country = Annotated[str, AfterValidator(lambda code, info: code if info.context == STORED else known_country(code))]
"""Two letters of ISO 3166. What was stored before somebody looked is left alone: it is of no customer."""
_DURATIONS: TypeAdapter[timedelta] = TypeAdapter(Duration)


def changed(general: Any, changes: Any) -> Any:
    """What `general` says after the changes, which name only what they change: a key, or a bound like `{at_most: 30d}` for a number.

    What can't be meant is left as it stands, for the model to refuse at its place.
    """
    if not isinstance(changes, Mapping):
        return changes
    if isinstance(general, Mapping):
        return {**general, **{key: changed(general.get(key), value) for key, value in changes.items()}}
    return _bounded(general, changes) if changes and changes.keys() <= _BOUNDS else changes


def _bounded(number: Any, bounds: Mapping[str, Any]) -> Any:
    """The number, or the bound that it lies beyond."""
    try:
        said = {name: _like(number, bound) for name, bound in bounds.items()}
    except ValueError:
        return bounds
    if len(said) > 1 and said["at_least"] > said["at_most"]:
        return bounds
    raised = max(number, said.get("at_least", number))
    return min(raised, said.get("at_most", raised))


def _like(number: Any, bound: Any) -> Any:
    if isinstance(number, timedelta):
        return _DURATIONS.validate_python(bound)
    if type(number) is type(bound) is int:
        return bound
    raise ValueError(f"{bound!r} is no bound for {number!r}")
