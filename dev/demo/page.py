"""The look of the play: days as headings, one line for each thing, five colours that mean the same everywhere."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from dev.demo.cast import Customer

WIDTH = 100
QUIET, MAIL = "bright_black", "green"
_COLOURS = {"comes in": "cyan", "decided": "", "mail": MAIL, "no mail": QUIET, "alarm": "yellow", "alert": "yellow", "put aside": "red"}
_COLOURED_WHOLE = {"mail", "alert"}
_LEGEND = (
    ("comes in", "another system tells something"),
    ("decided", "what one of the services states"),
    ("mail", "what a customer is written"),
    ("alert", "what one of us is written"),
)
_BEFORE = 29  # columns: time, name and kind
_WHAT = 26


class Page:
    """Standard output, a hundred columns wide; without colours where it goes to a file."""

    def __init__(self) -> None:
        self.out = Console(highlight=False, width=min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))
        self._at: datetime | None = None
        self._who = ""

    def title(self, title: str, beneath: str = "") -> None:
        """The beginning of a part."""
        self.out.print(Text.assemble("\n", (title, "bold")))
        if beneath:
            self.out.print(beneath, style=QUIET)

    def good(self, words: str) -> None:
        """The last word, when all is well."""
        self.out.print(Text.assemble("\n", (words, "bold green")))

    def quiet(self, words: str) -> None:
        """What may be overlooked."""
        self.out.print(words, style=QUIET)

    def cast(self, stories: Sequence[tuple[str, Sequence[Customer]]]) -> None:
        """Who is in it, and how to read what follows."""
        self.out.print()
        for story, customers in stories:
            for number, customer in enumerate(customers):
                title = "" if number else story
                self.out.print(Text.assemble(f"  {title:<24}", (f"{customer.first:<6}", "bold"), (customer.about, QUIET)))
        self.out.print()
        for kind, words in _LEGEND:
            self.out.print(Text.assemble("  ", (f"{kind:<10}", _COLOURS[kind]), (words, QUIET)))

    def line(self, at: datetime | None, who: str, kind: str, what: str, words: str = "") -> None:
        """One thing that happened. The day, the time and the name are said when they change; without `at`: at the same time."""
        at = at or self._at
        time = ""
        if at is not None and (self._at is None or at.date() != self._at.date()):
            self.out.print(Text.assemble("\n", (f"{at:%A} {at.day} {at:%B}", "bold")))
        if at != self._at:
            time, self._who = f"{at:%H:%M}", ""
        name = "" if who == self._who else who
        self._at, self._who = at, who
        colour = _COLOURS[kind]
        before = Text.assemble((f"  {time:<7}", QUIET), (f"{name:<9}", "bold"), (f"{kind:<11}", colour))
        body = Text.assemble((f"{what:<{_WHAT}} " if words else what, colour if kind in _COLOURED_WHOLE else ""), (words, QUIET))
        indent = _BEFORE + (_WHAT + 1 if words else 0)
        first, *others = body.wrap(self.out, self.out.width - _BEFORE) if not words else [body]
        self.out.print(before + first, no_wrap=True, overflow="ellipsis")
        for other in others:
            self.out.print(Text(" " * indent) + other)
