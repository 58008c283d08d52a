"""An event's fields as options of the command line, and options as the event's JSON."""

import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from offramp_schemas import Event
from services.console.trouble import Trouble

_SHORTER: dict[tuple[str, ...], str] = {
    ("requested_by", "user_id"): "user",
    ("requested_by", "role"): "role",
    ("requested_by", "name"): "user_name",
    ("contact", "email"): "email",
    ("contact", "name"): "name",
    ("contact", "locale"): "locale",
    ("reseller", "reseller_id"): "reseller_id",
}


@dataclass(frozen=True, slots=True)
class Option:
    """`--card-last4`: where its value goes in the event's data, and what may be given."""

    name: str
    path: tuple[str, ...]
    kind: Any
    required: bool
    help: str


def options(event: type[Event]) -> list[Option]:
    """One option for each field; those of a nested part stand beside the others (`--user`, `--reseller-name`)."""
    return list(_options(event, ()))


def _options(model: type[BaseModel], above: tuple[str, ...], required: bool = True) -> Iterator[Option]:
    for name, field in model.model_fields.items():
        path = (*above, name)
        inner = _without_none(field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _options(inner, path, required and field.is_required())
            continue
        needed = required and field.is_required()
        yield Option(_SHORTER.get(path, "_".join(path)), path, _kind(inner), needed, _help(field, needed))


def _kind(annotation: Any) -> Any:
    """What the command line takes for a field: moments and money are read by the model itself."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal or annotation in (bool, int):
        return annotation
    if get_origin(annotation) is tuple:
        return list[_kind(get_args(annotation)[0])]  # type: ignore[misc] # made at run time, for cyclopts to read
    return str


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        return next(each for each in get_args(annotation) if each is not type(None))
    return annotation


def _help(field: FieldInfo, required: bool) -> str:
    default = "" if field.is_required() or field.default in (None, (), False) else f" \\[default: {field.default}]"
    return f"{field.description or ''}{' (required)' if required else ''}{default}".strip()


def gathered(event: type[Event], given: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The data as far as it was given: what options say goes over what `--data` or `--file` say."""
    data: dict[str, Any] = json.loads(json.dumps(base))
    for option in options(event):
        if given.get(option.name) is None:
            continue
        target = data
        for step in option.path[:-1]:
            target = target.setdefault(step, {})
        target[option.path[-1]] = given[option.name]
    return data


def parsed(text: str, event: type[Event], where: str) -> dict[str, Any]:
    """A JSON object with no field that the event does not have. Raises Trouble."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise Trouble(f"{where} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise Trouble(f"{where} must be a JSON object")
    for name in data.keys() - event.model_fields.keys():
        close = get_close_matches(name, list(event.model_fields), 1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(event.model_fields) or 'no fields'}"
        raise Trouble(f"{where}: {event.__name__} has no field {name!r}{hint}")
    return data


def validated(event: type[Event], data: Mapping[str, Any], *, spoken: bool = True) -> Event:
    """The event, read exactly as a consumer will read it. Raises Trouble with a line for each field, named as an option if `spoken`."""
    try:
        return event.model_validate_json(json.dumps(data))
    except ValidationError as error:
        names = {option.path: f"--{option.name.replace('_', '-')}" for option in options(event)} if spoken else {}
        lines = [f"{_name(each['loc'], names)}: {each['msg']}" for each in error.errors(include_url=False)]
        raise Trouble(f"this is not a {event.__name__}:\n  " + "\n  ".join(dict.fromkeys(lines))) from None


def _name(location: tuple[int | str, ...], names: Mapping[tuple[str, ...], str]) -> str:
    path = tuple(step for step in location if isinstance(step, str))
    found = names.get(path) or next((name for known, name in names.items() if known[: len(path)] == path), None)
    return found or ".".join(path) or "data"
