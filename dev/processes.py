"""Child processes that never outlive the stack: not a Ctrl-C, not a crash, not a kill -9 of the parent."""

from __future__ import annotations

import asyncio
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from dev.places import StackError

_GLANCE_EVERY = 0.02  # seconds
_PR_SET_PDEATHSIG = 1
# Loaded here and not between fork and exec, where only calls that are safe in a copied process may run.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Child:
    """A server process of ours, with its log and the pid file by which a later start finds it."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    pid_file: Path

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        directory: Path,
        *,
        dies_with: signal.Signals,
        user: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """Start `command`, writing to `<name>.log` in `directory`.

        `dies_with` is what the kernel sends it when the *thread* that calls this ends (Linux; elsewhere the pid file must do): call it
        from a thread that lives as long as the stack. `user` is the uid to run as, for root.
        """
        log, pid_file = directory / f"{name}.log", directory / f"{name}.pid"
        try:
            with log.open("wb") as output:  # afresh: what went wrong in an earlier run must not be read as if it were now
                process = subprocess.Popen(
                    [os.fspath(part) for part in command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env=environment,
                    start_new_session=True,  # a Ctrl-C at the terminal is for the parent, which then stops things in order
                    **identity(user),
                    preexec_fn=_dying_with(dies_with, os.getpid()),  # noqa: PLW1509 - it takes no lock and imports nothing, so threads can't hurt it
                )
        except OSError as problem:
            raise StackError(f"Can't start {name} ({command[0]}): {problem}.") from problem
        started = psutil.Process(process.pid).create_time()
        pid_file.write_text(f"{process.pid} {started}\n")
        return cls(name, process, log, pid_file)

    @property
    def running(self) -> bool:
        """Whether the process is still there."""
        return self.process.poll() is None

    async def done(self) -> bool:
        """Wait until it has ended by itself, and say whether it succeeded. Who stops waiting ends it."""
        try:
            while self.running:
                await asyncio.sleep(_GLANCE_EVERY)
        finally:
            await self.stop(signal.SIGKILL, within=10)
        return self.process.returncode == 0

    async def stop(self, with_signal: signal.Signals, within: float) -> None:
        """Ask it to end by `with_signal`, and kill it when it hasn't after `within` seconds."""
        if self.running:
            self.process.send_signal(with_signal)
        if not await _ended(self.process.poll, within):
            self.process.kill()
            await _ended(self.process.poll, within=10)
        self.pid_file.unlink(missing_ok=True)

    def says(self, words: str) -> bool:
        """Whether its log has these words."""
        return words in self.log.read_text(errors="replace")

    def last_words(self, lines: int = 5) -> str:
        """The end of its log without Java's stack traces, for an error message."""
        telling = [line for line in self.log.read_text(errors="replace").splitlines() if not line.startswith(("\tat ", "\t... "))]
        return "\n".join(telling[-lines:])


def _dying_with(death: signal.Signals, parent: int) -> Callable[[], None]:
    def ask_the_kernel() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(death), 0, 0, 0)
            if os.getppid() != parent:  # it died before we asked
                os._exit(1)

    return ask_the_kernel


async def _ended(poll: Callable[[], int | None], within: float) -> bool:
    deadline = time.monotonic() + within
    while poll() is None and time.monotonic() < deadline:
        await asyncio.sleep(_GLANCE_EVERY)
    return poll() is not None


def identity(user: int | None) -> dict[str, Any]:
    """The arguments that make `subprocess` run something as `user`, giving up every group of root's."""
    return {} if user is None else {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}


def end_stale(pid_file: Path) -> None:
    """End the process that an earlier, crashed stack left behind, if it still is the one the pid file means."""
    try:
        pid, started = pid_file.read_text().split()
        process = psutil.Process(int(pid))
        if process.create_time() == float(started):  # else the pid has been given to somebody else since
            family = [process, *process.children(recursive=True)]
            for member in family:
                member.kill()
            psutil.wait_procs(family, timeout=10)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        pass  # nothing was left, or a half-written file of a start that never got anywhere
    except psutil.AccessDenied as problem:
        raise StackError(
            f"A server of an earlier stack (pid {problem.pid}) is still running and belongs to another user. End it first."
        ) from problem
    pid_file.unlink(missing_ok=True)
