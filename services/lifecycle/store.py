"""Subscriptions in and out of Postgres: the whole state as JSON, and beside it the columns that people, constraints and timers need."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from services.lifecycle.states import Active, Ended, NonRenewing, Paused, Subscription, Trialing
from services.runtime import sql
from services.runtime.stored import LOCKED, Connection, Entity

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
_decode = msgspec.json.Decoder(Subscription).decode
_encode = msgspec.json.encode
_NEVER = datetime(1, 1, 1, tzinfo=UTC)


class Subscriptions:
    """The `subscriptions` table, for the shell."""

    async def known(self, connection: Connection, ids: Sequence[str]) -> set[str]:
        """Those of the ids that have a row."""
        return {row[0] for row in await connection.fetch(QUERIES["known"], ids)}

    async def load(self, connection: Connection, ids: Sequence[str], *, lock: bool = True) -> dict[str, Entity[Subscription]]:
        """The rows, locked in the order of their ids."""
        rows = await connection.fetch(QUERIES["load"] + LOCKED * lock, ids)
        return {
            id_: Entity(id_, version, _known(details, others), wake_at, guarded) for id_, version, details, wake_at, guarded, others in rows
        }

    async def store(self, connection: Connection, entities: Sequence[Entity[Subscription]]) -> None:
        """Inserts or rewrites the rows."""
        if entities:
            await connection.execute(QUERIES["store"], *zip(*map(_row, entities), strict=True))

    async def due(self, connection: Connection, now: datetime, seen_through: datetime | None, limit: int) -> list[str]:
        """Ids to wake; before every input was seen, nothing that takes something away."""
        return [row[0] for row in await connection.fetch(QUERIES["due"], now, seen_through or _NEVER, limit)]

    async def next_wake(self, connection: Connection) -> datetime | None:
        """The earliest wake-up of all."""
        moment: datetime | None = await connection.fetchval(QUERIES["next_wake"])
        return moment


def _known(details: str, others: Sequence[datetime | None] | None) -> Subscription:
    """The state, and in it what its customer was given with another subscription of theirs."""
    state: Subscription = _decode(details)
    if others is None:
        return state
    paused, offered = others
    heard = replace(state.heard, paused_at=_later(state.heard.paused_at, paused), offered_at=_later(state.heard.offered_at, offered))
    return replace(state, heard=heard)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((each for each in (one, other) if each), default=None)


def _row(entity: Entity[Subscription]) -> tuple[Any, ...]:
    """In the order of the query's arrays."""
    state = entity.state
    facts = state.facts
    flag = state.inactivity if isinstance(state, (Trialing, Active)) else None
    leaving = state if isinstance(state, NonRenewing) else None
    ended = state if isinstance(state, Ended) else None
    cancellation = state.cancellation if isinstance(state, (NonRenewing, Ended)) else None
    return (
        entity.entity_id,
        entity.version,
        state.__struct_config__.tag,
        leaving.return_state if leaving else None,
        facts.customer_id,
        facts.plan,
        facts.price_minor,
        facts.currency,
        facts.period_end,
        state.trial_ends_at if isinstance(state, (Trialing, NonRenewing)) else None,
        cancellation.canceled_at if cancellation else None,
        leaving.ends_at if leaving else None,
        state.resumes_at if isinstance(state, Paused) else None,
        ended.ended_at if ended else None,
        ended.end_reason if ended else None,
        state.data_stage if isinstance(state, (Paused, Ended)) else None,
        flag.last_seen_at if flag else None,
        flag.deactivate_at if flag else None,
        min((ack.due_at for ack in state.refund_acks.values()), default=None) if state.refund_acks else None,
        state.heard.paused_at,
        state.heard.offered_at,
        entity.wake_at,
        entity.guarded_wake_at,
        _encode(state).decode(),
    )
