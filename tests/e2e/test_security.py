"""What a service may not do even if somebody takes it over, and who gets nowhere at all."""

from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from dev.places import HOST
from tests.e2e.project import Project
from tests.e2e.world import kafka_as, trusting

MODES = ("secure",)


async def connected(project: Project, **wrongly: Any) -> "asyncpg.Connection[Any]":
    """To the database, as lifecycle's role."""
    how: dict[str, Any] = {"password": project.secret("lifecycle_password"), "ssl": trusting(project)} | wrongly
    port = project.port("POSTGRES")
    found: asyncpg.Connection[Any] = await asyncpg.connect(
        host=HOST, port=port, user="offramp_lifecycle", database="offramp", timeout=10, **how
    )
    return found


@pytest.mark.parametrize("statement", ["select * from refunds.refunds", "delete from refunds.refunds", "select * from notifier.mails"])
async def test_a_service_can_t_reach_its_neighbours_tables(project: Project, statement: str) -> None:
    connection = await connected(project)
    try:
        assert await connection.fetch("select * from lifecycle.subscriptions limit 1") is not None
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("service", "its_own", "neighbours"),
    [
        ("lifecycle", "lifecycle.dead-letters.v1", "refund.events.v1"),
        ("refunds", "refund.dead-letters.v1", "lifecycle.events.v1"),
        ("notifier", "notification.dead-letters.v1", "refund.events.v1"),
    ],
)
async def test_a_service_can_t_write_its_neighbours_topics(project: Project, service: str, its_own: str, neighbours: str) -> None:
    async with AIOKafkaProducer(**kafka_as(project, service)) as producer:
        await producer.send_and_wait(its_own, b"{}", key=b"sub_own")
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(neighbours, b"{}", key=b"sub_neighbour")


async def test_a_publisher_can_write_requests_and_read_nothing(project: Project) -> None:
    async with AIOKafkaConsumer(**kafka_as(project, "publisher"), enable_auto_commit=False) as consumer:
        consumer.assign([TopicPartition("subscription.request.v1", 0)])
        consumer.seek(TopicPartition("subscription.request.v1", 0), 0)
        with pytest.raises(TopicAuthorizationFailedError):
            await consumer.getmany(timeout_ms=10_000)


@pytest.mark.parametrize(
    "wrongly",
    [
        {"security_protocol": "PLAINTEXT", "sasl_mechanism": "PLAIN"},
        {"security_protocol": "SASL_PLAINTEXT"},
        {"sasl_plain_password": "guessed"},
        {"sasl_plain_username": "nobody"},
    ],
    ids=["without TLS and a password", "without TLS", "with a wrong password", "as somebody unknown"],
)
async def test_a_stranger_gets_nowhere_in_kafka(project: Project, wrongly: dict[str, Any]) -> None:
    producer = AIOKafkaProducer(**(kafka_as(project, "publisher") | wrongly), request_timeout_ms=3_000)
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


@pytest.mark.parametrize("wrongly", [{"ssl": False}, {"password": "guessed"}], ids=["without TLS", "with a wrong password"])
async def test_a_stranger_gets_nowhere_in_postgres(project: Project, wrongly: dict[str, Any]) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await connected(project, **wrongly)
