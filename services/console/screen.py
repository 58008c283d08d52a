"""The look of the terminal: one console for answers, one for complaints, and a few quiet colours."""

import json
from collections.abc import Iterable
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
_SERVICE = {"lifecycle": "cyan", "refunds": "magenta", "notifier": "blue"}
_GOOD, _WAITING, _BAD, _QUIET = "green", "yellow", "red", "bright_black"
_VERB = {
    "applied": _GOOD, "mail sent": _GOOD, "told": "", "ignored": _QUIET, "duplicate": _QUIET, "suppressed": _QUIET,
    "parked": _WAITING, "waits": _WAITING, "released": _WAITING, "queued": _WAITING,
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
    return Text.assemble(
        (f"{what:<4} ", "bold"), ("holds     " if holds else "violated  ", _GOOD if holds else _BAD), f"{says}  ", (beside, _QUIET)
    )


def quiet(text: str) -> Text:
    """What may be overlooked."""
    return Text(text, style=_QUIET)


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """A table without walls; `right` names the columns with numbers."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style=_QUIET, show_edge=False)
    for name in columns:
        made.add_column(name, justify="right" if name in set(right) else "left", no_wrap=name != "message", overflow="fold")
    return made


def complain(text: str) -> None:
    """What went wrong, on stderr."""
    err.print(Text.assemble(("offramp: ", "red"), text))


def as_json(value: Any) -> None:
    """For programs: one JSON document on one line."""
    print(json.dumps(value, default=_plain, ensure_ascii=False), flush=True)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value.decode(errors="replace") if isinstance(value, bytes) else str(value)
