"""The embedded Apache Kafka."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev import jars
from dev.jars import Jar
from dev.kafka import JARS, Kafka
from dev.places import StackError


async def test_what_is_produced_is_consumed_and_committed(kafka: Kafka) -> None:
    await _create_topic(kafka, "answers")
    producer = AIOKafkaProducer(bootstrap_servers=kafka.address)
    consumer = AIOKafkaConsumer("answers", bootstrap_servers=kafka.address, group_id="readers", auto_offset_reset="earliest")
    async with producer, consumer:
        sent = await producer.send_and_wait("answers", b"value", key=b"key")
        record = await consumer.getone()
        await consumer.commit()
        assert (record.key, record.value, record.offset) == (b"key", b"value", sent.offset)


async def test_it_creates_no_topic_that_nobody_declared(kafka: Kafka) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.address)
    async with producer:
        await producer.client.force_metadata_update()
        producer.client.add_topic("misspelt")
        await producer.client.force_metadata_update()
        assert "misspelt" not in producer.client.cluster.topics()


async def test_it_starts_whatever_its_name_begins_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One name of 64 begins with a dash."""
    monkeypatch.setattr("dev.kafka.uuid.uuid4", lambda: UUID(bytes=b"\xf8" + bytes(15)))
    broker = await Kafka.start(tmp_path)
    await broker.stop(keep=False)


def test_every_jar_of_the_list_has_a_hash() -> None:
    listed = jars.listed(JARS)
    assert any(jar.coordinates == "org.apache.kafka:kafka_2.13:4.4.0" for jar in listed)
    assert {len(jar.sha256) for jar in listed} == {64}


async def test_a_jar_that_is_not_what_the_list_says_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_DEV_CACHE", str(tmp_path))
    with pytest.raises(StackError, match="its SHA-256 is"):
        await jars.fetched([Jar("org.slf4j:slf4j-simple:1.7.36", "0" * 64)], "a forgery")


async def _create_topic(kafka: Kafka, name: str) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
    await client.start()
    try:
        await client.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await client.close()
