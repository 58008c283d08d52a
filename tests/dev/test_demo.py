"""`make demo`, played to its end; and that an end which is not the right one is noticed."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from dev.demo.ending import Found, surprises
from dev.demo.page import WIDTH, Page
from dev.demo.play import play


async def test_the_four_stories_end_as_they_should_and_are_told_on_the_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))  # where there is less, lines are broken
    await play(Page())  # raises where anything stored, mailed or paid is not as expected
    printed = capsys.readouterr().out
    for words in (
        "level 1, to ops: provider silent",
        "level 2, to ops on call: provider silent",
        "level 3, to the manager: provider silent",
    ):
        assert words in printed
    assert re.search(r"^  Anna +ended on Wed 1 Apr: requested, data deleted +5 mails$", printed, re.MULTILINE)
    assert "\x1b" not in printed, "no colours where it is no terminal"
    assert max(len(line) for line in printed.splitlines()) <= WIDTH
    assert "…" not in printed, "nothing is cut off"


def test_an_end_that_is_not_the_right_one_is_put_into_words() -> None:
    nothing = Found(
        rows={}, mails={}, boxes=Counter(), unsent=[], known_to_us={}, known_to_provider={"re_1": 1},
        provider_total={}, letters=[], parked=2,
    )  # fmt: skip
    found = "\n".join(surprises(nothing))
    assert "Anna: lifecycle knows no sub_anna." in found
    assert "The provider paid back {'re_1': 1}, and we know of {}." in found
    assert "2 events still wait for something." in found
    assert "manager@example.com was not alerted." in found
