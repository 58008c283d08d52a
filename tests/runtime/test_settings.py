"""Settings are refused at start rather than ignored, and never show a secret."""

from pathlib import Path

import pytest
import trustme

from services.runtime import settings
from services.runtime.settings import SECRETS, SettingsError


def test_a_misspelt_setting_is_refused_with_what_was_probably_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_KAFAK", "localhost:9092")
    with pytest.raises(SettingsError, match="OFFRAMP_KAFAK is not a setting; did you mean OFFRAMP_KAFKA"):
        settings.load()


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_KAFKA", "localhost")
    monkeypatch.setenv("OFFRAMP_POOL_SIZE", "many")
    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert "OFFRAMP_KAFKA: must be host:port" in str(refused.value)
    assert "OFFRAMP_POOL_SIZE" in str(refused.value)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_POSTGRES", "postgresql://someone:hush@localhost/offramp")
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD", "hush")
    assert "hush" not in repr(settings.load())


def test_settings_of_the_development_tools_are_none_of_a_services_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_DEV_CACHE", "/somewhere")
    settings.load()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with a password, as an editor leaves it."""
    file = tmp_path / "password"
    file.write_text("hush \n")
    return file


def refusal() -> str:
    """What is said about the settings of the environment."""
    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert "hush" not in str(refused.value), "a secret is never shown"
    return str(refused.value)


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_may_be_given_as_a_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("postgresql://hush\n")
    needed = {"OFFRAMP_KAFKA_USER": "lifecycle"} if name == "kafka_password" else {}
    with pytest.MonkeyPatch.context() as environment:
        for variable, value in {f"OFFRAMP_{name.upper()}_FILE": str(file), **needed}.items():
            environment.setenv(variable, value)
        assert getattr(settings.load(), name).get_secret_value() == "postgresql://hush"


def test_one_newline_at_the_end_of_a_secret_is_the_editors_and_the_rest_is_ours(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD_FILE", str(secret))
    loaded = settings.load()
    assert loaded.postgres_password
    assert loaded.postgres_password.get_secret_value() == "hush "


def test_a_secret_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD", "hush")
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD_FILE", str(secret))
    assert refusal() == "OFFRAMP_POSTGRES_PASSWORD and OFFRAMP_POSTGRES_PASSWORD_FILE are both given: leave one out"


def test_a_secret_whose_file_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD_FILE", str(tmp_path / "none"))
    assert refusal() == f"OFFRAMP_POSTGRES_PASSWORD_FILE: {tmp_path}/none can't be read (No such file or directory)"


def test_a_secret_whose_file_is_a_directory_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD_FILE", str(tmp_path))  # what Docker makes of a missing file
    assert refusal() == f"OFFRAMP_POSTGRES_PASSWORD_FILE: {tmp_path} can't be read (Is a directory)"


@pytest.mark.parametrize("content", ["", "\n", "\r\n"])
def test_a_secret_whose_file_is_empty_is_refused(monkeypatch: pytest.MonkeyPatch, secret: Path, content: str) -> None:
    secret.write_bytes(content.encode())
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD_FILE", str(secret))
    assert refusal() == f"OFFRAMP_POSTGRES_PASSWORD_FILE: {secret} is empty"


def test_a_secret_whose_file_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    secret.write_bytes(b"hush\xff")
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD_FILE", str(secret))
    assert refusal() == f"OFFRAMP_POSTGRES_PASSWORD_FILE: {secret} is not text"


def test_an_address_in_a_file_is_looked_at_like_any_other(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    monkeypatch.setenv("OFFRAMP_POSTGRES_FILE", str(secret))
    assert refusal() == "OFFRAMP_POSTGRES: must be postgresql://host:port/database"


def test_an_empty_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD", "")
    assert refusal() == "OFFRAMP_POSTGRES_PASSWORD: is empty: give it, or leave it out"


def test_a_file_for_what_is_no_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_KAFKA_MECHANISM_FILE", "/run/secrets/mechanism")
    assert refusal() == "OFFRAMP_KAFKA_MECHANISM_FILE is not a setting; did you mean OFFRAMP_KAFKA_MECHANISM?"


def test_a_misspelt_file_is_refused_with_what_was_probably_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORT_FILE", "/run/secrets/x")
    assert refusal().endswith("did you mean OFFRAMP_POSTGRES_PASSWORD_FILE?")


def test_a_user_of_kafka_without_a_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_KAFKA_USER", "lifecycle")
    assert refusal() == "OFFRAMP_KAFKA_USER is given without OFFRAMP_KAFKA_PASSWORD (or OFFRAMP_KAFKA_PASSWORD_FILE)"


def test_a_password_of_kafka_without_a_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_KAFKA_PASSWORD", "hush")
    assert refusal() == "OFFRAMP_KAFKA_PASSWORD is given without OFFRAMP_KAFKA_USER"


@pytest.mark.parametrize("server", ["KAFKA", "POSTGRES"])
def test_certificates_without_encryption_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    monkeypatch.setenv(f"OFFRAMP_{server}_CA", str(tmp_path / "ca.crt"))
    assert refusal() == f"OFFRAMP_{server}_CA is given, and OFFRAMP_{server}_TLS is off: set it to on"


@pytest.mark.parametrize("server", ["KAFKA", "POSTGRES"])
def test_certificates_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    monkeypatch.setenv(f"OFFRAMP_{server}_TLS", "on")
    monkeypatch.setenv(f"OFFRAMP_{server}_CA", "/nowhere.crt")
    assert refusal() == f"OFFRAMP_{server}_CA: /nowhere.crt can't be read (No such file or directory)"


def test_certificates_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    monkeypatch.setenv("OFFRAMP_KAFKA_TLS", "on")
    monkeypatch.setenv("OFFRAMP_KAFKA_CA", str(secret))
    assert refusal() == f"OFFRAMP_KAFKA_CA: {secret} holds no certificate in PEM"
