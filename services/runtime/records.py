"""Records as they come from Kafka, and as they wait or die in Postgres."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from offramp_schemas import BadRecord, Envelope, Reason, decode, mask_cards

Headers = Sequence[tuple[str, bytes]]
_headers = msgspec.json.Decoder(list[tuple[str, bytes]])


class Record(NamedTuple):  # a tuple, as everything that is made for every event: a frozen dataclass takes four times as long
    """One record of an input partition. `appended_at`: Kafka's append time, UTC."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    appended_at: datetime


class Heard(NamedTuple):
    """A record that is an event. `received_at` is business time; `sha256` is of what makes it the same event when it comes twice."""

    record: Record
    envelope: Envelope
    received_at: datetime
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that waits for something not heard of yet. `arrival` is None until it is stored."""

    heard: Heard
    entity_id: str
    waits_for: str
    give_up_at: datetime
    arrival: int | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record, timer or answer that could not be handled. `message` has no personal data."""

    record: Record
    reason: Reason
    message: str
    source: str | None = None
    event_id: str | None = None


def hear(record: Record, received_at: datetime) -> Heard:
    """Reads a record. Raises BadRecord."""
    envelope = decode(record.topic, record.key, record.value, record.headers)
    body = hashlib.sha256(record.value or b"")
    body.update(envelope.subject.encode())
    body.update(envelope.type.encode())
    return Heard(record, envelope, received_at, body.digest())


def bury(record: Record, bad: BadRecord) -> DeadLetter:
    """The dead letter of a record that is not an event."""
    return DeadLetter(record, bad.reason, bad.message, bad.source, bad.id)


def pack_headers(headers: Headers) -> bytes:
    """Headers as JSON pairs, values in base64: any byte survives."""
    return msgspec.json.encode(headers)


def unpack_headers(packed: bytes) -> list[tuple[str, bytes]]:
    """The headers as they came."""
    return _headers.decode(packed)


def masked(value: bytes | None) -> tuple[bytes | None, bool]:
    """The value with every card number masked, and whether there was one. Bytes that are not text stay as they are."""
    if not value:
        return value, False
    text = value.decode("latin-1")  # every byte survives; a card number is ASCII
    clean = mask_cards(text)
    return (value, False) if clean == text else (clean.encode("latin-1"), True)
