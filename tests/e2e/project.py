"""The compose project under test: under a name and ports of its own, and taken down without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dev.places import HOST, free_port
from tests.e2e.engine import Ended, ended
from tests.e2e.postgres_with_tls import with_tls

ROOT = Path(__file__).parents[2]
SERVICES = ("lifecycle", "refunds", "notifier")
Mode = Literal["plain", "secure"]
_FILES = {"plain": ("docker-compose.yml",), "secure": ("docker-compose.yml", "docker-compose.secure.yml")}
_PORTS = ("KAFKA", "POSTGRES", "CONSOLE", "MAILDEV", "PROVIDER", "KAFKA_UI")
_STARTS_WITHIN = 300.0  # seconds; the promise is a minute, on a machine that is not shared


@dataclass(frozen=True)
class Project:
    """`docker compose` with the project's name, files, ports and secrets. `seconds_to_ready`: from `up` to everything healthy."""

    name: str
    mode: Mode
    secrets: Path
    environment: Mapping[str, str]
    seconds_to_ready: float = 0.0

    @classmethod
    @contextmanager
    def up(cls, mode: Mode, directory: Path) -> Iterator[Project]:
        """The whole system, ready, for as long as the block lasts; whatever happens in it, nothing is left afterwards."""
        secrets = directory / "secrets"
        subprocess.run([ROOT / "deploy/compose/setup", secrets], check=True, capture_output=True)
        name = f"offramp-e2e-{mode}-{os.getpid()}"
        project = cls(name, mode, secrets, _environment(name, mode, secrets))
        project.compose("build", within=900)
        try:
            began = time.monotonic()
            project.compose("up", "--detach", "--wait", "--wait-timeout", f"{_STARTS_WITHIN:.0f}", within=_STARTS_WITHIN + 60)
            yield cls(name, mode, secrets, project.environment, time.monotonic() - began)
        finally:
            project.down()

    def compose(self, *words: str, may_fail: bool = False, within: float = 120, environment: Mapping[str, str] | None = None) -> Ended:
        """`docker compose …`; a failure that nobody expects is an AssertionError with its words."""
        __tracebackhide__ = True
        files = [f"--file={ROOT / file}" for file in _FILES[self.mode]]
        command = ["docker", "compose", "--progress=quiet", f"--project-directory={ROOT}", "--env-file=/dev/null", *files, *words]
        done = ended(command, within=within, environment={**self.environment, **(environment or {})})
        if done.returncode and not may_fail:
            raise AssertionError(
                f"`docker compose {' '.join(words)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}{self.logs()}"
            )
        return done

    def run(self, service: str, *command: str, options: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Ended:
        """One more container of a service, until it ends by itself: exit status and words are the caller's business."""
        words = ("run", "--rm", "--no-deps", "--no-TTY", "--quiet-pull", *options, service, *command)
        return self.compose(*words, may_fail=True, environment=environment)

    def offramp(self, *words: str) -> Ended:
        """`docker compose run --rm offramp …`: the command line."""
        return self.run("offramp", *words)

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """Every container, ended ones too."""
        lines = self.compose("ps", "--all", "--format=json", *services).stdout.splitlines()
        return [json.loads(line) for line in lines if line.strip()]

    def logs(self, *services: str, tail: int = 15) -> str:
        """The last words of the containers, or of some services'."""
        said = ended(["docker", "compose", f"--project-name={self.name}", "logs", "--no-color", f"--tail={tail}", *services])
        return said.stdout + said.stderr

    def down(self) -> None:
        """Removes it, and makes sure. Whoever is in a hurry waits for it: what is left would stay for ever."""
        command = ["docker", "compose", f"--project-name={self.name}", "down", "--volumes", "--remove-orphans", "--timeout=10"]
        with _not_interrupted():
            subprocess.run(command, capture_output=True, timeout=180, check=False, start_new_session=True)
        if left := self.left_behind():
            raise AssertionError(f"`docker compose down` left behind: {', '.join(left)}")

    def left_behind(self) -> list[str]:
        """Containers, volumes and networks of this project."""
        label = f"label=com.docker.compose.project={self.name}"
        asked = (("container", "ls", "--all", "--quiet"), ("volume", "ls", "--quiet"), ("network", "ls", "--quiet"))
        return [f"{words[0]} {found}" for words in asked for found in ended(["docker", *words, "--filter", label]).stdout.split()]

    def secret(self, name: str) -> str:
        """The content of a secret."""
        return (self.secrets / name).read_text().removesuffix("\n")

    def port(self, name: str) -> int:
        """Where a container listens on this machine: KAFKA, POSTGRES, ..."""
        return int(self.environment[f"{name}_PORT"])

    def url(self, name: str) -> str:
        """The pages of a container."""
        return f"http://{HOST}:{self.port(name)}"


@contextmanager
def _not_interrupted() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(name: str, mode: Mode, secrets: Path) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OFFRAMP_", "COMPOSE_"))}
    ports = {f"{each}_PORT": str(free_port()) for each in _PORTS}
    nobodys = {"ENV_FILE": os.devnull}  # what a developer has chosen for theirs is not under test
    chosen = {"COMPOSE_PROJECT_NAME": name, "COMPOSE_PROFILES": "sandbox", "SECRETS": str(secrets), "OFFRAMP_CLOCK": "test"}
    images = {"POSTGRES_IMAGE": with_tls(os.environ.get("POSTGRES_IMAGE", "postgres:18"))} if mode == "secure" else {}
    return inherited | ports | nobodys | chosen | images
