"""The directory of one stack: one owner at a time, nothing left of those that were thrown away."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dev.places import StackError, created
from dev.processes import end_stale

_LOCK = "stack.lock"
_PREFIX = f"offramp-stack-{os.geteuid()}-"
_REMEDY = "choose another directory, or set TMPDIR"


@contextlib.contextmanager
def owned(chosen: Path | None, *, keep: bool) -> Iterator[Path]:
    """A directory that is this process's alone for as long as the block lasts; a new temporary one without a choice.

    What a crashed owner left running in it is ended first. Its contents go at the end unless they are to be kept.
    """
    _sweep()
    directory, lock = _temporary() if chosen is None else _taken(created(chosen.absolute(), _REMEDY))
    with lock:  # closing the file gives the lock back, and so does the end of the process, however it comes
        _end_servers_of(directory)
        try:
            yield directory
        finally:
            if not keep:
                shutil.rmtree(directory, ignore_errors=True)


def _taken(directory: Path) -> tuple[Path, IO[str]]:
    if not (directory / _LOCK).exists() and any(directory.iterdir()):
        raise StackError(f"{directory} holds something else than a stack. Choose an empty directory, or one that does not exist yet.")
    lock = _locked(directory / _LOCK)
    if lock is None:
        raise StackError(f"Another stack is running in {directory}. Stop that one, or choose another directory.")
    return directory, lock


def _temporary() -> tuple[Path, IO[str]]:
    try:
        fresh = Path(tempfile.mkdtemp(prefix="offramp-new-"))
        fresh.chmod(0o711)  # the user PostgreSQL runs as under root passes through, and sees nothing
        lock = _locked(fresh / _LOCK)
        # Under this name only once it is locked: else a sweep of another starter could take it for an abandoned one.
        directory = fresh.rename(fresh.with_name(fresh.name.replace("offramp-new-", _PREFIX)))
    except OSError as problem:
        raise StackError(f"Can't create a temporary directory: {problem}. Free some space, or {_REMEDY}.") from problem
    assert lock is not None, "nobody else knows of it"
    return directory, lock


def _locked(file: Path) -> IO[str] | None:
    lock = file.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _sweep() -> None:
    """Clear away the temporary directories whose owner is dead, and what still runs in them."""
    for abandoned in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else is sweeping too
            if lock := _locked(abandoned / _LOCK):
                with lock:
                    _end_servers_of(abandoned)
                    shutil.rmtree(abandoned, ignore_errors=True)


def _end_servers_of(directory: Path) -> None:
    for pid_file in directory.glob("*.pid"):
        end_stale(pid_file)
