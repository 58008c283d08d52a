"""One golden example per event: the `data` of a CloudEvent, from the life of one subscription. Use them in tests and stubs."""

from pathlib import Path
from typing import TypeVar

from offramp_schemas.base import Event

SUBSCRIPTION = "sub_4hT9kQ2m"
"""The subject of every example."""

AnyEvent = TypeVar("AnyEvent", bound=Event)


def path(event: type[Event]) -> Path:
    """The file of an event's example, whether it exists or not."""
    return Path(__file__).with_name(f"{event.kebab()}.json")


def load(event: type[AnyEvent]) -> AnyEvent:
    """The example as an event."""
    return event.model_validate_json(path(event).read_bytes())
