"""Correspondences and digests in and out of Postgres: a handful of statements whatever the number."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from services.notifier.states import Correspondence, Letters, Mail
from services.runtime import sql
from services.runtime.stored import LOCKED, Connection, Entity

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
_json = msgspec.json.Encoder()
_letters = msgspec.json.Decoder(Letters)


class Correspondences:
    """Implements `services.runtime.stored.Store`. `details` holds what is open; every mail also has its row in `mails`."""

    async def known(self, connection: Connection, ids: Sequence[str]) -> set[str]:
        """Those of the ids that have a row. Takes no lock."""
        return {row["subscription_id"] for row in await connection.fetch(QUERIES["known"], ids)}

    async def load(self, connection: Connection, ids: Sequence[str], *, lock: bool = True) -> dict[str, Entity[Letters]]:
        """The rows, locked in the order of their ids. Mails that ended are not brought back."""
        return {
            row["subscription_id"]: Entity(
                row["subscription_id"], row["version"], _letters.decode(row["details"]), row["wake_at"], row["guarded_wake_at"]
            )
            for row in await connection.fetch(QUERIES["load"] + LOCKED * lock, ids)
        }

    async def store(self, connection: Connection, entities: Sequence[Entity[Letters]]) -> None:
        """Rewrites the rows, and those of their mails that are open or have just ended."""
        rows = [
            (
                each.entity_id,
                each.version,
                each.wake_at,
                each.guarded_wake_at,
                len(each.state.mails),
                _open_refunds(each.state),
                len(each.state.cases),
                _json.encode(replace(each.state, closed=())).decode(),
            )
            for each in entities
        ]
        if not rows:
            return
        await connection.execute(QUERIES["store"], *zip(*rows, strict=True))
        mails = {mail.mail_id: _row(each.entity_id, mail) for each in entities for mail in (*each.state.mails, *each.state.closed)}
        if mails:
            await connection.execute(QUERIES["store_mails"], *zip(*mails.values(), strict=True))
        if forgotten := [each.entity_id for each in entities if isinstance(each.state, Correspondence) and each.state.forgotten]:
            await connection.execute(QUERIES["forget_words"], forgotten)

    async def due(self, connection: Connection, now: datetime, seen_through: datetime | None, limit: int) -> list[str]:
        """Ids to wake, the longest overdue first. Takes no lock."""
        return [row["subscription_id"] for row in await connection.fetch(QUERIES["due"], now, seen_through, limit)]

    async def next_wake(self, connection: Connection) -> datetime | None:
        """The earliest wake-up of all, guarded ones included."""
        found: datetime | None = await connection.fetchval(QUERIES["next_wake"])
        return found


def _open_refunds(state: Letters) -> int:
    return sum(fact.deadline_at is not None for fact in state.facts.values()) if isinstance(state, Correspondence) else 0


def _row(entity_id: str, mail: Mail) -> tuple[Any, ...]:
    return (
        mail.mail_id,
        entity_id,
        mail.about,
        mail.version,
        mail.template,
        mail.locale,
        mail.address,
        None if mail.context is None else _json.encode(mail.context).decode(),
        mail.rendered,
        bytes.fromhex(mail.recipient_hash),
        mail.mail_class,
        mail.state,
        mail.reason,
        mail.tries,
        mail.owner,
        mail.act_by,
        mail.send_after,
        mail.due_by,
        mail.closed_at,
        mail.message_id,
        mail.case_closed_at,
        mail.case_closed_by,
        mail.since,
        mail.promised_by,
    )
