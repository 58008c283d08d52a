"""docs/sources.md: every behaviour that the sources tell of is shown by a test that is there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "sources.md").read_text()
SOURCES = {"Constant Contact", "LiveAgent", "Octopus CRM", "ActiveCampaign", "agency guide"}


def rows(page: str) -> list[list[str]]:
    """Source, behaviour, here, shown by."""
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return lines[1:]


def is_there(named: str) -> bool:
    """`lifecycle/test_ending::test_…` is a test of that file; nothing is imported for it."""
    file, _, test = named.partition("::")
    path = TESTS / f"{file}.py"
    return path.exists() and re.search(rf"^(async )?def {re.escape(test)}\(", path.read_text(), re.MULTILINE) is not None


def wrong(page: str) -> list[str]:
    """Rows that nothing shows, or no story, and tests that are not there."""
    found = []
    for row in rows(page):
        tests = re.findall(r"`([^`]+)`", row[3]) if len(row) == 4 else []
        found += [f"{row[0]}: {row[1]}: {each} is not there" for each in tests if not is_there(each)]
        found += [] if tests else [f"{row[0]}: {row[1]}: shown by nothing"]
        found += [] if any(each.startswith("stories/") for each in tests) else [f"{row[0]}: {row[1]}: in no story"]
    return found


def test_every_row_of_every_source_is_shown_by_a_test() -> None:
    assert wrong(PAGE) == []
    assert {row[0] for row in rows(PAGE)} == SOURCES


def test_a_row_without_a_test_and_a_test_that_is_not_there_are_found() -> None:
    planted = (
        "| source | behaviour | here | shown by |\n| LiveAgent | a | b | nothing |\n| LiveAgent | c | d | `domain/test_sources::test_no` |"
    )
    assert wrong(planted) == [
        "LiveAgent: a: shown by nothing", "LiveAgent: a: in no story", "LiveAgent: c: domain/test_sources::test_no is not there",
        "LiveAgent: c: in no story",
    ]  # fmt: skip
