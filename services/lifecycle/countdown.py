"""Reminders before a moment: when the next one is given, and what it says is left."""

from collections.abc import Iterable
from datetime import datetime, timedelta

DAY = timedelta(days=1)


def next_reminder(until: datetime, now: datetime, before: Iterable[timedelta]) -> datetime | None:
    """The next one after now; those that have gone by are not made up for. None: none is left."""
    return min((until - each for each in before if until - each > now), default=None)


def days_left(until: datetime, now: datetime) -> int:
    """Begun days count whole; 0 when the moment is past."""
    return max(0, -((now - until) // DAY))
