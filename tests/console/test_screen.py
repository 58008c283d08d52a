"""What strangers wrote is shown, never obeyed."""

import pytest
from rich.text import Text

from services.console import screen


@pytest.mark.parametrize("as_text", [str, Text])
def test_a_strangers_text_can_not_command_the_terminal(capsys: pytest.CaptureFixture[str], as_text: type) -> None:
    screen.out.print(as_text("title \x1b]0;owned\x07 \x9b2J \u202egnp.exe\ttab\nline"))
    shown = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)
    assert "owned" in shown
    assert "line" in shown
