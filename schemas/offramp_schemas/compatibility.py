"""What may change in a published schema: a new optional field. Everything else is a new major version of the event."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
_WORDS = {"title", "description", "examples", "$id", "$schema", "$defs"}  # what no document becomes valid or invalid by


def breaking_changes(released: Schema, current: Schema) -> list[str]:
    """Why a document of one schema may not be one of the other, both closed to unknown fields; empty: only optional fields were added.

    Both directions count: an old publisher must be understood by a new reader, and an old reader must understand a new publisher.
    """
    return sorted(set(_changes(_Root(released), released, _Root(current), current, "data")))


class _Root:
    """The document that `$ref` points into."""

    def __init__(self, document: Schema) -> None:
        self.definitions: Schema = document.get("$defs", {})

    def resolved(self, schema: Schema) -> Schema:
        if "$ref" not in schema:
            return schema
        found = self.definitions[schema["$ref"].removeprefix("#/$defs/")]
        return {**found, **{name: value for name, value in schema.items() if name != "$ref"}}


def _changes(old_root: _Root, old: Schema, new_root: _Root, new: Schema, where: str) -> Iterator[str]:
    old, new = old_root.resolved(old), new_root.resolved(new)
    for keyword in sorted((old.keys() | new.keys()) - _WORDS):
        before, after = old.get(keyword), new.get(keyword)
        match keyword, before, after:
            case "properties", dict(), dict():
                yield from _fields(old_root, old, new_root, new, where)
            case "items" | "additionalProperties", dict(), dict():
                yield from _changes(old_root, before, new_root, after, f"{where}[]")
            case "anyOf" | "oneOf" | "allOf" | "prefixItems", list(), list() if len(before) == len(after):
                for one, other in zip(before, after, strict=True):
                    yield from _changes(old_root, one, new_root, other, where)
            case "required" | "enum" | "type", list(), list() if sorted(before) == sorted(after):
                pass
            case _ if before != after:
                yield f"{where}: {keyword} was {_shown(before)}, is {_shown(after)}"


def _fields(old_root: _Root, old: Schema, new_root: _Root, new: Schema, where: str) -> Iterator[str]:
    before, after = old["properties"], new["properties"]
    for name in before.keys() - after.keys():
        yield f"{where}.{name}: was removed"
    for name in before.keys() & after.keys():
        yield from _changes(old_root, before[name], new_root, after[name], f"{where}.{name}")
    for name in after.keys() - before.keys():
        if name in new.get("required", ()):
            yield f"{where}.{name}: is new and required"


def _shown(value: object) -> str:
    return "not there" if value is None else str(value)
