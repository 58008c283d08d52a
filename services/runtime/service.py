"""What a service is to the shell: a name, its rules, its tables, and who does its calls."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aiohttp import web

from offramp_schemas import Topic, inputs_of
from services.runtime.apply import Shell
from services.runtime.calls import Caller
from services.runtime.decision import Decider
from services.runtime.stored import Store
from services.runtime.telemetry import TableGauge

State = TypeVar("State")
Door = Callable[[web.Request, Shell[Any]], Awaitable[web.Response]]
"""Takes what somebody outside posts."""


@dataclass(frozen=True, slots=True)
class Service(Generic[State]):
    """One service, ready to be hosted. `resources` are opened before the first call and closed after the last.

    `forgets` are statements over `($1 cutoff, $2 how many at most)` that prune what the service need not remember for more than 35 days.
    `gauges` are its own numbers for `/metrics`; `doors`, by path, take what others POST to its pages.
    """

    name: str
    decider: Decider[State]
    tables: Store[State]
    callers: Mapping[str, Caller] = field(default_factory=dict)
    forgets: tuple[str, ...] = ()
    gauges: tuple[TableGauge, ...] = ()
    resources: tuple[AbstractAsyncContextManager[Any], ...] = ()
    doors: Mapping[str, Door] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Topic, ...]:
        """The topics it reads."""
        return inputs_of(self.name)
