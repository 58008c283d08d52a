"""Good records to spoil."""

import json
from dataclasses import dataclass, field
from typing import Any

from offramp_schemas import TOPIC_OF, TYPE_OF, Envelope, Event, decode, encode, examples
from offramp_schemas.overview import sample


@dataclass(frozen=True)
class Record:
    """What Kafka holds of an event."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)

    def decoded(self) -> Envelope:
        return decode(self.topic, self.key, self.value, self.headers)


def binary(
    event: type[Event],
    *,
    value: bytes | None = None,
    topic: str | None = None,
    without: str = "",
    headers: dict[str, bytes] | None = None,
    data: dict[str, Any] | None = None,
) -> Record:
    """The event's example in binary mode, with headers left out or replaced and fields of the data replaced."""
    key, body, encoded = encode(sample(event))
    if data is not None:
        body = json.dumps(json.loads(body) | data).encode()
    replaced = {name: text for name, text in encoded if name != without} | (headers or {})
    return Record(topic or TOPIC_OF[event].name, key, body if value is None else value, list(replaced.items()))


def structured(event: type[Event], content_type: str = "application/cloudevents+json", **attributes: Any) -> Record:
    """The event's example in structured mode, with attributes replaced (None: left out)."""
    body = {
        "specversion": "1.0",
        "id": "018f2a5e-9d1c-7c43-8f2b-6a1de0c4b7a9",
        "source": "billing",
        "type": TYPE_OF[event],
        "time": "2026-05-01T09:14:00Z",
        "subject": examples.SUBSCRIPTION,
        "data": json.loads(examples.path(event).read_text()),
    } | attributes
    kept = {name: value for name, value in body.items() if value is not None}
    return Record(
        TOPIC_OF[event].name, examples.SUBSCRIPTION.encode(), json.dumps(kept).encode(), [("content-type", content_type.encode())]
    )
