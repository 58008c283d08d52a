"""`docs/asyncapi.json`: the contract as an AsyncAPI 3 document, generated from the topics and the models."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic.json_schema import models_json_schema

from offramp_schemas import examples
from offramp_schemas.base import Event
from offramp_schemas.overview import summary
from offramp_schemas.topics import TOPIC_OF, TOPICS, TYPE_OF, Topic

_SERVICES = ("lifecycle", "refunds", "notifier")


def document() -> dict[str, Any]:
    """The whole document. `receive` and `send` are told from Offramp's side, as AsyncAPI has it."""
    _, schemas = models_json_schema([(event, "validation") for event in TOPIC_OF], ref_template="#/components/schemas/{model}")
    topics = [topic for topic in TOPICS if topic.events]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Offramp",
            "version": _version(),
            "description": "How a subscription ends, and how its money comes back. CloudEvents 1.0 over Kafka, keyed by subscription id.",
        },
        "defaultContentType": "application/json",
        "channels": {_name(topic): _channel(topic) for topic in topics},
        "operations": dict(each for topic in topics for each in _operations(topic)),
        "components": {
            "messages": {event.__name__: _message(event) for event in TOPIC_OF},
            "messageTraits": {"CloudEvent": _cloud_event()},
            "schemas": schemas["$defs"],
        },
    }


def _version() -> str:
    try:
        return version("offramp-schemas")
    except PackageNotFoundError:  # run from a checkout
        return "0.2.0"


def _name(topic: Topic) -> str:
    return topic.name.replace(".", "-")


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": topic.about,
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in topic.events},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {"retention.ms": topic.retention_seconds * 1000, "cleanup.policy": ["delete"]},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations(topic: Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{_name(topic)}"}
    if set(topic.consumers) & set(_SERVICES):
        yield f"receive-{_name(topic)}", {"action": "receive", "channel": channel, "summary": f"Read by {', '.join(topic.consumers)}."}
    if set(topic.producers) & set(_SERVICES):
        yield f"send-{_name(topic)}", {"action": "send", "channel": channel, "summary": f"Written by {', '.join(topic.producers)}."}


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": TYPE_OF[event],
        "title": event.__name__,
        "summary": summary(event),
        "traits": [{"$ref": "#/components/messageTraits/CloudEvent"}],
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
        "examples": [{"name": event.kebab(), "payload": examples.load(event).model_dump(mode="json", exclude_unset=True)}],
    }


def _cloud_event() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/ce_correlationid", "description": "the id of the event that began the story"},
        "headers": {
            "type": "object",
            "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject"],
            "properties": {
                "ce_specversion": {"const": "1.0"},
                "ce_id": {**text, "description": "unique within its source; a repeat has no effect"},
                "ce_source": text,
                "ce_type": {**text, "enum": sorted(TYPE_OF.values())},
                "ce_time": {**text, "format": "date-time"},
                "ce_subject": {**text, "description": "the subscription id"},
                "ce_correlationid": {**text, "description": "the id of the event that began the story"},
                "ce_causationid": {**text, "description": "the id of the event that caused this one"},
                "ce_traceparent": {**text, "description": "W3C trace context"},
            },
        },
        "bindings": {"kafka": {"key": {**text, "description": "the subscription id"}, "bindingVersion": "0.5.0"}},
    }
