"""Settings from the environment (`OFFRAMP_…`); a secret X from the file that `OFFRAMP_X_FILE` names, too.

A misspelt one is refused at start, not ignored.
"""

import os
import ssl
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.runtime.policies import DEFAULT_FILE

PREFIX = "OFFRAMP_"


class SettingsError(Exception):
    """Settings that can't be used; the message names each variable and what to do."""


class Settings(BaseSettings):
    """What a service needs to know. Durations are machine time in seconds unless a name says otherwise."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    kafka: str = Field(default="127.0.0.1:9092", description="bootstrap servers, host:port[,host:port]")
    kafka_tls: Literal["off", "on"] = Field(default="off", description="on: the broker's certificate must be for its host name")
    kafka_ca: Path | None = Field(default=None, description="whose certificates are believed, PEM; without it: the system's authorities")
    kafka_user: str | None = Field(default=None, min_length=1, description="a user means SASL")
    kafka_password: SecretStr | None = None
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    postgres: SecretStr = Field(
        default=SecretStr("postgresql://127.0.0.1:5432/offramp"), description="postgresql://host:port/database; the role may be part of it"
    )
    postgres_password: SecretStr | None = Field(default=None, description="kept out of the address, so that no log shows it")
    postgres_tls: Literal["off", "on"] = Field(
        default="off", description="on: the server's certificate must be for its host name; off: as the address says (sslmode=…)"
    )
    postgres_ca: Path | None = Field(default=None, description="whose certificates are believed, PEM; without it: the system's authorities")

    lifecycle_password: SecretStr | None = Field(default=None, description="prepare: what the role offramp_lifecycle gets")
    refunds_password: SecretStr | None = Field(default=None, description="prepare: what the role offramp_refunds gets")
    notifier_password: SecretStr | None = Field(default=None, description="prepare: what the role offramp_notifier gets")
    console_password: SecretStr | None = Field(default=None, description="prepare: what the role offramp_console gets; it may only read")
    lifecycle_kafka_password: SecretStr | None = Field(default=None, description="prepare access: what the user lifecycle gets")
    refunds_kafka_password: SecretStr | None = Field(default=None, description="prepare access: what the user refunds gets")
    notifier_kafka_password: SecretStr | None = Field(default=None, description="prepare access: what the user notifier gets")
    console_kafka_password: SecretStr | None = Field(default=None, description="prepare access: what the user console gets")
    publisher_kafka_password: SecretStr | None = Field(default=None, description="prepare access: what the user publisher gets")
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
        default=120.0, gt=2, description="with lag and nothing stored, or no sign of life, for so long, the process ends: restart it"
    )
    look_every: float = Field(default=1.0, gt=0, description="how often timers, watermarks and calls are looked at when nobody rings")
    retry_pause: float = Field(default=1.0, gt=0, description="before a call that did not get through is tried again")

    provider: Literal["sandbox", "stripe"] = Field(default="sandbox", description="refunds: which payment provider")
    provider_url: str = Field(
        default="http://127.0.0.1:8110",
        description="refunds: where it is; stripe is at https://api.stripe.com unless something else is said",
    )
    provider_key: SecretStr = Field(default=SecretStr("sk_sandbox"), description="refunds: its API key")
    provider_webhook_secrets: SecretStr | None = Field(
        default=None,
        description="refunds: what its webhooks are signed with, several by commas while one replaces another; none: no webhooks",
    )
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

    @field_validator("*")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        if isinstance(value, SecretStr) and not value.get_secret_value():
            raise ValueError("is empty: give it, or leave it out")
        return value

    @field_validator("kafka_ca", "postgres_ca")
    @classmethod
    def _certificates(cls, value: Path | None) -> Path | None:
        if value is None:
            return None  # the system's are read when they are used
        try:
            ssl.create_default_context(cafile=value)
        except ssl.SSLError:
            raise ValueError(f"{value} holds no certificate in PEM") from None
        except OSError as error:
            raise ValueError(f"{value} can't be read ({error.strerror})") from None
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for name in ("kafka", "postgres"):
            if getattr(self, f"{name}_ca") and getattr(self, f"{name}_tls") == "off":
                raise ValueError(_of(name, "{0}_CA is given, and {0}_TLS is off: set it to on"))
        if self.provider != "sandbox" and "provider_key" not in self.model_fields_set:
            raise ValueError(_of("provider", "{0} is " + self.provider + ", which needs {0}_KEY (or {0}_KEY_FILE)"))
        if self.kafka_user and not self.kafka_password:
            raise ValueError(_of("kafka", "{0}_USER is given without {0}_PASSWORD (or {0}_PASSWORD_FILE)"))
        if self.kafka_password and not self.kafka_user:
            raise ValueError(_of("kafka", "{0}_PASSWORD is given without {0}_USER"))
        return self


SECRETS = tuple(name for name, field in Settings.model_fields.items() if SecretStr in (field.annotation, *get_args(field.annotation)))


def load(**overrides: Any) -> Settings:
    """Settings from the environment. Raises SettingsError, one line for each problem."""
    given = {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    known = {_of(name) for name in Settings.model_fields} | {f"{_of(name)}_FILE" for name in SECRETS}
    ours = {name for name in given if not name.startswith((f"{PREFIX}DEV_", f"{PREFIX}BENCH_"))}
    problems = [f"{name} is not a setting{_suggest(name, known)}" for name in sorted(ours - known)]
    settings: Settings | None = None
    secrets: dict[str, Any] = {}
    for name in SECRETS:
        if f"{_of(name)}_FILE" in given:
            try:
                secrets[name] = _secret(name, given)
            except SettingsError as error:
                problems.append(str(error))
    try:
        settings = Settings(**secrets, **overrides)
    except ValidationError as error:
        problems += [_problem(each["loc"], each["msg"]) for each in error.errors(include_url=False, include_input=False)]
    if problems or settings is None:
        raise SettingsError("\n".join(problems))
    return settings


def _secret(name: str, given: Mapping[str, str]) -> str:
    """What its file says, without the newline that editors put at the end."""
    variable = f"{_of(name)}_FILE"
    path = given[variable]
    if _of(name) in given:
        raise SettingsError(f"{_of(name)} and {variable} are both given: leave one out")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{variable}: {path or 'nothing'} can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{variable}: {path} is not text") from None
    if not (secret := text.removesuffix("\n").removesuffix("\r")):
        raise SettingsError(f"{variable}: {path} is empty")
    return secret


def _problem(where: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{_of(str(where[0]))}: {message}" if where else message


def _of(name: str, text: str = "{0}") -> str:
    """The variable of a setting, in a text."""
    return text.format(f"{PREFIX}{name}".upper())


def _suggest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""
