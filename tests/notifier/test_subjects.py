"""A subject is read in a list of mails: all of it has to be seen there, in every language, also for plans and sums that are long."""

from typing import Any

import pytest

from services.notifier.policy import NotifierPolicy
from services.notifier.render import Renderer
from services.notifier.render_languages import languages
from tests.notifier.letters import LETTERS

SEEN = 70
"""Characters of a subject that the list of a mail program shows on a desk; a telephone shows some 40, so what matters comes first."""
LONG = {"plan_name": "Business Premium"}
"""As long as plans are called. A seller who calls one by 60 characters has chosen to be cut off."""
DAY, SUM = "2026-09-30T09:00:00Z", 123_456
"""A day that is long to write in every language, and a sum of four digits: 1.234,56 €."""


def at_its_longest(context: dict[str, Any]) -> dict[str, Any]:
    """The same mail with everything in it that a subject can name at its longest."""
    data = dict(context["data"])
    for name, value in data.items():
        if name.endswith(("_at", "_by", "_date")) and value is not None:
            data[name] = DAY
        elif name.endswith("_minor") and value is not None:
            data[name] = SUM
        elif name in LONG:
            data[name] = LONG[name]
    return context | {"data": data}


def subjects(language: str) -> dict[str, str]:
    """By the mail's name."""
    renderer = Renderer(NotifierPolicy())
    return {name: renderer.render(template, language, at_its_longest(context), "sub_1").subject for name, template, context in LETTERS}


def cut_off(found: dict[str, str]) -> dict[str, str]:
    """Those of which the end would not be seen."""
    return {name: subject for name, subject in found.items() if len(subject) > SEEN}


@pytest.mark.parametrize("language", sorted(languages()))
def test_the_whole_subject_is_seen_in_a_list_of_mails(language: str) -> None:
    assert cut_off(subjects(language)) == {}


def test_a_subject_that_would_be_cut_off_is_found() -> None:
    assert cut_off({"short": "x" * SEEN, "long": "x" * (SEEN + 1)}) == {"long": "x" * (SEEN + 1)}


def test_a_long_plan_a_long_day_and_a_large_sum_are_in_what_is_looked_at() -> None:
    told = subjects("es")
    assert any("Business Premium" in subject and "30\xa0sept\xa02026" in subject and "1.234,56" in subject for subject in told.values())
