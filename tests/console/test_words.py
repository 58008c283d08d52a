"""How things are said at a terminal."""

from datetime import UTC, datetime, timedelta

import pytest

from offramp_schemas import TOPIC_OF, Event, examples
from offramp_schemas.lifecycle_events import CancellationScheduled
from offramp_schemas.payment import PaymentFailed
from services.console import words
from services.console.trouble import Trouble


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [(4900, "EUR", "49.00 EUR"), (4900, "JPY", "4,900 JPY"), (4900, "KWD", "4.900 KWD"), (5, "USD", "0.05 USD")],
)
def test_an_amount_is_said_with_the_decimals_of_its_currency(minor: int, currency: str, said: str) -> None:
    assert words.money(minor, currency) == said


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30d", timedelta(days=30)),
        ("1d12h", timedelta(days=1, hours=12)),
        ("90m", timedelta(minutes=90)),
        ("2w", timedelta(weeks=2)),
        ("5s", timedelta(seconds=5)),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, length: timedelta) -> None:
    assert words.duration(text) == length


@pytest.mark.parametrize("text", ["", "30", "d", "3x", "-3d", "1d 2h"])
def test_what_is_no_duration_is_told_with_an_example(text: str) -> None:
    with pytest.raises(Trouble, match="write it like 30d"):
        words.duration(text)


def test_a_day_is_its_beginning_in_utc() -> None:
    assert words.when("2026-05-01") == datetime(2026, 5, 1, tzinfo=UTC)
    assert words.when("2026-05-01T11:00:00+02:00") == datetime(2026, 5, 1, 9, tzinfo=UTC)


def test_a_distance_is_said_in_its_two_largest_units() -> None:
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert words.away(now + timedelta(days=3, hours=4, minutes=5), now) == "in 3d 4h"
    assert words.away(now - timedelta(minutes=2), now) == "2m ago"
    assert words.away(now, now) == "now"
    assert words.away(None, now) == "-"


def test_the_gist_of_an_event_says_what_matters_and_never_who() -> None:
    gist = words.gist(examples.load(CancellationScheduled))
    said = "reference CAN-7Q2M4X  ends 2026-05-01 09:12  export by 2026-05-06 09:12  reason given  feedback too_expensive, unused"
    assert gist == f"{said}  data retained"
    assert "49.00 EUR" in words.gist(examples.load(PaymentFailed))


@pytest.mark.parametrize("event", TOPIC_OF, ids=lambda event: event.kebab())
def test_the_gist_of_every_event_is_one_line_without_an_address(event: type[Event]) -> None:
    gist = words.gist(examples.load(event))
    assert "\n" not in gist
    assert "@example.com" not in gist
