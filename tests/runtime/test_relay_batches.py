"""What the shell makes by itself for speed is what the libraries would have made."""

import uuid

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given
from hypothesis.strategies import text

from offramp_schemas.envelope import MAX_EVENT_BYTES
from services.runtime import relay
from services.runtime.decision import id_of
from services.runtime.fold import FOLLOW_UPS


@given(text())
def test_the_id_of_a_follow_up_is_a_uuid_of_version_5(name: str) -> None:
    assert id_of(FOLLOW_UPS, name) == str(uuid.uuid5(FOLLOW_UPS, name))


def test_an_event_of_any_size_fits_into_a_batch_of_its_own() -> None:
    batch = BatchBuilder(1024, 0)
    assert batch.append(key=b"sub_1", value=b"x" * MAX_EVENT_BYTES, timestamp=None, headers=[]) is not None
    assert batch.append(key=b"sub_1", value=b"y", timestamp=None, headers=[]) is None  # full: the next one takes it


def test_the_relay_chooses_partitions_as_every_other_producer_does() -> None:
    assert isinstance(relay._partition, DefaultPartitioner)
