"""What an audit finds."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.console.database import Row


@dataclass(frozen=True, slots=True)
class Violation:
    """What one check found in one service: `rows` that should not be there, and what a row is."""

    check: str
    service: str
    meaning: str
    rows: Sequence[Row]
