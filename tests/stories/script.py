"""How a story is told: who it is about, and what happens to them on which day. All of them are played side by side, on one clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from offramp_schemas import Event
from offramp_schemas.request import Requester
from tests.e2e.customers import Customer

if TYPE_CHECKING:
    from tests.stories.stage import Stage

BEGINS = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday


def day(number: int, hour: int = 9, minute: int = 0) -> datetime:
    """So many days after the beginning; `day(5)` and `day(6)` are a week-end.

    Nine o'clock unless it matters: what is due on the same day of several stories is then due at the same moment, and the clock, which
    stops at every moment, passes quickly.
    """
    return BEGINS.replace(hour=hour, minute=minute) + timedelta(days=number)


LATE = day(70)  # a year that begins then outlasts the play: nothing more is to be heard of its renewal
ENDS = day(400)
PLAN_WITH_NOTICE = "team"
STRANGER = Requester(user_id="usr_mallory", name="Mallory")
SOON = timedelta(minutes=5)  # a mail that is no proof is held a little, in case its cause goes
IN_ITS_YEAR: Mapping[str, Any] = {  # of whoever has been a customer for nearly a year
    "current_period_start": LATE - timedelta(days=365), "current_period_end": LATE, "account_created_at": LATE - timedelta(days=365),
}  # fmt: skip
Act = Callable[["Stage", Customer], Awaitable[None]]


class Scene(NamedTuple):
    """At `at` somebody publishes an event about the customer, or something else is done."""

    at: datetime
    does: Event | Act


@dataclass(frozen=True)
class Story:
    """What happens to one customer. It begins with what billing tells of a new subscription."""

    who: Customer
    begins: datetime
    scenes: tuple[Scene, ...]


def story(who: Customer, *scenes: tuple[datetime, Event | Act], begins: datetime = BEGINS) -> pytest.MarkDecorator:
    """Says what a test is about: it is played before, together with everybody else's. A test may be about several customers."""
    return pytest.mark.story(Story(who, begins, tuple(Scene(*each) for each in scenes)))
