"""The contract of Offramp: topics, events and their envelope. Does no I/O and depends on pydantic alone."""

from offramp_schemas.base import Contact, Event, FollowUp, mask_cards
from offramp_schemas.envelope import BadRecord, Envelope, decode, encode
from offramp_schemas.reasons import MEANING, Reason
from offramp_schemas.topics import EVENT_BY_KEBAB, EVENT_OF, TOPIC_OF, TOPICS, TYPE_OF, Topic, inputs_of

__all__ = [
    "EVENT_BY_KEBAB",
    "EVENT_OF",
    "MEANING",
    "TOPICS",
    "TOPIC_OF",
    "TYPE_OF",
    "BadRecord",
    "Contact",
    "Envelope",
    "Event",
    "FollowUp",
    "Reason",
    "Topic",
    "decode",
    "encode",
    "inputs_of",
    "mask_cards",
]
