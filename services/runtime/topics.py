"""Creates the topics that the contract declares, and checks that they are what it says. Broker auto-create is off."""

from collections.abc import Iterable

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from offramp_schemas import TOPICS, Topic
from offramp_schemas.topics import MAX_MESSAGE_BYTES
from services.runtime import kafka
from services.runtime.settings import Settings


class TopicError(Exception):
    """A topic is missing or unfit; the message says what to do."""


async def create(settings: Settings, topics: Iterable[Topic] = TOPICS) -> list[str]:
    """Creates the missing ones; returns their names. Raises TopicError, before anything is created, where an existing one is unfit."""
    async with kafka.admin(settings) as admin:
        existing = set(await admin.list_topics())
        await _check(admin, [topic for topic in topics if topic.name in existing])
        missing = [topic for topic in topics if topic.name not in existing]
        if missing:
            answer = await admin.create_topics([_new(topic, settings.replication) for topic in missing])
            for name, code, message in (each[:3] for each in answer.topic_errors):
                _refuse(settings, name, code, message)
        return [topic.name for topic in missing]


async def check(settings: Settings, topics: Iterable[Topic]) -> None:
    """Whether the topics are there with at least their partitions. Raises TopicError."""
    async with kafka.admin(settings) as admin:
        await _check(admin, list(topics))


def _refuse(settings: Settings, name: str, code: int, message: str | None) -> None:
    match for_code(code):
        case errors.NoError | errors.TopicAlreadyExistsError:
            return  # the latter: another starter was quicker
        case errors.InvalidReplicationFactorError:
            raise TopicError(f"the topic {name} can't have {settings.replication} replicas: set OFFRAMP_REPLICATION to at most the brokers")
        case errors.TopicAuthorizationFailedError | errors.ClusterAuthorizationFailedError:
            raise TopicError(f"the user {settings.kafka_user} may not create the topic {name}: prepare as Kafka's administrator")
        case error:
            raise TopicError(f"Kafka did not create the topic {name}: {message or error.message}")


async def _check(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    described = {each["topic"]: each for each in await admin.describe_topics([topic.name for topic in topics])} if topics else {}
    for topic in topics:
        found = described.get(topic.name)
        if found and for_code(found["error_code"]) is errors.TopicAuthorizationFailedError:
            raise TopicError(f"this user may not read the topic {topic.name}: run `python -m services.runtime.prepare access` first")
        if found is None or found["error_code"]:
            raise TopicError(f"the topic {topic.name} does not exist: run `python -m services.runtime.prepare` first")
        if len(found["partitions"]) < topic.partitions:
            raise TopicError(
                f"the topic {topic.name} has {len(found['partitions'])} partitions and needs {topic.partitions}: add partitions before "
                "any event is published (keys move when they are added later)"
            )


def _new(topic: Topic, replication: int) -> NewTopic:
    configs = {
        "retention.ms": str(topic.retention_seconds * 1000),
        "message.timestamp.type": "LogAppendTime",  # "received" is the broker's word, not the publisher's
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "cleanup.policy": "delete",  # a command must never be compacted away
    }
    return NewTopic(topic.name, topic.partitions, replication, topic_configs=configs)
