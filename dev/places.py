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
    """What every stack of this user shares: downloaded jars and unpacked servers. `OFFRAMP_DEV_CACHE` overrides it."""
    chosen = os.environ.get("OFFRAMP_DEV_CACHE")
    directory = Path(chosen).absolute() if chosen else _base("XDG_CACHE_HOME", ".cache", Path("/var/cache")) / "offramp"
    return created(directory, "set OFFRAMP_DEV_CACHE to a directory that you can write to")


def kept_directory() -> Path:
    """Where a stack keeps its data for the next start when nobody has chosen a place."""
    return _base("XDG_STATE_HOME", ".local/state", Path("/var/lib")) / "offramp"


def _base(variable: str, at_home: str, for_root: Path) -> Path:
    """The directory for such things by the XDG standard; for root one that other users can enter."""
    if chosen := os.environ.get(variable):
        return Path(chosen).absolute()
    return for_root if os.geteuid() == 0 else Path.home() / at_home


def created(directory: Path, remedy: str) -> Path:
    """This directory, made if need be, once something could be written to it; else a StackError that ends in `remedy`."""
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
