"""Settings are refused at start rather than ignored, and never show a secret."""

import pytest

from services.runtime import settings
from services.runtime.settings import SettingsError


def test_a_misspelt_setting_is_refused_with_what_was_probably_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_KAFAK", "localhost:9092")
    with pytest.raises(SettingsError, match="OFFRAMP_KAFAK is not a setting; did you mean OFFRAMP_KAFKA"):
        settings.load()


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_KAFKA", "localhost")
    monkeypatch.setenv("OFFRAMP_POOL_SIZE", "many")
    with pytest.raises(SettingsError) as refused:
        settings.load()
    assert "OFFRAMP_KAFKA: Value error, must be host:port" in str(refused.value)
    assert "OFFRAMP_POOL_SIZE" in str(refused.value)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_POSTGRES", "postgresql://someone:hush@localhost/offramp")
    monkeypatch.setenv("OFFRAMP_POSTGRES_PASSWORD", "hush")
    assert "hush" not in repr(settings.load())


def test_settings_of_the_development_tools_are_none_of_a_services_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_DEV_CACHE", "/somewhere")
    settings.load()
