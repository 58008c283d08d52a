"""What could not be handled: a row with an owner and a deadline, and a record on the service's dead-letter topic."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from offramp_schemas import MEANING
from offramp_schemas.topics import DEAD_LETTERS
from services.runtime import sql
from services.runtime.decision import id_of
from services.runtime.fold import FOLLOW_UPS, Emitted, column, shard_of
from services.runtime.records import DeadLetter, masked, pack_headers
from services.runtime.stored import Connection

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
OWNER = "ops"
ACT_WITHIN = timedelta(days=1)


class NoSuchDeadLetter(Exception):
    """There is none at that place, or somebody has resolved it already."""


async def bury(connection: Connection, service: str, group: str, letters: Sequence[DeadLetter], now: datetime) -> None:
    """Stores and announces each letter once, whatever is replayed."""
    announced = []
    for letter in letters:
        record = letter.record
        value, redacted = masked(record.value)
        error_class, _ = MEANING[letter.reason]
        headers = pack_headers(record.headers)
        is_new = await connection.fetchval(
            QUERIES["bury"], record.topic, record.partition, record.offset, record.key, value, headers, redacted, letter.source,
            letter.event_id, letter.reason.value, error_class, letter.message, now, OWNER, now + ACT_WITHIN,
        )  # fmt: skip
        if is_new:
            announced.append(_announcement(service, group, letter, value, redacted, now))
    await emit(connection, service, announced)


async def emit(connection: Connection, service: str, rows: Sequence[Emitted]) -> None:
    """Puts rows into the outbox."""
    if rows:
        columns = column(rows, 7)
        await connection.execute(QUERIES["emit"], *columns, channel(service))


def channel(service: str) -> str:
    """The NOTIFY channel on which a service rings its own loops."""
    return f"offramp_{service}"


def _announcement(service: str, group: str, letter: DeadLetter, value: bytes | None, redacted: bool, now: datetime) -> Emitted:
    record = letter.record
    described = {
        "dlq.topic": record.topic, "dlq.partition": str(record.partition), "dlq.offset": str(record.offset), "dlq.consumer-group": group,
        "dlq.reason": letter.reason.value, "dlq.error-class": MEANING[letter.reason][0], "dlq.message": letter.message,
        "dlq.attempts": "1", "dlq.first-failed-at": now.isoformat(), "dlq.redacted": str(redacted).lower(),
    }  # fmt: skip
    headers = [*record.headers, *((name, text.encode()) for name, text in described.items())]
    id_ = id_of(FOLLOW_UPS, f"{service}|dead|{record.topic}|{record.partition}|{record.offset}")
    topic = DEAD_LETTERS[service].name
    return Emitted(shard_of(record.key), id_, topic, "dead-letter", record.key, value, pack_headers(headers))


async def discard(connection: Connection, place: tuple[str, int, int], note: str, now: datetime) -> None:
    """Closes the letter with a note. Raises NoSuchDeadLetter."""
    async with connection.transaction():
        if await connection.fetchrow(QUERIES["dead_letter"], *place) is None:
            raise NoSuchDeadLetter(f"no open dead letter at {place[0]}[{place[1]}]@{place[2]}")
        await connection.execute(QUERIES["resolve"], *place, now, "discarded", note)
