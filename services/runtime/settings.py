"""Settings from the environment (`OFFRAMP_…`). A misspelt one is refused at start, not ignored."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.policies import DEFAULT_FILE

PREFIX = "OFFRAMP_"


class SettingsError(Exception):
    """Settings that can't be used; the message names each variable and what to do."""


class Settings(BaseSettings):
    """What a service needs to know. Durations are machine time in seconds unless a name says otherwise."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    kafka: str = Field(default="127.0.0.1:9092", description="bootstrap servers, host:port[,host:port]")
    postgres: SecretStr = Field(
        default=SecretStr("postgresql://127.0.0.1:5432/offramp"), description="postgresql://host:port/database; the role may be part of it"
    )
    postgres_password: SecretStr | None = Field(default=None, description="kept out of the address, so that no log shows it")
    role_password: SecretStr | None = Field(default=None, description="prepare: the password that the services' roles get")
    replication: int = Field(default=1, ge=1, le=7, description="prepare: replicas of each topic")
    clock: Literal["system", "test"] = Field(
        default="system", description="test: business time is a row in Postgres and only moves when told"
    )
    policy_file: Path = Field(default=DEFAULT_FILE, description="YAML; see services/policy.yaml")

    bind: str = Field(default="127.0.0.1", description="address of the service's own pages")
    port: int = Field(default=0, ge=0, le=65535, description="port of the service's own pages; 0: the service's usual one")

    batch_records: int = Field(default=500, ge=1, le=5_000)
    pool_size: int = Field(default=5, ge=2, le=100, description="Postgres connections of a process")
    session_timeout: float = Field(default=8.0, ge=6.0, le=60.0, description="a silent consumer loses its partitions after it")
    start_timeout: float = Field(default=60.0, gt=0, description="how long to wait for Kafka and Postgres at start")
    stop_timeout: float = Field(default=25.0, gt=0, description="how long a stop may drain before it is forced")
    stuck_after: float = Field(
        default=120.0, gt=0, description="with lag and nothing stored for so long, the process exits so that it is restarted"
    )
    look_every: float = Field(default=1.0, gt=0, description="how often timers, watermarks and calls are looked at when nobody rings")
    retry_pause: float = Field(default=1.0, gt=0, description="before a call that did not get through is tried again")

    provider_url: str = Field(default="http://127.0.0.1:8110", description="refunds: the payment provider")
    provider_key: SecretStr = Field(default=SecretStr("sk_sandbox"), description="refunds: its API key")
    smtp: str = Field(default="127.0.0.1:1025", description="notifier: the mail server, host:port")
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_connections: int = Field(default=16, ge=1, le=50)
    lifecycle_url: str = Field(default="http://127.0.0.1:8101", description="command line: lifecycle's pages")
    refunds_url: str = Field(default="http://127.0.0.1:8102", description="command line: refunds' pages")
    notifier_url: str = Field(default="http://127.0.0.1:8103", description="command line: notifier's pages")
    env_file: Path | None = Field(default=None, description="command line: a file of these variables")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("kafka", "smtp")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        for each in value.split(","):
            host, colon, port = each.rpartition(":")
            if not host or not colon or not port.isdigit():
                raise ValueError("must be host:port")
        return value

    @field_validator("postgres")
    @classmethod
    def _a_url(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be postgresql://host:port/database")
        return value


def load(environment: Iterable[str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment. Raises SettingsError, one line for each problem."""
    names = [name for name in (os.environ if environment is None else environment) if name.upper().startswith(PREFIX)]
    known = {f"{PREFIX}{field}".upper() for field in Settings.model_fields}
    ours = {name for name in names if not name.upper().startswith((f"{PREFIX}DEV_", f"{PREFIX}BENCH_"))}
    problems = [f"{name} is not a setting{_suggest(name, known)}" for name in sorted(ours) if name.upper() not in known]
    settings: Settings | None = None
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        problems += [f"{PREFIX}{'_'.join(str(s) for s in each['loc']).upper()}: {each['msg']}" for each in error.errors(include_url=False)]
    if problems or settings is None:
        raise SettingsError("\n".join(problems))
    return settings


def _suggest(name: str, known: Iterable[str]) -> str:

    close = get_close_matches(name.upper(), list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""
