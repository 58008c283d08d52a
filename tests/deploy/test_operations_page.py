"""What `docs/operations.md` tells the person on call is so."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from offramp_schemas import TOPICS
from offramp_schemas.generate import ROOT
from offramp_schemas.topics import DAY, EVENT_BY_KEBAB
from services.console.main import app
from services.runtime import telemetry
from services.runtime.migrations import of
from tests.deploy.manifests import VARIABLES
from tests.deploy.promql import Query

FILE = ROOT / "docs" / "operations.md"
PAGE = FILE.read_text()
PLACEHOLDERS = {"OFFRAMP_", "OFFRAMP_X_FILE"}


def quoted(page: str) -> list[str]:
    """Whatever stands between backticks."""
    return re.findall(r"`([^`\n]+)`", page)


def unknown_variables(page: str) -> set[str]:
    """Settings that the page names and nobody has."""
    return set(re.findall(r"OFFRAMP_[A-Z_]*", page)) - VARIABLES - PLACEHOLDERS


def unknown_metrics(page: str) -> list[str]:
    """Numbers that the page names and nobody counts."""
    named = [text for text in quoted(page) if re.fullmatch(r"offramp_[a-z_]+(\{.*\})?", text) and not _is_a_role(text)]
    return [problem for text in named for problem in Query(text).problems]


def _is_a_role(text: str) -> bool:
    return text.removeprefix("offramp_") in {"lifecycle", "refunds", "notifier", "console"}


def unknown_commands(page: str) -> list[str]:
    """Commands of `offramp` that there are not."""
    found = [text.split()[1:] for text in quoted(page) if text.startswith("offramp ")]
    return [" ".join(words) for words in found if words[0] != "…" and not _is_a_command(words)]


def _is_a_command(words: list[str]) -> bool:
    command = app
    for word in words:
        if word in set(command):
            command = command[word]
        elif command is app or (any(not name.startswith("-") for name in command) and not word.startswith("-")):
            return False
        else:
            break
    options = {name for argument in command.assemble_argument_collection() for name in argument.names}
    return {word for word in words if word.startswith("--")} <= options


def broken_links(page: str) -> list[str]:
    """Links that lead nowhere."""
    found = []
    for target in re.findall(r"\]\(([^)]+)\)", page):
        file, _, anchor = target.partition("#")
        text = page if not file else (FILE.parent / file).read_text() if (FILE.parent / file).exists() else ""
        if not text or (anchor and anchor not in set(_anchors(text))):
            found.append(target)
    return found


def _anchors(text: str) -> Iterator[str]:
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@cache
def said() -> list[str]:
    """Every text that the services can say; what is filled in splits it."""
    files = sorted((ROOT / "services").rglob("*.py"))
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def never_said(messages: list[str]) -> list[str]:
    """Messages of which a piece between two ellipses stands in no source."""
    return [each for each in messages for piece in each.split("…") if not any(piece.strip() in text for text in said())]


def start_up_messages(page: str) -> list[str]:
    """The first column of the table."""
    table = page.partition("| last message |")[2].partition("\n\n")[0]
    return [text for line in table.splitlines()[2:] for text in quoted(line.split(" | ")[0])]


def test_every_setting_is_one() -> None:
    assert unknown_variables(PAGE) == set()


def test_every_number_is_counted() -> None:
    assert unknown_metrics(PAGE) == []


def test_every_command_is_one() -> None:
    assert unknown_commands(PAGE) == []


def test_every_link_leads_somewhere() -> None:
    assert broken_links(PAGE) == []


def test_every_message_at_start_is_said_by_somebody() -> None:
    messages = start_up_messages(PAGE)
    assert len(messages) > 15
    assert never_said(messages) == []


@pytest.mark.parametrize("text", [text for text in quoted(PAGE) if re.fullmatch(r"(?!offramp|prepare)[a-z]+ [a-z ;,]+", text)])
def test_what_the_log_is_said_to_say_is_said(text: str) -> None:
    assert never_said([text]) == []


def test_the_topics_are_those_of_the_contract() -> None:
    rows = [
        f"| `{topic.name}` | {topic.partitions} | {topic.retention_seconds // DAY} d | {', '.join(topic.producers)} "
        f"| {', '.join(topic.consumers) or '-'} |"
        for topic in TOPICS
    ]
    table = PAGE.partition("| topic | partitions |")[2].partition("\n\n")[0].splitlines()[2:]
    assert table == rows


def test_the_fields_of_the_log_are_those_that_are_let_through() -> None:
    listed = PAGE.partition("no payload, address or name gets there: ")[2].partition(".\n")[0]
    assert listed == ", ".join(f"`{name}`" for name in sorted(telemetry.FIELDS))


def test_the_page_can_be_read_through() -> None:
    assert len(PAGE.splitlines()) <= 250


def test_migrations_only_add() -> None:
    """What the page promises about upgrades: nothing that an older version reads or writes goes away; what was forbidden may be allowed."""
    for service in ("lifecycle", "refunds", "notifier"):
        for migration in of(service):
            assert not re.search(r"\b(drop|rename|truncate)\b", re.sub(r"--.*|drop constraint", "", migration.text), re.IGNORECASE), (
                migration.name
            )


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (unknown_variables, "set `OFFRAMP_POOLSIZE`"),
        (unknown_metrics, "look at `offramp_lag`"),
        (unknown_metrics, '`offramp_refunds_open{late="yes"}`'),
        (unknown_commands, "`offramp deadletters list`"),
        (unknown_commands, "`offramp dead-letters retry 'PLACE'`"),
        (unknown_commands, "`offramp publish refund-decided --refund-id ID --verdict approve`"),
        (broken_links, "see [there](#nowhere)"),
        (broken_links, "see [there](nowhere.md)"),
    ],
)
def test_what_is_not_so_is_found(check: object, wrong: str) -> None:
    assert callable(check)
    assert check(wrong)


def test_a_message_that_nobody_says_is_found() -> None:
    assert never_said(["the topic … has vanished"]) == ["the topic … has vanished"]


def test_every_event_that_is_published_in_an_example_is_one() -> None:
    published = {text.split()[2] for text in quoted(PAGE) if text.startswith("offramp publish ")}
    assert published
    assert published <= set(EVENT_BY_KEBAB)
