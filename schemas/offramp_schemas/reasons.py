"""Why a record could not be handled: one code each, published, in the `dlq.reason` header of its dead letter."""

from enum import StrEnum
from typing import Literal

ErrorClass = Literal["poison", "business", "transient"]


class Reason(StrEnum):
    """The published list. Codes are only ever added."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    NOT_A_CLOUDEVENT = "not_a_cloudevent"
    MISSING_ID = "missing_id"
    MISSING_SOURCE = "missing_source"
    MISSING_TYPE = "missing_type"
    MISSING_TIME = "missing_time"
    BAD_TIME = "bad_time"
    MISSING_SUBJECT = "missing_subject"
    WRONG_KEY = "wrong_key"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_VERSION = "unknown_version"
    WRONG_TOPIC = "wrong_topic"
    INVALID_DATA = "invalid_data"
    TOO_OLD = "too_old"
    FROM_THE_FUTURE = "from_the_future"
    CONFLICT = "conflict"
    NEVER_SEEN = "never_seen"
    NOT_STORABLE = "not_storable"
    RULE_FAILED = "rule_failed"
    TIMER_STUCK = "timer_stuck"
    WRONG_CURRENCY = "wrong_currency"
    NOT_ALLOWED = "not_allowed"
    WRONG_STATE = "wrong_state"


MEANING: dict[Reason, tuple[ErrorClass, str]] = {
    Reason.EMPTY: ("poison", "the record has no value"),
    Reason.TOO_LARGE: ("poison", "the record is larger than an event may be"),
    Reason.NOT_JSON: ("poison", "the value is not JSON in UTF-8"),
    Reason.NOT_AN_OBJECT: ("poison", "the value is JSON, but not an object"),
    Reason.NOT_A_CLOUDEVENT: ("poison", "neither ce_ headers nor content-type application/cloudevents+json, or specversion is not 1.0"),
    Reason.MISSING_ID: ("poison", "no id: without it a repeat can't be told from a new event"),
    Reason.MISSING_SOURCE: ("poison", "no source"),
    Reason.MISSING_TYPE: ("poison", "no type"),
    Reason.MISSING_TIME: ("poison", "no time"),
    Reason.BAD_TIME: ("poison", "the time is not RFC 3339 with a time zone"),
    Reason.MISSING_SUBJECT: ("poison", "no subject, or one that is not an id"),
    Reason.WRONG_KEY: ("poison", "the record's key is not the subject: order could not be kept"),
    Reason.UNKNOWN_TYPE: ("poison", "no event of that type"),
    Reason.UNKNOWN_VERSION: ("poison", "the event is known, but not in that version"),
    Reason.WRONG_TOPIC: ("poison", "that event travels on another topic"),
    Reason.INVALID_DATA: ("poison", "the data does not fit the event's schema"),
    Reason.TOO_OLD: ("business", "older than the memory against repeats (35 days)"),
    Reason.FROM_THE_FUTURE: ("business", "more than a day ahead of our clock"),
    Reason.CONFLICT: ("business", "the same source and id came before with another body"),
    Reason.NEVER_SEEN: ("business", "what it speaks of was never heard of, and the topic it should have come from was read past it"),
    Reason.NOT_STORABLE: ("poison", "the database refused it"),
    Reason.RULE_FAILED: ("poison", "a rule failed on it: a bug of ours"),
    Reason.TIMER_STUCK: ("poison", "a timer fired and was still due: a bug of ours; the entity sleeps for a day"),
    Reason.WRONG_CURRENCY: ("business", "another currency than the payment's"),
    Reason.NOT_ALLOWED: ("business", "whoever asks may not ask for that"),
    Reason.WRONG_STATE: ("business", "not possible in the state the entity is in"),
}
