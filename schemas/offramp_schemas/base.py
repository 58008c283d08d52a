"""What every event is made of: strict, frozen, tolerant of fields it does not know."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

MAX_MINOR = 2**53 - 1  # what every JSON reader can hold exactly
CURRENCY_EXPONENTS = {  # ISO 4217: how many decimals a currency shows; an amount is always an integer of its smallest unit
    "AED": 2, "AUD": 2, "BGN": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CLP": 0, "CNY": 2, "CZK": 2, "DKK": 2, "EUR": 2,
    "GBP": 2, "HKD": 2, "HUF": 2, "IDR": 2, "ILS": 2, "INR": 2, "ISK": 0, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "MXN": 2,
    "MYR": 2, "NOK": 2, "NZD": 2, "OMR": 3, "PHP": 2, "PLN": 2, "RON": 2, "RSD": 2, "SAR": 2, "SEK": 2, "SGD": 2, "THB": 2,
    "TND": 3, "TRY": 2, "TWD": 2, "UAH": 2, "USD": 2, "VND": 0, "ZAR": 2,
}  # fmt: skip


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _known_currency(code: str) -> str:
    if code not in CURRENCY_EXPONENTS:
        raise ValueError(f"{code} is not a currency that Offramp knows (see offramp_schemas.base.CURRENCY_EXPONENTS)")
    return code


_CARD = re.compile(r"(?<![0-9A-Za-z_-])[0-9](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z_-])")
CARD_MASK = "[card number removed]"


def _luhn(digits: str) -> bool:
    total = sum(int(d) if i % 2 == 0 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(reversed(digits)))
    return total % 10 == 0


def mask_cards(text: str) -> str:
    """Replaces every run of 13 to 19 digits that passes the Luhn check (spaces and dashes between them allowed)."""
    return _CARD.sub(lambda m: CARD_MASK if _luhn(re.sub(r"[ -]", "", m[0])) else m[0], text)


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]
FreeText = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$"), AfterValidator(mask_cards)]
Minor = Annotated[int, Field(gt=0, le=MAX_MINOR, description="an amount in the smallest unit of its currency")]
MinorOrZero = Annotated[int, Field(ge=0, le=MAX_MINOR, description="an amount in the smallest unit of its currency")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_known_currency)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")]
Last4 = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^\s@<>,;:\"\\()\[\]\x00-\x1f\x7f]+@[^\s@<>,;:\"\\()\[\]\x00-\x1f\x7f]+$")]


class Part(BaseModel):
    """A piece of an event."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class Event(Part):
    """The `data` of one event. Its class says its type; `topics.py` says where it travels."""

    VERSION: ClassVar[int] = 1

    @classmethod
    def kebab(cls) -> str:
        """`CancellationRequested` is written `cancellation-requested` in types, files and on the command line."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()


class Contact(Part):
    """Where and how the customer is written to."""

    email: Email
    name: Name
    locale: Locale = "en"


class FollowUp(Event):
    """A fact that one of our services states. The shell fills in `version` and `state` (of the entity the fact is about)."""

    version: int = Field(default=0, ge=0, description="of the entity: a reader of two topics knows what is newer")
    state: str = Field(default="", description="of the entity, after this fact")


def json_fields(event: Event) -> dict[str, Any]:
    """The event as JSON-ready fields."""
    return event.model_dump(mode="json")
