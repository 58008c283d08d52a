"""A card number never gets further than the reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp_schemas import mask_cards
from offramp_schemas.base import CARD_MASK
from offramp_schemas.request import CancellationRequested
from tests.schemas.records import binary


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("my card 4242424242424242 was charged", f"my card {CARD_MASK} was charged"),
        ("4242 4242 4242 4242", CARD_MASK),
        ("4242-4242-4242-4242.", f"{CARD_MASK}."),
        ("4242.4242.4242.4242", CARD_MASK),
        ("amex 3782 822463 10005", f"amex {CARD_MASK}"),
        ("2 4242424242424242 12 28", f"2 {CARD_MASK} 12 28"),
        ("4242424242424242 5555555555554444", f"{CARD_MASK} {CARD_MASK}"),
    ],
)
def test_a_card_number_is_removed_however_it_is_written(text: str, masked: str) -> None:
    assert mask_cards(text) == masked


@pytest.mark.parametrize(
    "text", ["order 1234567890123456", "call +353 1 234 5678", "pay_4242424242424242", "in 2026-05-01 09:14", "1" * 30]
)
def test_other_numbers_stay(text: str) -> None:
    assert mask_cards(text) == text


def test_the_event_goes_on_without_the_number() -> None:
    data = binary(CancellationRequested, data={"comment": "refund 4242 4242 4242 4242 please"}).decoded().data
    assert isinstance(data, CancellationRequested)
    assert data.comment == f"refund {CARD_MASK} please"


@given(st.text(alphabet="0123456789 -.x", max_size=200))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask_cards(mask_cards(text)) == mask_cards(text)
