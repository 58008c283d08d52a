"""What `make run` says once everything runs: what is where, what to play with, and commands for a second terminal."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dev.places import HOST
from dev.system import System
from services.console import samples

_QUIET, _COMMAND = "bright_black", "cyan"
_out = Console(highlight=False, soft_wrap=True)


def show(system: System, env_file: Path, seconds: float, offramp: str = ".venv/bin/offramp") -> None:
    """On standard output. `seconds`: how long the start took; `offramp`: how the command line is called from here."""
    _out.print(Text.assemble("\n", ("Offramp runs", "bold green"), (f"  ready after {seconds:.0f} s. Ctrl-C stops it.", _QUIET), "\n"))
    for name, where, about in _places(system):
        _out.print(Text.assemble(f"  {name:<12}", f"{where:<26}", (about, _QUIET)))
    if env_file.absolute() != Path("data/offramp.env").absolute():
        _heading("First, in the second terminal", "so that the command line finds this one")
        _out.print(Text.assemble("  ", (f"export OFFRAMP_ENV_FILE={env_file.absolute()}", _COMMAND)))
    _heading("Subscriptions to play with", "each with something to try in a second terminal")
    for line in samples.described(offramp):
        _out.print(line)
    _heading("And then")
    for command, about in _commands(system.clock == "test"):
        _out.print(Text.assemble("  ", (f"{offramp} {command:<38}", _COMMAND), (about, _QUIET)))
    _out.print()


def _heading(title: str, about: str = "") -> None:
    _out.print(Text.assemble("\n", (title, "bold"), (f"  {about}" if about else "", _QUIET)))


def _places(system: System) -> list[tuple[str, str, str]]:
    services = [
        (name, system.url(name), f"/readyz /metrics  log {_near(running[0].child.log)}") for name, running in system.processes.items()
    ]
    return [
        *services,
        ("provider", system.provider.url, "a sandbox: no money moves"),
        ("mails", _near(system.stack.maildir / "new"), "nothing leaves this machine"),
        ("Kafka", system.stack.kafka, ""),
        ("PostgreSQL", f"{HOST}:{system.stack.database.port}", f"the database {system.admin_dsn.rpartition('/')[2]}"),
        (
            "clock",
            "business time stands still" if system.clock == "test" else "the wall's",
            "until it is advanced" if system.clock == "test" else "",
        ),
    ]


def _commands(test_clock: bool) -> list[tuple[str, str]]:
    return [
        ("show sub_anna", "its whole story, mails included"),
        ("tail", "every topic, live"),
        ("refunds", "what is owed, whose turn it is, by when"),
        ("dead-letters list", "what could not be handled"),
        *([("clock advance 30d", "from timer to timer, mails included")] if test_clock else []),
        ("publish --help", "every event there is"),
    ]


def _near(path: Path) -> str:
    """As somebody who stands here would write it."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
