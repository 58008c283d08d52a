"""What the database refuses is found, and only that is set aside: a record is buried, an entity put to sleep. Everything else goes on.

A value that Postgres refuses is a bug of ours or a guard that held (a CHECK). It must neither stop a partition nor bury its neighbours.
An outage is waited out elsewhere; a bug or a wrong schema is not the data's fault: the process ends, nothing is buried.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog

from services.runtime.apply import Shell
from services.runtime.decision import CallAnswered
from services.runtime.postgres import REFUSED
from services.runtime.queues import Tally
from services.runtime.records import Record
from services.runtime.stored import Stale

Patiently = Callable[[Callable[[], Awaitable[Tally]]], Awaitable[Tally]]
Done = TypeVar("Done")
ANEW = (*REFUSED, Stale)
log = structlog.get_logger()


async def hear(shell: Shell[Any], batch: Sequence[Record], group: str, patiently: Patiently) -> list[tuple[Sequence[Record], Tally]]:
    """Applies a batch, halving it around what is refused or stale. `patiently` waits out outages. Returns each piece with its tally."""
    try:
        return [(batch, await patiently(lambda: shell.hear(batch, group)))]
    except ANEW:
        if len(batch) == 1:
            return [(batch, await patiently(lambda: hear_alone(shell, batch[0], group)))]
    middle = len(batch) // 2
    return [*await hear(shell, batch[:middle], group, patiently), *await hear(shell, batch[middle:], group, patiently)]


async def hear_alone(shell: Shell[Any], record: Record, group: str) -> Tally:
    """One record that was refused. Perhaps it was something parked that it released: then it is applied, and those one by one."""
    try:
        tally = await _again(partial(shell.hear, [record], group, release=False))
    except REFUSED as error:
        log.error("record refused", topic=record.topic, partition=record.partition, offset=record.offset, error=type(error).__name__)
        return await shell.bury(record, group, type(error).__name__)
    for entity_id in shell.entities_of(record):
        await release(shell, entity_id, group)
    return tally


async def release(shell: Shell[Any], entity_id: str, group: str) -> None:
    """What is parked for an entity, one by one, as far as it goes."""
    going_on = True
    while going_on:
        try:
            going_on = await _again(partial(shell.release_head, entity_id, group))
        except REFUSED as error:
            log.error("parked record refused", entity_id=entity_id, error=type(error).__name__)
            going_on = await shell.release_head(entity_id, group, refused=type(error).__name__)


async def wake(shell: Shell[Any], limit: int) -> int:
    """Fires what is due; an entity whose new state is refused sleeps for a day. Returns how many timers fired."""
    try:
        return await shell.wake(limit)
    except ANEW:
        due = await shell.due(limit)
    fired = 0
    for entity_id in due:
        try:
            fired += await _again(partial(shell.wake, only=[entity_id]))
        except REFUSED as error:
            log.error("wake-up refused", entity_id=entity_id, error=type(error).__name__)
            await shell.put_to_sleep(entity_id, type(error).__name__)
    return fired


async def give_up(shell: Shell[Any]) -> int:
    """Gives up the heads of queues whose missing piece never came; returns how many entities went on."""
    waiting = await shell.given_up()
    for entity_id in waiting:
        try:
            await shell.give_up(entity_id)
        except ANEW:
            await release(shell, entity_id, f"offramp.{shell.service}.parked")
    return len(waiting)


async def answer(shell: Shell[Any], token: UUID, answers: Mapping[str, tuple[str, CallAnswered]]) -> None:
    """Brings outcomes in; a call is over even when its entity can't store what it made of the answer."""
    try:
        await shell.answer(token, answers)
    except ANEW:
        await _answer_one_by_one(shell, token, answers)


async def _answer_one_by_one(shell: Shell[Any], token: UUID, answers: Mapping[str, tuple[str, CallAnswered]]) -> None:
    for key, each in answers.items():
        try:
            await _again(partial(shell.answer, token, {key: each}))
        except REFUSED as error:
            log.error("answer refused", call=key, error=type(error).__name__)
            await shell.answer(token, {key: each}, refused=type(error).__name__)


async def _again(work: Callable[[], Awaitable[Done]]) -> Done:
    """Decides one thing until nothing it rests on has changed meanwhile. Whenever it has, somebody else came further: so this ends."""
    while True:
        try:
            return await work()
        except Stale:
            log.info("decided again: what it rests on has changed")
