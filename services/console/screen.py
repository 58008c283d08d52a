"""The look of the terminal: one console for answers, one for complaints, and a few quiet colours."""

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # what a terminal obeys instead of showing


class _Careful(Console):
    """Shows strangers' texts (a dead letter's value, a key, a name) without letting them command the terminal."""

    def print(self, *objects: Any, **how: Any) -> None:
        """As rich does, with a sign in the place of each such character."""
        super().print(*map(_harmless, objects), **how)


def _harmless(shown: Any) -> Any:
    if isinstance(shown, str):
        return _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", shown)
    if isinstance(shown, Text):
        shown.plain = _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", shown.plain)
    return shown


out = _Careful(highlight=False, soft_wrap=True)
err = _Careful(stderr=True, highlight=False, soft_wrap=True)
_SERVICE = {"lifecycle": "cyan", "refunds": "magenta", "notifier": "blue"}
_GOOD, _WAITING, _BAD, _QUIET = "green", "yellow", "red", "bright_black"
_VERB = {
    "applied": _GOOD, "mail sent": _GOOD, "told": "", "ignored": _QUIET, "duplicate": _QUIET, "suppressed": _QUIET,
    "parked": _WAITING, "mail waits": _WAITING, "waits": _WAITING, "released": _WAITING,
    "conflict": _BAD, "dead letter": _BAD, "dead": _BAD, "undeliverable": _BAD,
}  # fmt: skip


def line(time: str, who: str, verb: str, what: str, detail: str = "") -> Text:
    """One thing that happened, in columns that stay where they are."""
    columns = (f"{time:>19}  ", _QUIET), (f"{who:<10} ", _SERVICE.get(who, "")), (f"{verb:<13} ", _VERB.get(verb, ""))
    return Text.assemble(*columns, what, (f"  {detail}" if detail else "", _QUIET))


def heading(title: str, beside: str = "") -> Text:
    """A line above others."""
    return Text.assemble((title, "bold"), ("  " + beside if beside else "", _QUIET))


def verdict(holds: bool, what: str, says: str, beside: str = "") -> Text:
    """Whether something is as it has to be."""
    verdict = ("holds     ", _GOOD) if holds else ("violated  ", _BAD)
    return Text.assemble((f"{what:<4} ", "bold"), verdict, says, (f"  {beside}" if beside else "", _QUIET))


def quiet(text: str) -> Text:
    """What may be overlooked."""
    return Text(text, style=_QUIET)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = (), late: Collection[int] = ()) -> None:
    """Prints rows as wide as they are, one line each, however narrow the terminal: what is cut off can't be copied into the next command.

    `right` names the columns with numbers, `late` the rows that somebody should have looked at by now.
    """
    widths = [max(cell_len(row[at]) for row in (columns, *rows)) for at in range(len(columns))]

    def laid_out(row: Sequence[str], style: str) -> Text:
        gaps = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        cells = [gap + cell if name in right else cell + gap for name, cell, gap in zip(columns, row, gaps, strict=True)]
        return Text("   ".join(cells).rstrip(), style=style)

    out.print(laid_out(columns, _QUIET))
    for at, row in enumerate(rows):
        out.print(laid_out(row, _BAD if at in late else ""))


def complain(text: str) -> None:
    """What went wrong, on stderr."""
    err.print(Text.assemble(("offramp: ", "red"), text))


def as_json(value: Any) -> None:
    """For programs: one JSON document on one line."""
    print(json.dumps(value, default=_plain, ensure_ascii=False), flush=True)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value.decode(errors="replace") if isinstance(value, bytes) else str(value)
