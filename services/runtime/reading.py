"""Records as events: what is none, or not of our time, becomes a dead letter."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from offramp_schemas import BadRecord, Reason
from services.runtime import records
from services.runtime.clock import BusinessClock
from services.runtime.queues import Tally
from services.runtime.records import DeadLetter, Heard, Record

MEMORY = timedelta(days=35)  # of the inbox


def read(batch: Sequence[Record], now: datetime, tally: Tally, clock: BusinessClock) -> tuple[list[Heard], list[DeadLetter]]:
    """The events among the records, and a dead letter for each of the others, which are counted."""
    events, letters = [], []
    for record in batch:
        try:
            heard = records.hear(record, clock.received(record.appended_at, now))
        except BadRecord as bad:
            letters.append(records.bury(record, bad))
            tally.dead += 1
            continue
        envelope = heard.envelope
        if now - MEMORY <= envelope.time <= now + clock.ahead:
            events.append(heard)
            continue
        reason = Reason.TOO_OLD if envelope.time < now else Reason.FROM_THE_FUTURE
        message = f"its time is {envelope.time.isoformat()}, ours {now.isoformat()}"
        letters.append(DeadLetter(record, reason, message, envelope.source, envelope.id))
        tally.dead += 1
    return events, letters
