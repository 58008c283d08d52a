"""An event as a person tells it: its fields as options or JSON; what is not said is looked up or minted. For `publish` and `preview`."""

import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import App, Group, Parameter
from uuid_utils.compat import uuid7

from offramp_schemas import TOPIC_OF, BadRecord, Envelope, Event, FollowUp, Reason, decode, encode, examples
from offramp_schemas.overview import summary
from services.console import defaults, fields, words
from services.console.database import Database
from services.console.trouble import Trouble

SOURCE = "//offramp/console"
_TOLD_BY = {Reason.MISSING_SUBJECT: "--subscription", Reason.MISSING_ID: "--id", Reason.MISSING_SOURCE: "--source"}
_EVENT = Group("The event", sort_key=1)
SENDING = Group("Sending it", sort_key=2)


@dataclass(frozen=True, kw_only=True)
class Saying:
    """The options that every event has."""

    subscription: Annotated[str, Parameter(help="the subscription it is about: subject and key of the record", group=SENDING)]
    data: Annotated[str | None, Parameter(help="the event's data as JSON; options go over it", group=SENDING)] = None
    file: Annotated[Path | None, Parameter(help="the data from a file, or - for standard input", group=SENDING)] = None
    example: Annotated[bool, Parameter(help="start from the event's golden example", group=SENDING, negative="", show_default=False)] = (
        False
    )
    time: Annotated[str | None, Parameter(help="when it happened \\[default: now, in business time]", group=SENDING)] = None
    id: Annotated[str | None, Parameter(help="the same id twice is one event \\[default: a new one]", group=SENDING)] = None
    source: Annotated[str, Parameter(help="who publishes it", group=SENDING)] = SOURCE


class NotKnown(Trouble):
    """Nothing can be looked up of a subscription that lifecycle has not heard of."""

    def __init__(self, subscription: str, options: Sequence[fields.Option]) -> None:
        unknown = " and ".join(f"--{option.name.replace('_', '-')}" for option in options)
        self.subscription, self.paths = subscription, [".".join(option.path) for option in options]
        super().__init__(
            f"lifecycle knows no subscription {subscription!r}, so {unknown} can't be looked up: check its id, "
            f"add {unknown}, or make it known with `offramp publish subscription-started`"
        )


How = TypeVar("How", bound=Saying)
Run = Callable[[type[Event], Mapping[str, Any], How], Awaitable[int]]


def commands(app: App, how: type[How], run: Run[How]) -> App:
    """The app with a subcommand for each event that others may publish."""
    for event, topic in TOPIC_OF.items():
        if not issubclass(event, FollowUp):
            told = f"{summary(event)}\n\nTopic: `{topic.name}`"
            app.command(_command(event, how, run), name=event.kebab(), help=told, help_format="markdown")
    return app


def _command(event: type[Event], how: type[How], run: Run[How]) -> Callable[..., Awaitable[int]]:
    """A function whose signature cyclopts reads: the event's fields, then what all events have."""
    general = inspect.signature(how).parameters

    async def command(**given: Any) -> int:
        said = {name: given.pop(name) for name in general if name in given}
        return await run(event, given, how(**said))

    own = [
        inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(option))
        for option in fields.options(event)
    ]
    command.__signature__ = inspect.Signature([*own, *general.values()])  # type: ignore[attr-defined] # what inspect looks for first
    command.__annotations__ = {each.name: each.annotation for each in (*own, *general.values())}
    return command


def _annotation(option: fields.Option) -> Any:
    default = defaults.DEFAULTS.get(option.path)
    told = option.help.replace("(required)", f"\\[default: {default.words}]") if default and option.required else option.help
    parameter = Parameter(help=told, group=_EVENT, negative=None if option.kind is bool else "", show_default=False)
    return Annotated[option.kind | None, parameter]


def wanted(event: type[Event], given: Mapping[str, Any], saying: Saying) -> dict[str, Any]:
    """The data as far as it was said. Raises Trouble."""
    return fields.gathered(event, given, _base(event, saying))


def _base(event: type[Event], saying: Saying) -> dict[str, Any]:
    """The data that options go over."""
    data, file = saying.data, saying.file
    if sum((data is not None, file is not None, saying.example)) > 1:
        raise Trouble("--data, --file and --example exclude each other")
    if saying.example:
        return fields.parsed(examples.path(event).read_text(encoding="utf-8"), event, "the example")
    if file is not None:
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        except OSError as error:
            raise Trouble(f"{file} can't be read: {error.strerror}") from None
        return fields.parsed(text, event, str(file))
    return fields.parsed(data, event, "--data") if data is not None else {}


async def complete(event: type[Event], data: Mapping[str, Any], subscription: str, at: datetime, database: Database) -> dict[str, Any]:
    """The data with what was not said. Raises NotKnown where that can't be looked up."""
    known = defaults.Known(event, at, await database.subscription(subscription), data)
    if known.subscription is None and (options := _looked_up(event, data)):
        raise NotKnown(subscription, options)
    return defaults.filled(known)


def _looked_up(event: type[Event], data: Mapping[str, Any]) -> list[fields.Option]:
    """The options that would be taken from the subscription."""
    return [option for option in defaults.missing(event, data) if "subscription" in defaults.DEFAULTS[option.path].words]


def moment(saying: Saying, now: datetime) -> datetime:
    """When it happened."""
    return words.when(saying.time) if saying.time else now


def envelope(data: Event, saying: Saying, at: datetime) -> Envelope:
    """The event as every consumer will read it. Raises Trouble."""
    made = Envelope(saying.id or str(uuid7()), saying.source, at, saying.subscription, data)
    try:
        decode(TOPIC_OF[type(data)].name, *encode(made))
    except BadRecord as bad:
        raise Trouble(f"{_TOLD_BY.get(bad.reason, 'the event')}: {bad.message}") from None
    return made
