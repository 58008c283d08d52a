"""Both modes of the CloudEvents Kafka binding are read, and the binary one is written."""

from datetime import UTC, datetime

import pytest

from offramp_schemas import TOPIC_OF, Envelope, Event, encode, examples
from offramp_schemas.overview import sample
from offramp_schemas.payment import PaymentFailed
from tests.schemas.records import Record, binary, structured

EVENTS = pytest.mark.parametrize("event", TOPIC_OF, ids=lambda event: event.kebab())


@EVENTS
def test_what_is_written_reads_back_the_same(event: type[Event]) -> None:
    envelope = sample(event)._replace(correlationid="018f-first", causationid="018f-cause", traceparent="00-4bf92f3577b34da6-00f067aa-01")
    assert Record(TOPIC_OF[event].name, *encode(envelope)).decoded() == envelope


@EVENTS
def test_both_modes_read_the_same(event: type[Event]) -> None:
    assert structured(event).decoded() == binary(event).decoded() == sample(event)


@pytest.mark.parametrize(
    "content_type",
    ["application/cloudevents+json", "application/cloudevents+json; charset=UTF-8", "Application/CloudEvents+JSON;charset=utf-8"],
)
def test_structured_mode_is_known_by_its_content_type_in_any_case(content_type: str) -> None:
    assert structured(PaymentFailed, content_type).decoded() == sample(PaymentFailed)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON", ""])
def test_binary_mode_is_read_with_any_writing_of_its_content_type(content_type: str) -> None:
    assert binary(PaymentFailed, headers={"content-type": content_type.encode()}).decoded() == sample(PaymentFailed)


def test_binary_mode_is_read_without_a_content_type() -> None:
    assert binary(PaymentFailed, without="content-type").decoded() == sample(PaymentFailed)


def test_headers_are_read_in_any_case_and_unknown_ones_are_passed_over() -> None:
    good = binary(PaymentFailed)
    headers = [(name.title(), text) for name, text in good.headers] + [("ce_partitionkey", b"x"), ("x-request-id", b"\xff")]
    assert Record(good.topic, good.key, good.value, headers).decoded() == sample(PaymentFailed)


def test_a_trace_is_taken_from_the_event_before_the_transport() -> None:
    transport = {"traceparent": b"00-transport"}
    assert binary(PaymentFailed, headers=transport).decoded().traceparent == "00-transport"
    assert binary(PaymentFailed, headers=transport | {"ce_traceparent": b"00-event"}).decoded().traceparent == "00-event"
    assert structured(PaymentFailed, traceparent="00-event").decoded().traceparent == "00-event"


@pytest.mark.parametrize(
    "time", ["2026-05-01T09:14:00Z", "2026-05-01t09:14:00z", "2026-05-01T11:14:00+02:00", "2026-05-01T09:14:00.000000000Z"]
)
def test_every_writing_of_a_moment_is_the_same_moment_in_utc(time: str) -> None:
    read = binary(PaymentFailed, headers={"ce_time": time.encode()}).decoded().time
    assert read == datetime(2026, 5, 1, 9, 14, tzinfo=UTC)
    assert read.tzinfo is UTC


def test_an_envelope_knows_its_type() -> None:
    envelope = Envelope("1", "billing", datetime(2026, 5, 1, tzinfo=UTC), examples.SUBSCRIPTION, examples.load(PaymentFailed))
    assert envelope.type == "offramp.subscription.payment-failed.v1"
