"""Who may do what in Kafka: a user for each service, one for the command line, one for the teams that publish. Derived from the contract.

confluent-kafka is for this step alone: aiokafka's administration has neither users nor rights.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from offramp_schemas import TOPICS, Topic, inputs_of
from offramp_schemas.topics import DEAD_LETTERS, PUBLISHED, outputs_of
from services.runtime.settings import Settings

CONSOLE, PUBLISHER = "console", "publisher"
USERS = (*DEAD_LETTERS, CONSOLE, PUBLISHER)
_ITERATIONS = 8192
_WITHIN = 30.0  # seconds
_READ, _WRITE, _DESCRIBE = AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE


class AccessError(Exception):
    """Users or rights can't be as the contract wants them; the message says what to do."""


def wanted() -> set[AclBinding]:
    """Every right that the contract gives."""
    rights: set[AclBinding] = set()
    for service in DEAD_LETTERS:
        rights |= _topics(service, _READ, inputs_of(service))
        rights |= _topics(service, _WRITE, outputs_of(service))
        rights |= {_groups(service, operation, f"offramp.{service}.") for operation in (_READ, _DESCRIBE)}
    rights |= _topics(CONSOLE, _READ, TOPICS) | _topics(CONSOLE, _WRITE, PUBLISHED) | {_groups(CONSOLE, _DESCRIBE, "offramp.")}
    return rights | _topics(PUBLISHER, _WRITE, PUBLISHED)


def _topics(user: str, operation: AclOperation, topics: Iterable[Topic]) -> set[AclBinding]:
    """A right on topics, and that of seeing that they are there."""
    each = {topic.name for topic in topics}
    return {_right(user, what, ResourceType.TOPIC, name, ResourcePatternType.LITERAL) for name in each for what in (operation, _DESCRIBE)}


def _groups(user: str, operation: AclOperation, prefix: str) -> AclBinding:
    return _right(user, operation, ResourceType.GROUP, prefix, ResourcePatternType.PREFIXED)


def _right(user: str, operation: AclOperation, kind: ResourceType, name: str, pattern: ResourcePatternType) -> AclBinding:
    return AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)


def give(settings: Settings, passwords: Mapping[str, str]) -> list[str]:
    """Makes users and rights what they should be; returns a line for each change. A user without a password in `passwords` keeps what it
    has. Blocks. Raises AccessError."""
    admin = AdminClient(_connection(settings), logger=logging.getLogger(__name__))
    right = wanted()
    try:
        given = _given(admin)
        # All of them, though most may be there: who is no administrator hears it here, where the library takes it without crashing.
        _wait(admin.create_acls(list(right), request_timeout=_WITHIN))
        _wait(admin.delete_acls([_exactly(each) for each in given - right], request_timeout=_WITHIN) if given - right else {})
        present = _users(admin)
        if missing := [f"OFFRAMP_{user.upper()}_KAFKA_PASSWORD" for user in USERS if user not in present | passwords.keys()]:
            raise AccessError(f"new users need a password: give {', '.join(missing)}")
        _upsert(admin, passwords)
        _until(lambda: _given(admin) == right and _users(admin).issuperset(USERS))
    except KafkaException as error:
        raise AccessError(_explain(settings, error.args[0])) from None
    done = [f"made the user {user}" for user in passwords if user not in present]
    done += sorted(f"gave {_told(each)}" for each in right - given)
    return done + sorted(f"took {_told(each)}" for each in given - right)


def _connection(settings: Settings) -> dict[str, Any]:
    """What `kafka.connection` says, in this library's words."""
    encrypted = settings.kafka_tls == "on"
    how: dict[str, Any] = {"bootstrap.servers": settings.kafka, "security.protocol": "SSL" if encrypted else "PLAINTEXT"}
    if encrypted and settings.kafka_ca:
        how["ssl.ca.location"] = str(settings.kafka_ca)
    if settings.kafka_user and settings.kafka_password:
        how |= {
            "security.protocol": "SASL_SSL" if encrypted else "SASL_PLAINTEXT",
            "sasl.mechanism": settings.kafka_mechanism,
            "sasl.username": settings.kafka_user,
            "sasl.password": settings.kafka_password.get_secret_value(),
        }
    return how


def _users(admin: AdminClient) -> set[str]:
    """Those who can log in."""
    asked: Any = admin.describe_user_scram_credentials(request_timeout=_WITHIN)  # typed as what it is with names, too
    return set(asked.result(_WITHIN))


def _upsert(admin: AdminClient, passwords: Mapping[str, str]) -> None:
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
    users: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(user, how, password.encode()) for user, password in passwords.items()
    ]
    _wait(admin.alter_user_scram_credentials(users, request_timeout=_WITHIN) if users else {})


def _given(admin: AdminClient) -> set[AclBinding]:
    """What our users may do now, whoever allowed it. What is denied to them is somebody's own decision."""
    anyone: Any = None  # typed as a name, and documented as one or None
    everything = AclBindingFilter(
        ResourceType.ANY, anyone, ResourcePatternType.ANY, anyone, anyone, AclOperation.ANY, AclPermissionType.ALLOW
    )  # fmt: skip
    ours = {f"User:{user}" for user in USERS}
    return {each for each in admin.describe_acls(everything, request_timeout=_WITHIN).result(_WITHIN) if each.principal in ours}


def _exactly(right: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        right.restype, right.name, right.resource_pattern_type, right.principal, right.host, right.operation, right.permission_type
    )


def _wait(futures: Mapping[Any, Future[Any]]) -> None:
    for future in futures.values():
        future.result(_WITHIN)


def _until(true: Callable[[], bool]) -> None:
    """Brokers learn of a change a moment later, and who starts next has to find it there."""
    deadline = time.monotonic() + _WITHIN
    while not true():
        if time.monotonic() > deadline:
            raise AccessError("Kafka has taken the users and rights, and does not show them yet: try again")
        time.sleep(0.1)


def _told(right: AclBinding) -> str:
    group = "the groups of " if right.restype == ResourceType.GROUP else ""
    return f"{right.principal.removeprefix('User:')}: {AclOperation(right.operation).name.lower()} {group}{right.name}"


def _explain(settings: Settings, error: KafkaError) -> str:
    match error.code():
        case KafkaError.SECURITY_DISABLED:
            return "Kafka lets everybody do everything (it has no authorizer), so there are no rights to give: leave `access` out"
        case KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            return f"the user {settings.kafka_user} is not Kafka's administrator: give one in OFFRAMP_KAFKA_USER"
        case _:
            return f"Kafka did not give users their rights: {error.str()}"
