"""Where the embedded stack keeps its things, which ports it takes, and the one error it raises."""

from __future__ import annotations

import os
import random
import socket
import tempfile
from pathlib import Path

HOST = "127.0.0.1"

# Below every system's ephemeral range: an outgoing connection can't take a port between our choosing and our using it.
_PORTS = range(15_000, 32_000)


class StackError(Exception):
    """The stack can't start or stop. The message says what to do about it and is meant to be shown as it is."""


def cache_directory() -> Path:
    """What every stack of this user shares: downloaded jars and unpacked servers.

    `OFFRAMP_DEV_CACHE` overrides it. For root it is a directory that others can read, because PostgreSQL runs as another user there.
    """
    if chosen := os.environ.get("OFFRAMP_DEV_CACHE"):
        directory = Path(chosen)
    elif base := os.environ.get("XDG_CACHE_HOME"):
        directory = Path(base, "offramp")
    else:
        directory = Path("/var/cache/offramp") if os.geteuid() == 0 else Path.home() / ".cache" / "offramp"
    return _created(directory.absolute(), "set OFFRAMP_DEV_CACHE to a directory that you can write to")


def stack_directory(chosen: Path | None) -> Path:
    """The directory of one stack, made if need be; without a choice a new temporary one."""
    remedy = "choose another one with --directory, or set TMPDIR"
    if chosen is not None:
        return _created(chosen.absolute(), remedy)
    try:
        directory = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX))
        directory.chmod(0o711)  # the user PostgreSQL runs as passes through, and sees nothing
    except OSError as problem:
        raise StackError(f"Can't create a temporary directory: {problem}. Free some space, or {remedy}.") from problem
    return directory


TEMPORARY_PREFIX = f"offramp-stack-{os.geteuid()}-"


def _created(directory: Path, remedy: str) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as probe:
            probe.write(b"writable")
    except OSError as problem:
        raise StackError(f"Can't write to {directory}: {problem.strerror or problem}. Free some space, or {remedy}.") from problem
    return directory


def free_port() -> int:
    """A port on the loopback interface that nothing listens on. Another starter may still be faster: be ready to try again."""
    for port in random.sample(_PORTS, 200):
        if is_free(port):
            return port
    raise StackError(f"No free port between {_PORTS.start} and {_PORTS.stop} on {HOST}. End some of the programs that listen there.")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a port in TIME_WAIT is free
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def claim_port(chosen: int | None, name: str) -> int:
    """The port somebody chose, if it is free, or any free one."""
    if chosen is None:
        return free_port()
    if not is_free(chosen):
        raise StackError(
            f"Port {chosen} on {HOST}, wanted for {name}, is in use. "
            f"End the program that listens there (`ss -ltnp 'sport = :{chosen}'` names it), or choose another port."
        )
    return chosen
