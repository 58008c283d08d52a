"""A rule has no clock, no chance and no I/O. Each is planted, and ruff has to see it."""

from __future__ import annotations

import pytest

from tests.architecture.house import House

_IMPURE = {
    "the clock": ("from datetime import datetime", "datetime.now()", "TID251"),
    "the clock with a zone": ("from datetime import UTC, datetime", "datetime.now(UTC)", "TID251"),
    "today's date": ("from datetime import date", "date.today()", "TID251"),
    "machine time": ("import time", "time.monotonic()", "TID251"),
    "a random id": ("from uuid import uuid4", "uuid4()", "TID251"),
    "chance": ("import random", "random.random()", "TID251"),
    "a file": ("import io", 'open("policy.yaml")', "PTH123"),
    "a file by its path": ("from pathlib import Path", 'Path("policy.yaml").read_text()', "TID251"),
    "the environment": ("import os", 'os.environ["HOME"]', "TID251"),
    "the terminal": ("import string", 'print("decided")', "T201"),
}
_MODULE = '"""A planted violation."""\n\n{}\n\n\ndef decide() -> object:\n    """Not like this."""\n    return {}\n'
_RULES = ["services/lifecycle/decide.py", "services/lifecycle/cancellation.py", "services/refunds/states.py", "services/notifier/desk.py"]
_SHELL = ["services/runtime/clock.py", "services/lifecycle/__main__.py", "services/refunds/store.py", "services/notifier/smtp.py"]


@pytest.mark.parametrize("impurity", _IMPURE)
@pytest.mark.parametrize("file", _RULES)
def test_ruff_sees_in_a_rule(impurity: str, file: str, bare_house: House) -> None:
    source, use, code = _IMPURE[impurity]
    bare_house.plant(file, _MODULE.format(source, use))
    status, output = bare_house.verdict("ruff", "check", "--output-format", "concise", file)
    assert (status, code in output) == (1, True), output


@pytest.mark.parametrize("file", _SHELL)
def test_the_shell_has_a_clock(file: str, bare_house: House) -> None:
    source, use, _ = _IMPURE["the clock with a zone"]
    bare_house.plant(file, _MODULE.format(source, use))
    assert bare_house.verdict("ruff", "check", "--quiet", "--select", "TID251", file) == (0, "")
