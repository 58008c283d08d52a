"""The page about states and events: it has a word for everything, and a stale one is found."""

from pathlib import Path

import pytest

from services.lifecycle.decide import EVENTS, TIMERS
from tests.lifecycle import states_page
from tests.lifecycle.states_page import STATES, answers, events, page, subscriptions


def test_no_cell_is_empty() -> None:
    assert all(subscriptions()[state] for state in STATES)
    assert all(answers(state, kind) for state in STATES for kind in EVENTS)


def test_every_event_is_asked_by_somebody_who_may_ask_it() -> None:
    for kind in EVENTS:
        who = {event.requested_by.user_id for event in events(kind) if hasattr(event, "requested_by")}
        assert not who or "usr_ada" in who


def test_every_timer_fires_in_some_state() -> None:
    rows = [line.split(" | ") for line in page().partition("## Timers")[2].splitlines() if line.startswith("| ")][1:]
    assert [row[0].removeprefix("| ").removesuffix(" ⏳") for row in rows] == list(TIMERS)
    assert all(row[1] and len(row[3]) > len(" |") for row in rows)


def test_a_stale_page_is_found_and_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states_page, "PAGE", tmp_path / "states.md")
    monkeypatch.setattr("sys.argv", ["states_page", "--check"])
    assert "stale" in (states_page.main() or "")
    monkeypatch.setattr("sys.argv", ["states_page"])
    assert states_page.main() is None
    monkeypatch.setattr("sys.argv", ["states_page", "--check"])
    assert states_page.main() is None
