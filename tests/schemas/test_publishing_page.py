"""What other teams copy from `docs/publishing.md` works."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from dev.kafka import Kafka
from offramp_schemas import TOPICS, decode, generate
from offramp_schemas.request import CancellationRequested
from services.runtime import topics
from services.runtime.settings import Settings

PAGE = (generate.ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The code of the page in one language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


async def test_the_python_producer_publishes_an_event_that_reads_back(kafka: Kafka, tmp_path: Path) -> None:
    await topics.create(Settings(kafka=kafka.address))
    (tmp_path / "producer.py").write_text(block("python"), encoding="utf-8")
    environment = os.environ | {"OFFRAMP_KAFKA": kafka.address, "PYTHONPATH": str(generate.PACKAGE.parent)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(tmp_path / "producer.py"), env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    place = re.fullmatch(r"(\S+)\[(\d+)]@(\d+)\n", out.decode())
    assert place, errors.decode()
    async with AIOKafkaConsumer(place[1], bootstrap_servers=kafka.address, auto_offset_reset="earliest") as consumer:
        async for record in consumer:
            if (record.partition, record.offset) == (int(place[2]), int(place[3])):
                break
    envelope = decode(record.topic, record.key, record.value, record.headers)
    assert isinstance(envelope.data, CancellationRequested)


@pytest.mark.parametrize("language", ["java", "kcat"])
def test_the_other_producers_name_a_topic_a_type_and_data_of_the_contract(language: str) -> None:
    text = block("java") if language == "java" else PAGE.partition("## kcat")[2].partition("## Java")[0]
    data = re.search(r'\{\\?"reference.*?\}\}', text)
    assert data
    CancellationRequested.model_validate_json(json.dumps(json.loads(data[0].replace("\\", ""))))
    assert any(topic.name in text for topic in TOPICS)
    for name in ("content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject"):
        assert name in text
