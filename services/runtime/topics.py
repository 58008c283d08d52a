"""Creates the topics that the contract declares, and checks that they are what it says. Broker auto-create is off."""

from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from offramp_schemas import TOPICS, Topic
from offramp_schemas.topics import MAX_MESSAGE_BYTES


class TopicError(Exception):
    """A topic is missing or unfit; the message says what to do."""


async def create(bootstrap: str, replication: int = 1, topics: Iterable[Topic] = TOPICS) -> list[str]:
    """Creates the missing ones; returns their names. Raises TopicError where an existing one has too few partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in existing]
        for topic in missing:
            try:
                await admin.create_topics([_new(topic, replication)])
            except TopicAlreadyExistsError:
                continue  # another starter was quicker
        await _check(admin, [topic for topic in topics if topic.name in existing])
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def check(bootstrap: str, topics: Iterable[Topic]) -> None:
    """Whether the topics are there with at least their partitions. Raises TopicError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await _check(admin, list(topics))
    finally:
        await admin.close()


async def _check(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    described = {each["topic"]: each for each in await admin.describe_topics([topic.name for topic in topics])} if topics else {}
    for topic in topics:
        found = described.get(topic.name)
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
