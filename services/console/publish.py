"""`offramp publish <event>`: one command for each event that others may publish, made from its model."""

import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter
from uuid_utils.compat import uuid7

from offramp_schemas import TOPIC_OF, BadRecord, Envelope, Event, FollowUp, Reason, decode, encode, examples
from offramp_schemas.overview import summary
from services.console import defaults, fields, kafka, screen, settings, words
from services.console.database import Database
from services.console.follow import TOLD_ON, Follow
from services.console.trouble import Trouble
from services.runtime.settings import Settings

SOURCE = "//offramp/console"
_TOLD_BY = {Reason.MISSING_SUBJECT: "--subscription", Reason.MISSING_ID: "--id", Reason.MISSING_SOURCE: "--source"}
_EVENT = Group("The event", sort_key=1)
_SENDING = Group("Sending it", sort_key=2)
_HELP = """Publish an event as another system would, and print where it went: `topic[partition]@offset`.

Whatever is not said has a sensible value: references are minted, the owner asks,
and it happens now (by the test clock, where there is one).

```
offramp publish cancellation-requested --subscription sub_anna --follow
offramp publish cancellation-requested --subscription sub_ben \\
    --mode immediately --wants-refund --follow
offramp publish payment-failed --subscription sub_gina --kind hard
offramp publish inactivity-detected --subscription sub_eve --inactive-days 60
offramp publish subscription-started --subscription sub_new --example
offramp publish refund-requested --subscription sub_dan \\
    --data '{"amount_minor": 500, "currency": "EUR"}'
```
"""


def commands() -> App:
    """The command and its subcommands."""
    app = App(name="publish", help=_HELP, help_format="markdown")
    for event, topic in TOPIC_OF.items():
        if not issubclass(event, FollowUp):
            app.command(_command(event), name=event.kebab(), help=f"{summary(event)}\n\nTopic: `{topic.name}`", help_format="markdown")
    return app


@dataclass(frozen=True, kw_only=True)
class Sending:
    """The options that every event has."""

    subscription: Annotated[str, Parameter(help="the subscription it is about: subject and key of the record", group=_SENDING)]
    data: Annotated[str | None, Parameter(help="the event's data as JSON; options go over it", group=_SENDING)] = None
    file: Annotated[Path | None, Parameter(help="the data from a file, or - for standard input", group=_SENDING)] = None
    example: Annotated[bool, Parameter(help="start from the event's golden example", group=_SENDING, negative="", show_default=False)] = (
        False
    )
    time: Annotated[str | None, Parameter(help="when it happened \\[default: now, in business time]", group=_SENDING)] = None
    id: Annotated[str | None, Parameter(help="the same id twice is one event \\[default: a new one]", group=_SENDING)] = None
    source: Annotated[str, Parameter(help="who publishes it", group=_SENDING)] = SOURCE
    follow: Annotated[bool, Parameter(help="show live what becomes of it", group=_SENDING, negative="", show_default=False)] = False
    timeout: Annotated[float, Parameter(help="follow for at most so many seconds", group=_SENDING)] = 60.0


def _command(event: type[Event]) -> Callable[..., Awaitable[int]]:
    """A function whose signature cyclopts reads: the event's fields, then how to send it."""
    sending = inspect.signature(Sending).parameters

    async def publish(**given: Any) -> int:
        how = {name: given.pop(name) for name in sending if name in given}
        return await run(event, given, Sending(**how))

    own = [
        inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(option))
        for option in fields.options(event)
    ]
    publish.__signature__ = inspect.Signature([*own, *sending.values()])  # type: ignore[attr-defined] # what inspect looks for first
    publish.__annotations__ = {each.name: each.annotation for each in (*own, *sending.values())}
    return publish


def _annotation(option: fields.Option) -> Any:
    default = defaults.DEFAULTS.get(option.path)
    told = option.help.replace("(required)", f"\\[default: {default.words}]") if default and option.required else option.help
    parameter = Parameter(help=told, group=_EVENT, negative=None if option.kind is bool else "", show_default=False)
    return Annotated[option.kind | None, parameter]


async def run(event: type[Event], given: Mapping[str, Any], sending: Sending) -> int:
    """Publishes it and, if asked, follows it; 1 where it was not applied. Raises Trouble."""
    chosen = settings.load()
    wanted = fields.gathered(event, given, _base(event, sending))
    if sending.time and not sending.follow and not defaults.missing(event, wanted):  # then nothing has to be looked up
        await _publish(chosen, _envelope(event, wanted, sending, words.when(sending.time)))
        return 0
    async with Database(chosen) as database:
        now = await database.now()
        at = words.when(sending.time) if sending.time else now
        known = defaults.Known(event, at, await database.subscription(sending.subscription), wanted)
        if known.subscription is None and (unknown := _looked_up(event, wanted)):
            raise Trouble(
                f"lifecycle knows no subscription {sending.subscription!r}, so {' and '.join(unknown)} can't be looked up: check its id, "
                f"add {' and '.join(unknown)}, or make it known with `offramp publish subscription-started`"
            )
        envelope = _envelope(event, defaults.filled(known), sending, at)
        if not sending.follow:
            await _publish(chosen, envelope)
            return 0
        async with kafka.Reader.open(chosen, TOLD_ON) as reader:
            following = Follow(database, reader, envelope, await _publish(chosen, envelope), now)
            settled = await following.until_settled(sending.timeout)
            return 0 if settled and not following.failed else 1


def _looked_up(event: type[Event], data: Mapping[str, Any]) -> list[str]:
    """The options that would be taken from the subscription."""
    options = (option for option in defaults.missing(event, data) if "subscription" in defaults.DEFAULTS[option.path].words)
    return [f"--{option.name.replace('_', '-')}" for option in options]


def _base(event: type[Event], sending: Sending) -> dict[str, Any]:
    """The data that options go over."""
    data, file = sending.data, sending.file
    if sum((data is not None, file is not None, sending.example)) > 1:
        raise Trouble("--data, --file and --example exclude each other")
    if sending.example:
        return fields.parsed(examples.path(event).read_text(encoding="utf-8"), event, "the example")
    if file is not None:
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        except OSError as error:
            raise Trouble(f"{file} can't be read: {error.strerror}") from None
        return fields.parsed(text, event, str(file))
    return fields.parsed(data, event, "--data") if data is not None else {}


def _envelope(event: type[Event], data: Mapping[str, Any], sending: Sending, at: datetime) -> Envelope:
    return Envelope(sending.id or str(uuid7()), sending.source, at, sending.subscription, fields.validated(event, data))


async def _publish(chosen: Settings, envelope: Envelope) -> kafka.Place:
    topic = TOPIC_OF[type(envelope.data)].name
    try:
        decode(topic, *encode(envelope))  # as every consumer will
    except BadRecord as bad:
        raise Trouble(f"{_TOLD_BY.get(bad.reason, 'the event')}: {bad.message}") from None
    place = await kafka.send(chosen, topic, envelope)
    screen.out.print(str(place), style="bold")
    screen.out.print(screen.quiet(f"{type(envelope.data).kebab()} {envelope.id}  {words.gist(envelope.data)}"))
    return place
