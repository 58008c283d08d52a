"""CloudEvents 1.0 over Kafka: a strict reader of both modes and a writer of the binary one.

The reader invents nothing: an event without id or time is refused, because an invented id defeats deduplication.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from offramp_schemas.base import RFC_3339, Event
from offramp_schemas.reasons import Reason
from offramp_schemas.topics import EVENT_OF, TOPIC_OF, TYPE_OF

Headers = Sequence[tuple[str, bytes]]
MAX_EVENT_BYTES = 512 * 1024
_ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "correlationid", "causationid", "traceparent")
_OF_HEADER = {f"ce_{name}": name for name in _ATTRIBUTES} | {"content-type": "content-type", "traceparent": "transport-traceparent"}
_ID = re.compile(r"[!-~]{1,200}|[^\s\x00-\x1f\x7f]{1,200}").fullmatch  # plain ASCII is found twice as fast
_SOURCE = re.compile(r"[!-~]{1,500}|[^\s\x00-\x1f\x7f]{1,500}").fullmatch
_MOMENT = RFC_3339.fullmatch
_N, _I = b"NI"
_KNOWN_WITHOUT_VERSION = {type_.rpartition(".v")[0] for type_ in EVENT_OF}


class BadRecord(Exception):
    """A record that is not an event. `source` and `id` are given when they could be read."""

    def __init__(self, reason: Reason, message: str, source: str | None = None, id_: str | None = None) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason, self.message, self.source, self.id = reason, message, source, id_


class Envelope(NamedTuple):  # a tuple, because a frozen dataclass takes four times as long to make, for every event
    """One event and its attributes. `time` is UTC; `subject` is the subscription id and the record's key."""

    id: str
    source: str
    time: datetime
    subject: str
    data: Event
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None

    @property
    def type(self) -> str:
        """`offramp.<domain>.<event>.v<N>`"""
        return TYPE_OF[type(self.data)]


