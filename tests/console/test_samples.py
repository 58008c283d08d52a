"""Subscriptions to play with."""

import pytest

from services.console.samples import SAMPLES
from tests.console.conftest import Offramp

pytestmark = pytest.mark.usefixtures("lifecycle")


async def test_they_are_there_once_with_something_to_try_and_a_second_time_says_so(offramp: Offramp) -> None:
    said = await offramp("samples")
    assert said.status == 0
    for sample in SAMPLES:
        assert f"offramp {sample.command} --follow" in said.out
    shown = await offramp("show", "sub_finn")
    assert "past_due" in shown.out
    again = await offramp("samples")
    assert (again.status, "sub_anna is there already" in again.out) == (1, True)
