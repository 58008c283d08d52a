"""What the tests of the house's rules need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.house import House


@pytest.fixture
def bare_house(tmp_path: Path) -> House:
    """The configuration alone: ruff looks at one file at a time."""
    (tmp_path / "pyproject.toml").write_text((Path(__file__).parents[2] / "pyproject.toml").read_text())
    return House(tmp_path)
