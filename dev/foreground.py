"""Running things to their end, or until somebody ends them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine, Iterator

from dev.places import StackError

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(work: Coroutine[object, object, None]) -> int:
    """Run `work` and return the exit status: 0 when it ended or was ended by Ctrl-C or SIGTERM, 1 after a StackError, which is shown.

    The first signal cancels, so that everything is stopped in order; the next one interrupts the stopping.
    """
    try:
        asyncio.run(_cancelled_by_signals(work))
    except asyncio.CancelledError:
        return 0
    except StackError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


async def _cancelled_by_signals(work: Coroutine[object, object, None]) -> None:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for ending in _ENDINGS:
        loop.add_signal_handler(ending, task.cancel)
    await work


@contextlib.contextmanager
def first_error_alone() -> Iterator[None]:
    """Around a task group: its first error comes out by itself, not in a group that nobody catches by type."""
    try:
        yield
    except ExceptionGroup as problems:
        raise problems.exceptions[0] from problems
