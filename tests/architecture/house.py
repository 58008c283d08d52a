"""A copy of the house in which a test can plant a violation, and the real tools to look at it with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_TOP = Path(__file__).parents[2]
_TOOLS = Path(sys.executable).parent
_PARTS = ("services", "dev", "schemas")


@dataclass(frozen=True)
class House:
    """A copy of everything that the rules are about, with the configuration as it is."""

    top: Path

    @classmethod
    def copied_to(cls, top: Path) -> House:
        """The house as it stands."""
        shutil.copy(_TOP / "pyproject.toml", top)
        for part in _PARTS:
            shutil.copytree(_TOP / part, top / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        return cls(top)

    def plant(self, file: str, source: str) -> None:
        """Write a module that breaks a rule."""
        path = self.top / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    def verdict(self, tool: str, *arguments: str) -> tuple[int, str]:
        """Exit status and output of a tool of the house."""
        result = subprocess.run(
            [_TOOLS / tool, *arguments],
            cwd=self.top,
            env={**os.environ, "PYTHONPATH": str(self.top / "schemas"), "COLUMNS": "200", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        return result.returncode, result.stdout + result.stderr