def encode(envelope: Envelope) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Key, value and headers of the record, in binary mode."""
    subject = envelope.subject.encode()
    headers = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope.id.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_type", TYPE_OF[type(envelope.data)].encode()),
        ("ce_time", envelope.time.isoformat().encode()),
        ("ce_subject", subject),
    ]
    if envelope.correlationid is not None:
        headers.append(("ce_correlationid", envelope.correlationid.encode()))
    if envelope.causationid is not None:
        headers.append(("ce_causationid", envelope.causationid.encode()))
    if envelope.traceparent is not None:
        headers.append(("ce_traceparent", envelope.traceparent.encode()))
    return subject, envelope.data.__pydantic_serializer__.to_json(envelope.data), headers


def decode(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Envelope:
    """Reads one record. Raises BadRecord, with exactly one reason, for whatever is not an event of that topic."""
    if not value:
        raise BadRecord(Reason.EMPTY, "the record has no value")
    if len(value) > MAX_EVENT_BYTES:
        raise BadRecord(Reason.TOO_LARGE, f"{len(value)} bytes; an event may have {MAX_EVENT_BYTES}")
    if (_N in value or _I in value) and (b"NaN" in value or b"Infinity" in value):  # one byte is looked for ten times as fast
        _parse(value)  # since the models pass over a NaN in a field that they don't know
    attributes, data = _attributes(value, headers)
    try:
        return _envelope(topic, key, attributes, data)
    except BadRecord as bad:
        raise BadRecord(bad.reason, bad.message, attributes.get("source"), attributes.get("id")) from None


def _envelope(topic: str, key: bytes | None, attributes: dict[str, str], data: bytes) -> Envelope:
    known = attributes.get
    id_, source, subject = known("id", ""), known("source", ""), known("subject", "")
    if not _ID(id_):
        raise BadRecord(Reason.MISSING_ID, "id must be 1 to 200 characters without spaces")
    if not _SOURCE(source):
        raise BadRecord(Reason.MISSING_SOURCE, "source must be 1 to 500 characters without spaces")
    time = _time(known("time"))
    if not _ID(subject):
        raise BadRecord(Reason.MISSING_SUBJECT, "subject must be the subscription id: 1 to 200 characters without spaces")
    if key != subject.encode():
        raise BadRecord(Reason.WRONG_KEY, "the record's key must be the subject")
    model = _model(known("type"), topic)
    traceparent = known("traceparent") or known("transport-traceparent")
    return Envelope(id_, source, time, subject, _data(model, data), known("correlationid"), known("causationid"), traceparent)


def _attributes(value: bytes, headers: Headers) -> tuple[dict[str, str], bytes]:
    attributes: dict[str, str] = {}
    name = ""
    try:
        for name, raw in headers:
            attribute = _OF_HEADER.get(name) or _OF_HEADER.get(name.lower())  # written in lower case by nearly everybody
            if attribute is not None:
                attributes[attribute] = raw.decode()
    except (UnicodeDecodeError, AttributeError):  # a header may be null
        raise BadRecord(Reason.NOT_A_CLOUDEVENT, f"the header {name[:50]} is not UTF-8") from None
    content_type = attributes.get("content-type", "application/json")
    if content_type != "application/json":
        content_type = content_type.partition(";")[0].strip().lower()
    if content_type == "application/cloudevents+json":
        return _structured(value, attributes)
    if attributes.get("specversion") != "1.0":
        raise BadRecord(Reason.NOT_A_CLOUDEVENT, "neither content-type application/cloudevents+json nor a ce_specversion header of 1.0")
    if content_type not in {"", "application/json"}:
        raise BadRecord(Reason.NOT_A_CLOUDEVENT, "the content-type of a binary-mode event must be application/json")
    return attributes, value


def _structured(value: bytes, from_headers: dict[str, str]) -> tuple[dict[str, str], bytes]:
    body = _parse(value)
    if not isinstance(body, dict):
        raise BadRecord(Reason.NOT_AN_OBJECT, "the root must be an object")
    if body.get("specversion") != "1.0":
        raise BadRecord(Reason.NOT_A_CLOUDEVENT, "specversion must be 1.0")
    attributes = {name: body[name] for name in _ATTRIBUTES if isinstance(body.get(name), str)}
    if "transport-traceparent" in from_headers:
        attributes["transport-traceparent"] = from_headers["transport-traceparent"]
    return attributes, to_json(body.get("data"))


def _parse(value: bytes) -> object:
    try:
        return from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise BadRecord(Reason.NOT_JSON, str(error)[:200]) from None


def _time(text: str | None) -> datetime:
    if not text:
        raise BadRecord(Reason.MISSING_TIME, "time is required and never invented")
    if not _MOMENT(text):
        raise BadRecord(Reason.BAD_TIME, "time must be RFC 3339 with a time zone, like 2026-03-01T12:00:00Z")
    try:
        time = datetime.fromisoformat(text.upper())
        return time if time.tzinfo is UTC else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRecord(Reason.BAD_TIME, "there is no such day or time") from None


def _model(type_: str | None, topic: str) -> type[Event]:
    if not type_:
        raise BadRecord(Reason.MISSING_TYPE, "type is required")
    model = EVENT_OF.get(type_)
    if model is None:
        known, _, version = type_.rpartition(".v")
        if known in _KNOWN_WITHOUT_VERSION:
            raise BadRecord(Reason.UNKNOWN_VERSION, f"version {version[:20]} of this event is not known")
        raise BadRecord(Reason.UNKNOWN_TYPE, "no event of that type")
    if TOPIC_OF[model].name != topic:
        raise BadRecord(Reason.WRONG_TOPIC, f"this event travels on {TOPIC_OF[model].name}")
    return model


def _data(model: type[Event], value: bytes) -> Event:
    try:
        data: Event = model.__pydantic_validator__.validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise BadRecord(Reason.NOT_JSON, "the value is not JSON in UTF-8") from None
        if not first["loc"]:
            raise BadRecord(Reason.NOT_AN_OBJECT, "data must be an object") from None
        where = ".".join(str(step) for step in first["loc"])[:100]  # never the value: it may be personal
        raise BadRecord(Reason.INVALID_DATA, f"{where}: {first['msg'][:150]}") from None
    return data
