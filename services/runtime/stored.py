"""What a service's `store.py` gives the shell: entities in and out of its own tables, a handful of statements whatever the number."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import asyncpg

State = TypeVar("State")
LOCKED = " for update"  # what `load` adds to its query
if TYPE_CHECKING:  # asyncpg's classes are generic in its stubs only
    Connection = asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]
    Pool = asyncpg.Pool[Any]
else:
    Connection, Pool = asyncpg.Connection, asyncpg.Pool


class Stale(Exception):
    """What a decision rests on, beside the rows that are locked, has changed since it was read: it has to be taken again."""


@dataclass(slots=True)
class Entity(Generic[State]):
    """One row: `version` counts applied events; the two wake-ups are the earliest timers of either kind.

    `read` is what its store read with it of rows that are not locked, to look at it again when it is stored.
    """

    entity_id: str
    version: int
    state: State
    wake_at: datetime | None = None
    guarded_wake_at: datetime | None = None
    read: Any = field(default=None, compare=False)


class Store(Protocol[State]):
    """Set-based SQL over the service's own tables (`search_path` is its schema)."""

    async def known(self, connection: Connection, ids: Sequence[str]) -> set[str]:
        """Those of the ids that have a row. Takes no lock."""
        ...

    async def load(self, connection: Connection, ids: Sequence[str], *, lock: bool = True) -> dict[str, Entity[State]]:
        """The rows, locked in the order of their ids; unlocked for a preview. Unknown ids are left out."""
        ...

    async def store(self, connection: Connection, entities: Sequence[Entity[State]]) -> None:
        """Inserts or rewrites the rows and their projections. Raises Stale."""
        ...

    async def due(self, connection: Connection, now: datetime, seen_through: datetime | None, limit: int) -> list[str]:
        """Ids to wake: `wake_at` is past `now`, or `guarded_wake_at` is past both `now` and `seen_through`. Takes no lock."""
        ...

    async def next_wake(self, connection: Connection) -> datetime | None:
        """The earliest wake-up of all, guarded ones included."""
        ...
