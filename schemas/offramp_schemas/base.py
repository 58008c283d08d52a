"""What every event is made of: strict, frozen, tolerant of fields it does not know."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

MAX_MINOR = 2**53 - 1  # what every JSON reader can hold exactly
CURRENCY_EXPONENTS = {  # ISO 4217: how many decimals a currency shows; an amount is always an integer of its smallest unit
    "AED": 2, "AUD": 2, "BGN": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CLP": 0, "CNY": 2, "CZK": 2, "DKK": 2, "EUR": 2,
    "GBP": 2, "HKD": 2, "HUF": 2, "IDR": 2, "ILS": 2, "INR": 2, "ISK": 0, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "MXN": 2,
    "MYR": 2, "NOK": 2, "NZD": 2, "OMR": 3, "PHP": 2, "PLN": 2, "RON": 2, "RSD": 2, "SAR": 2, "SEK": 2, "SGD": 2, "THB": 2,
    "TND": 3, "TRY": 2, "TWD": 2, "UAH": 2, "USD": 2, "VND": 0, "ZAR": 2,
}  # fmt: skip


RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _from_rfc_3339(value: object) -> object:
    """Pydantic alone would also read "1700000000", as seconds or milliseconds by its size."""
    if not isinstance(value, str):
        return value
    if not RFC_3339.fullmatch(value):
        raise ValueError("a moment is written as RFC 3339 with a time zone, like 2026-03-01T12:00:00Z")
    return datetime.fromisoformat(value.upper())


_YEARS = range(1970, 2200)  # so that no rule can leave Python's calendar by adding to a moment


def _utc(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise ValueError(f"a moment lies between the years {_YEARS[0]} and {_YEARS[-1]}")
    return moment.astimezone(UTC)


def _known_currency(code: str) -> str:
    if code not in CURRENCY_EXPONENTS:
        raise ValueError(f"{code} is not a currency that Offramp knows (see offramp_schemas.base.CURRENCY_EXPONENTS)")
    return code


_CARD = re.compile(r"(?<![0-9A-Za-z_-])[0-9](?:[ \u00a0.-]?[0-9]){12,}(?![0-9A-Za-z_-])")
_GROUP = re.compile(r"[0-9]+")
_CARD_DIGITS = range(13, 20)
CARD_MASK = "[card number removed]"


def _luhn(digits: str) -> bool:
    total = sum(int(d) if i % 2 == 0 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(reversed(digits)))
    return total % 10 == 0


def _masked(run: str) -> str:
    """Neighbouring groups that together make a card number are removed; in "2 x, 4242 4242 4242 4242 12/28" the others stay."""
    groups = list(_GROUP.finditer(run))
    kept, at, first = "", 0, 0
    while first < len(groups):
        size = _card([group[0] for group in groups[first : first + _CARD_DIGITS[-1]]])
        if size:
            kept += run[at : groups[first].start()] + CARD_MASK
            at = groups[first + size - 1].end()
        first += max(size, 1)
    return kept + run[at:]


def _card(groups: Sequence[str]) -> int:
    """How many of the groups, from the first on, make the longest card number; 0: none do."""
    digits, size = "", 0
    for number, group in enumerate(groups, 1):
        digits += group
        if len(digits) in _CARD_DIGITS and _luhn(digits):
            size = number
    return size


def mask_cards(text: str) -> str:
    """Replaces every run of 13 to 19 digits that passes the Luhn check (spaces, dots and dashes between them allowed)."""
    return _CARD.sub(lambda found: _masked(found[0]), text)


Moment = Annotated[AwareDatetime, BeforeValidator(_from_rfc_3339), AfterValidator(_utc)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]
FreeText = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$"), AfterValidator(mask_cards)]
Minor = Annotated[int, Field(gt=0, le=MAX_MINOR, description="an amount in the smallest unit of its currency")]
MinorOrZero = Annotated[int, Field(ge=0, le=MAX_MINOR, description="an amount in the smallest unit of its currency")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_known_currency)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
Last4 = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
Email = Annotated[
    str, StringConstraints(max_length=254, pattern=r"^[^\s@<>,;:\"\\()\[\]\x00-\x1f\x7f]+@[^\s@<>,;:\"\\()\[\]\x00-\x1f\x7f]+$")
]


@cache
def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


class Part(BaseModel):
    """A piece of an event."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class Event(Part):
    """The `data` of one event. Its class says its type; `topics.py` says where it travels."""

    VERSION: ClassVar[int] = 1

    @classmethod
    def kebab(cls) -> str:
        """`CancellationRequested` is written `cancellation-requested` in types, files and on the command line."""
        return _kebab(cls.__name__)


class Contact(Part):
    """Where and how the customer is written to."""

    email: Email
    name: Name
    locale: Locale = "en"

    @property
    def erased(self) -> bool:
        """Nobody is written to any more: PersonErased took the address away."""
        return self.email == ERASED.email


ERASED = Contact(email="erased@erased.invalid", name="erased")
"""What stands for the contact of a person who asked to be forgotten; `.invalid` never resolves (RFC 2606)."""


class FollowUp(Event):
    """A fact that one of our services states. The shell fills in `version` and `state` (of the entity the fact is about)."""

    version: int = Field(default=0, ge=0, description="of the entity: a reader of two topics knows what is newer")
    state: str = Field(default="", description="of the entity, after this fact")
