"""Java libraries by coordinates and SHA-256, from a committed list: no Java, no Maven and no trust in the network needed."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from dev.foreground import first_error_alone
from dev.places import StackError, cache_directory

_ATTEMPTS = 3
_AT_ONCE = 6
_TIMEOUT = 30  # seconds without an answer


@dataclass(frozen=True)
class Jar:
    """One library: `group:artifact:version`, and what its bytes must hash to."""

    coordinates: str
    sha256: str

    @property
    def filename(self) -> str:
        """The name Maven repositories give it."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


def listed(file: Path) -> list[Jar]:
    """The jars of a list: a line each, comments with `#`."""
    lines = (line.split("#")[0].split() for line in file.read_text().splitlines())
    return [Jar(*words) for words in lines if words]


async def fetched(jars: Sequence[Jar], what: str) -> list[Path]:
    """The paths of the jars in the cache, whole and verified. Those that are missing are downloaded, with progress on stderr.

    Several starters may do this at once: each file appears under its name complete or not at all.
    """
    directory = cache_directory() / "jars"
    directory.mkdir(exist_ok=True)
    if missing := [jar for jar in jars if not _is_intact(directory / jar.filename, jar.sha256)]:
        await _download(missing, directory, what)
    return [directory / jar.filename for jar in jars]


def _is_intact(path: Path, sha256: str) -> bool:
    return path.exists() and _sha256(path) == sha256


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def _download(jars: Sequence[Jar], directory: Path, what: str) -> None:
    console = Console(stderr=True)
    console.print(f"Fetching {what} into {directory}. This happens once.", highlight=False)
    at_once = asyncio.Semaphore(_AT_ONCE)  # and not a thread for each: a Ctrl-C then waits for a few only

    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task(what, total=len(jars))

        async def fetch(jar: Jar) -> None:
            async with at_once:
                await asyncio.to_thread(_fetch, jar, directory)
            progress.advance(bar)

        with first_error_alone():
            async with asyncio.TaskGroup() as downloads:
                for each in jars:
                    downloads.create_task(fetch(each))


def _fetch(jar: Jar, directory: Path) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with tempfile.TemporaryDirectory(dir=directory) as scratch:
                path = _from_maven(jar.coordinates, Path(scratch))
                if (found := _sha256(path)) != jar.sha256:
                    raise RuntimeError(f"its SHA-256 is {found} and should be {jar.sha256}")
                path.replace(directory / jar.filename)
                return
        except (OSError, RuntimeError) as problem:  # what the network and the repository do wrong arrives as one of these
            if attempt == _ATTEMPTS:
                raise StackError(
                    f"Can't fetch {jar.coordinates}: {problem}. Check the network and its proxy, then start again."
                ) from problem


def _from_maven(coordinates: str, scratch: Path) -> Path:
    from jgo.maven import MavenContext  # noqa: PLC0415 - slow to import, and needed on the first start only

    return MavenContext(repo_cache=scratch, timeout=_TIMEOUT).create_dependency(coordinates).artifact.resolve()


def lock(coordinates: Sequence[str]) -> list[Jar]:
    """These libraries and everything they need to run, with the hashes of today's download."""
    from jgo.maven import MavenContext  # noqa: PLC0415 - see above

    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), timeout=_TIMEOUT)
        wanted = [context.create_dependency(each) for each in coordinates]
        _, needed = context.resolver.resolve(wanted)
        artifacts = sorted((each.artifact for each in [*wanted, *needed]), key=str)
        return [Jar(f"{each.groupId}:{each.artifactId}:{each.version}", _sha256(each.resolve())) for each in artifacts]


if __name__ == "__main__":
    print("# Made by `make lock`: what the embedded Kafka consists of.")
    for jar in lock(sys.argv[1:]):
        print(jar.coordinates, jar.sha256)
