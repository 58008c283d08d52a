"""The Docker engine of this machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence

Ended = subprocess.CompletedProcess[str]


def missing() -> str | None:
    """Why no container can be started here, if so."""
    if not shutil.which("docker"):
        return "there is no `docker` command"
    for question in (["docker", "info"], ["docker", "compose", "version"]):
        asked = ended(question, within=30)
        if asked.returncode:
            return f"`{' '.join(question)}` says: {(asked.stderr or asked.stdout).strip().splitlines()[-1]}"
    return None


def ended(command: Sequence[str], *, within: float = 120, environment: Mapping[str, str] | None = None) -> Ended:
    """What a command said, and its exit status."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=within, check=False)
