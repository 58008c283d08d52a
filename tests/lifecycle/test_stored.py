"""Subscriptions that an earlier version stored: they load, wake when they did, and go on."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.lifecycle.states import Ended, Subscription
from tests.lifecycle.given import LIFECYCLE

STORED: dict[str, Any] = json.loads(Path(__file__).with_name("stored").joinpath("0.1.json").read_text())


def loaded(name: str) -> Subscription:
    state: Subscription = msgspec.json.decode(json.dumps(STORED[name]), type=Subscription)
    return state


@pytest.mark.parametrize("name", STORED)
def test_what_0_1_stored_is_loaded_and_says_the_same(name: str) -> None:
    state = loaded(name)
    assert json.loads(msgspec.json.encode(state)) == STORED[name]
    assert LIFECYCLE.timers(state) or name == "ended, deleted"


def test_its_data_is_where_it_was() -> None:
    stages = {name: state.data_stage for name in STORED if isinstance(state := loaded(name), Ended)}
    assert stages == {
        "ended, in grace": "grace",
        "ended, last day to export": "grace",
        "ended, deletion due": "deletion_due",
        "ended, deleted": "deleted",
        "ended, owing": "grace",
    }
