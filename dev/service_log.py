"""The services' JSON logs, for somebody at a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

_ESCAPES = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]")  # Faust moves the cursor, even in a file
_UNTOLD = {"event", "level", "timestamp", "service", "logger", "exception"}


def last_words(log: Path, lines: int = 8) -> str:
    """The end of a service's log, a sentence a line."""
    told = [line for line in _ESCAPES.sub("", log.read_text(errors="replace")).splitlines() if line]
    return "\n".join(_readable(line) for line in told[-lines:])


def _readable(line: str) -> str:
    """What it says without what only programs need; a line that is not JSON as it is."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict) or "event" not in record:
        return line
    details = ", ".join(f"{name}={value}" for name, value in record.items() if name not in _UNTOLD)
    told = f"{record.get('level', '')}: {record['event']}" + (f" ({details})" if details else "")
    return "\n".join([told, *str(record.get("exception", "")).splitlines()])
