"""`.env.example` says what can be chosen, no more and no less."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dev import env_example
from services.runtime.settings import Settings


def test_it_is_as_the_compose_files_and_the_settings_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["env_example", "--check"])
    assert env_example.main() == 0


def test_a_stale_one_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stale = tmp_path / ".env.example"
    stale.write_text("COMPOSE_PROFILES=sandbox\n", encoding="utf-8")
    monkeypatch.setattr(env_example, "EXAMPLE", stale)
    monkeypatch.setattr("sys.argv", ["env_example", "--check"])
    assert env_example.main() == 1
    assert "stale" in capsys.readouterr().err


def test_a_variable_of_a_compose_file_that_nobody_explains_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    more = tmp_path / "docker-compose.more.yml"
    more.write_text('services: {web: {image: "${WEB_IMAGE:-web}"}}\n', encoding="utf-8")
    monkeypatch.setattr(env_example, "COMPOSE", (*env_example.COMPOSE, more))
    with pytest.raises(env_example.Undescribed, match="WEB_IMAGE"):
        env_example.text()


def test_every_setting_in_it_is_one_and_no_secret_of_the_compose_files_is() -> None:
    offered = set(re.findall(r"^#?OFFRAMP_(\w+)=", env_example.text(), re.MULTILINE))
    assert offered <= {name.upper() for name in Settings.model_fields}
    assert "POSTGRES_PASSWORD" not in offered
    assert "SMTP_PASSWORD" in offered, "which no compose file gives"


def test_set_up_leaves_what_is_there_and_makes_the_rest(tmp_path: Path) -> None:
    def set_up() -> str:
        return subprocess.run([env_example.ROOT / "deploy/compose/setup", tmp_path], check=True, capture_output=True, text=True).stdout

    tmp_path.chmod(0o755)
    said = set_up()
    assert tmp_path.stat().st_mode & 0o777 == 0o700, "the files can be read by everybody who gets there"
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    (tmp_path / "lifecycle_password").unlink()
    assert f"{len(before)} files made, 0 were there" in said
    assert f"1 files made, {len(before) - 1} were there" in set_up()
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == ["lifecycle_password"]
    assert b"@PASSWORD@" not in after["kafka_jaas"]
    assert after["kafka_admin_password"].strip() in after["kafka_jaas"]


@pytest.mark.parametrize(
    ("line", "tells"),
    [
        ("OFFRAMP_SMTP_PASSWORD=pa$word", True),
        ('OFFRAMP_SMTP_PASSWORD="pa$word"', True),
        ("OFFRAMP_SMTP_PASSWORD=$word", True),
        ("OFFRAMP_SMTP_PASSWORD='pa$word'", False),
        ("#OFFRAMP_SMTP_PASSWORD=pa$word", False),
        ("OFFRAMP_SMTP_PASSWORD=password", False),
    ],
)
def test_set_up_tells_of_a_value_that_compose_would_change(tmp_path: Path, line: str, tells: bool) -> None:
    shutil.copytree(env_example.ROOT / "deploy" / "compose", tmp_path / "deploy" / "compose")
    (tmp_path / ".env").write_text(f"COMPOSE_PROFILES=sandbox\n{line}\n", encoding="utf-8")
    said = subprocess.run([tmp_path / "deploy/compose/setup", tmp_path / "secrets"], check=True, capture_output=True, text=True).stderr
    assert (".env, line 2: OFFRAMP_SMTP_PASSWORD has a $" in said) == tells
    assert "word'" not in said, "what it is, is nobody's business"


@pytest.mark.parametrize("server", ["kafka", "postgres"])
def test_its_certificates_pass_the_strict_checks_of_newer_pythons(tmp_path: Path, server: str) -> None:
    subprocess.run([env_example.ROOT / "deploy/compose/setup", tmp_path], check=True, capture_output=True)
    verify = ["openssl", "verify", "-x509_strict", "-verify_hostname", server, "-CAfile", "ca", f"{server}_certificate"]
    asked = subprocess.run(verify, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stderr
