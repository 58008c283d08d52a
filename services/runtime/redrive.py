"""A dead letter once more: applied here, at once, in one transaction, or left as it is with the reason.

It is not published again: for that a service would need the right to write its neighbours' topics. See docs/decisions/0005.
"""

from pathlib import Path
from typing import Any

from offramp_schemas import BadRecord, Reason
from services.runtime import records, sql
from services.runtime.apply import Shell
from services.runtime.dead_letters import NoSuchDeadLetter
from services.runtime.postgres import REFUSED
from services.runtime.records import Record
from services.runtime.stored import Connection, Stale

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
Place = tuple[str, int, int]


class StillDead(Exception):
    """What made it a dead letter is still so, or something else is in the way; the message says what. Nothing was changed."""


async def redrive(shell: Shell[Any], place: Place) -> str:
    """Lets the letter's id apply once more, and only once; returns its disposition. Raises NoSuchDeadLetter or StillDead."""
    try:
        async with shell.pool.acquire() as connection, connection.transaction():
            return await _redrive(shell, connection, place)
    except REFUSED as error:
        raise StillDead(f"the database refuses it ({type(error).__name__})") from None
    except Stale:
        raise StillDead("what it rests on has changed just now: try again") from None


async def _redrive(shell: Shell[Any], connection: Connection, place: Place) -> str:
    letter = await connection.fetchrow(QUERIES["dead_letter"], *place)
    if letter is None or place[0] == "timers":
        raise NoSuchDeadLetter(f"no open dead letter at {place[0]}[{place[1]}]@{place[2]} that can be redriven")
    record = Record(*place, letter["key"], letter["value"], records.unpack_headers(letter["headers"]), letter["first_failed_at"])
    try:
        heard = records.hear(record, record.appended_at)
    except BadRecord as bad:
        raise StillDead(f"{bad.reason}: {bad.message}") from None
    # What is stored has its card numbers masked: from now on that is the event's body.
    await connection.execute(QUERIES["release"], heard.envelope.source, heard.envelope.id, heard.sha256)
    await connection.execute(QUERIES["resolve"], *place, await shell.clock.now(connection), "redriven", None)
    tally, letters = await shell.hear_in(connection, [record], f"offramp.{shell.service}.dead-letters")
    for again in letters:  # those of neighbours that it let out of the queue are their own matter
        if again.record[:3] == place:
            raise StillDead(f"{again.reason}: {again.message}")
    if tally.parked:
        raise StillDead("it speaks of something that nobody has told of yet, or something of the same subscription before it does")
    became = next(name for name in ("applied", "ignored", "duplicate") if getattr(tally, name))
    tally.add("conflict" if letter["reason"] == Reason.CONFLICT else "dead", -1)  # it was counted so, when it was read
    await shell.mark(connection, record, tally)
    return became
