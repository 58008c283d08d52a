"""Where the command line finds what it talks to."""

from pathlib import Path

import pytest

from services.console import settings
from services.console.trouble import Trouble


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OFFRAMP_KAFKA", "OFFRAMP_REFUNDS_URL"):
        monkeypatch.setenv(name, "")  # so that what the file says is undone after the test
        monkeypatch.delenv(name)


def test_a_second_terminal_needs_no_exports(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "offramp.env").write_text("# by make run\nexport OFFRAMP_KAFKA='127.0.0.1:29092'\nOTHER=1\n")
    assert settings.load().kafka == "127.0.0.1:29092"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "my.env"
    file.write_text("OFFRAMP_KAFKA=127.0.0.1:29092\nOFFRAMP_REFUNDS_URL=http://127.0.0.1:9\n")
    monkeypatch.setenv("OFFRAMP_ENV_FILE", str(file))
    monkeypatch.setenv("OFFRAMP_KAFKA", "127.0.0.1:19092")
    assert (settings.load().kafka, settings.load().refunds_url) == ("127.0.0.1:19092", "http://127.0.0.1:9")


def test_a_secret_of_the_environment_wins_whichever_way_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("mine\n")
    file = tmp_path / "my.env"
    file.write_text("OFFRAMP_POSTGRES_PASSWORD=theirs\nOFFRAMP_KAFKA_PASSWORD_FILE=/nowhere\n")
    monkeypatch.setenv("OFFRAMP_ENV_FILE", str(file))
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("OFFRAMP_KAFKA_USER", "console")
    monkeypatch.setenv("OFFRAMP_KAFKA_PASSWORD", "mine")
    loaded = settings.load()
    assert [each and each.get_secret_value() for each in (loaded.postgres_password, loaded.kafka_password)] == ["mine", "mine"]


def test_a_file_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_ENV_FILE", "/nowhere/my.env")
    with pytest.raises(Trouble, match=r"OFFRAMP_ENV_FILE names /nowhere/my\.env"):
        settings.load()


def test_where_nothing_says_where_to_look_that_is_the_hint(tmp_path: Path) -> None:
    assert "no data/offramp.env here" in settings.hint("KAFKA")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "offramp.env").write_text("OFFRAMP_KAFKA=127.0.0.1:29092\n")
    settings.load()
    assert settings.hint("KAFKA") == ""


def test_a_misspelt_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_KAFFKA", "x:1")
    with pytest.raises(Trouble, match="did you mean OFFRAMP_KAFKA"):
        settings.load()


def test_a_line_that_assigns_nothing_is_told_by_its_number(tmp_path: Path) -> None:
    file = tmp_path / "my.env"
    file.write_text("OFFRAMP_KAFKA=a:1\nhello\n")
    with pytest.raises(Trouble, match=r"my\.env:2: is not NAME=value"):
        settings.variables(file)
