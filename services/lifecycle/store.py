"""Subscriptions in and out of Postgres: the whole state as JSON, and beside it the columns that people, constraints and timers need."""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from services.lifecycle.states import Active, Ended, NonRenewing, Paused, Subscription, Trialing
from services.runtime import sql
from services.runtime.stored import LOCKED, Connection, Entity, Stale

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
_decode = msgspec.json.Decoder(Subscription).decode
_encode = msgspec.json.encode
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
OnceAYear = tuple[datetime | None, datetime | None]  # the last pause, and the last offer
NOTHING: OnceAYear = (None, None)
CUSTOMERS = zlib.crc32(b"lifecycle.customers") & 0x7FFFFFFF
LOCK_BUCKETS = 256


class Read(NamedTuple):
    """What a customer had been given when a subscription was read: as far as this one knew then, and with others of theirs."""

    known: OnceAYear = NOTHING
    others: OnceAYear = NOTHING


class Subscriptions:
    """The `subscriptions` table, for the shell."""

    async def known(self, connection: Connection, ids: Sequence[str]) -> set[str]:
        """Those of the ids that have a row."""
        return {row[0] for row in await connection.fetch(QUERIES["known"], ids)}

    async def load(self, connection: Connection, ids: Sequence[str], *, lock: bool = True) -> dict[str, Entity[Subscription]]:
        """The rows, locked in the order of their ids."""
        rows = await connection.fetch(QUERIES["load"] + LOCKED * lock, ids)
        return {
            id_: _entity(id_, version, details, wake_at, guarded, (*(others or (None, None)),))
            for id_, version, details, wake_at, guarded, others in rows
        }

    async def store(self, connection: Connection, entities: Sequence[Entity[Subscription]]) -> None:
        """Inserts or rewrites the rows. Raises Stale where a customer may have been given twice what they get once a year."""
        if given := [each for each in entities if _is_given(each)]:
            await _nobody_else_gave(connection, given)
        if entities:
            await connection.execute(QUERIES["store"], *zip(*map(_row, entities), strict=True))

    async def due(self, connection: Connection, now: datetime, seen_through: datetime | None, limit: int) -> list[str]:
        """Ids to wake; before every input was seen, nothing that takes something away."""
        return [row[0] for row in await connection.fetch(QUERIES["due"], now, seen_through or _NEVER, limit)]

    async def next_wake(self, connection: Connection) -> datetime | None:
        """The earliest wake-up of all."""
        moment: datetime | None = await connection.fetchval(QUERIES["next_wake"])
        return moment


def _entity(
    id_: str, version: int, details: str, wake_at: datetime | None, guarded: datetime | None, others: OnceAYear
) -> Entity[Subscription]:
    """The row, and in its state what its customer was given with another subscription of theirs."""
    state: Subscription = _decode(details)
    if others != NOTHING:
        paused, offered = others
        heard = replace(state.heard, paused_at=_later(state.heard.paused_at, paused), offered_at=_later(state.heard.offered_at, offered))
        state = replace(state, heard=heard)
    return Entity(id_, version, state, wake_at, guarded, Read(_once_a_year(state), others))


def _once_a_year(state: Subscription) -> OnceAYear:
    return state.heard.paused_at, state.heard.offered_at


def _is_given(entity: Entity[Subscription]) -> bool:
    """A pause or an offer, by what was decided since the row was read."""
    read: Read = entity.read or Read()
    return _once_a_year(entity.state) not in (read.known, NOTHING)


async def _nobody_else_gave(connection: Connection, given: Sequence[Entity[Subscription]]) -> None:
    """Their customers' rows are locked one by one only; so this lock, and a second look, make once a year exact. Raises Stale."""
    customers = [each.state.facts.customer_id for each in given]
    if len(set(customers)) < len(customers):
        raise Stale
    buckets = sorted({zlib.crc32(each.encode()) % LOCK_BUCKETS for each in customers})
    await connection.execute(QUERIES["lock_customers"], CUSTOMERS, buckets)
    rows = await connection.fetch(QUERIES["others"], [each.entity_id for each in given], customers)
    others = {id_: (paused, offered) for id_, paused, offered in rows}
    if any(others[each.entity_id] != (each.read or Read()).others for each in given):
        raise Stale


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
