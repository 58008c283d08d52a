"""`offramp preview <event>`, and the same over HTTP for a site that shows what a click would do before it is made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from aiohttp import web
from cyclopts import App, Parameter

from offramp_schemas import EVENT_BY_KEBAB, Envelope, Event, FollowUp
from services.console import composing, fields, lists, outlook, screen, settings, words
from services.console.composing import SENDING, Saying
from services.console.database import SERVICES, Database
from services.console.foresight import Foresight, foresee
from services.console.trouble import Trouble
from services.runtime.settings import Settings

_HELP = """Show what an event would lead to, without publishing it: what ends when, which money comes back by which rule,
what becomes of the data, which mails are written. Nothing is stored, and nobody is told.

It takes the options of `offramp publish`; the exit status is 1 where the event would not be applied.

```
offramp preview cancellation-requested --subscription sub_anna \\
    --mode immediately --wants-refund
```
"""
_WHAT_TO_SEND = 'send {"event": "cancellation-requested", "subscription": "sub_…", "data": {…}}'
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Previewing(Saying):
    """The options of every event, and how it is shown."""

    json: Annotated[bool, Parameter(help="JSON, for programs", group=SENDING, negative="", show_default=False)] = False


class BadRequest(Trouble):
    """What was sent can't be meant."""


def commands() -> App:
    """The command and its subcommands."""
    return composing.commands(App(name="preview", help=_HELP, help_format="markdown"), Previewing, run)


async def run(event: type[Event], given: Mapping[str, Any], saying: Previewing) -> int:
    """Prints what it would lead to; 1 where it would not be applied. Raises Trouble."""
    chosen = settings.load()
    wanted = composing.wanted(event, given, saying)
    async with Database(chosen) as database:
        at = composing.moment(saying, await database.now())
        data = await composing.complete(event, wanted, saying.subscription, at, database)
    envelope = composing.envelope(fields.validated(event, data), saying, at)
    seen = await foresee({service: lists.url_of(chosen, service) for service in SERVICES}, envelope)
    if saying.json:
        screen.as_json(document(seen))
    else:
        _show(seen)
    return 0 if _applied(seen) else 1


def _applied(seen: Foresight) -> bool:
    return any(disposition == "applied" for disposition, _ in seen.dispositions.values())


def _show(seen: Foresight) -> None:
    envelope = seen.envelope
    beside = f"{envelope.subject}, {words.moment(envelope.time)}"
    screen.out.print(screen.heading(f"If {envelope.data.kebab()} came:", beside))
    previous = ""
    for about, sentence in outlook.told(seen):
        screen.out.print(screen.quiet(f"  {'' if about == previous else about:<8}"), sentence, sep="")
        previous = about
    screen.out.print(screen.quiet("Nothing was stored, and nobody was told."))


class Page:
    """POST /preview of `offramp serve`. It says nothing of who the customer is."""

    def __init__(self, chosen: Settings, urls: Mapping[str, str]) -> None:
        self._settings, self._urls = chosen, urls

    async def answer(self, request: web.Request) -> dict[str, Any]:
        """The chain as JSON. Raises Trouble, BadRequest among it."""
        return document(await foresee(self._urls, await self._envelope(await request.clone(client_max_size=_MOST_BYTES).read())))

    async def _envelope(self, body: bytes) -> Envelope:
        name, subscription, said = _parsed(body)
        event = EVENT_BY_KEBAB.get(name)
        if event is None or issubclass(event, FollowUp):
            raise BadRequest(f"there is no event {name!r} that others publish: docs/events.md names them")
        async with Database(self._settings) as database:
            at = await database.now()
            try:
                data = await composing.complete(event, fields.parsed(json.dumps(said), event, "data"), subscription, at, database)
                saying = Saying(subscription=subscription, source="//offramp/preview")
                return composing.envelope(fields.validated(event, data, spoken=False), saying, at)
            except composing.NotKnown as unknown:
                paths = " and ".join(unknown.paths)
                raise BadRequest(f"lifecycle knows no subscription {subscription!r}, and the data do not say {paths}") from None
            except Trouble as trouble:
                raise BadRequest(str(trouble)) from None


def _parsed(body: bytes) -> tuple[str, str, dict[str, Any]]:
    try:
        match json.loads(body):
            case {"event": str(name), "subscription": str(subscription), **rest} if rest.keys() <= {"data"}:
                said = rest.get("data", {})
                if isinstance(said, dict):
                    return name, subscription, said
    except (ValueError, RecursionError):  # no JSON, or brackets without end
        pass
    raise BadRequest(_WHAT_TO_SEND)


def document(seen: Foresight) -> dict[str, Any]:
    """For programs: the facts as they would be told, without whom they are about, and the same in sentences."""
    return {
        "event": seen.envelope.data.kebab(),
        "subscription": seen.envelope.subject,
        "now": seen.now.isoformat(),
        "applied": _applied(seen),
        "services": {
            service: {"disposition": disposition, "why": why, "states": seen.changes.get(service)}
            for service, (disposition, why) in seen.dispositions.items()
        },
        "told": [
            {"by": each.by, "event": each.event.kebab(), "data": each.event.model_dump(mode="json", exclude={"contact"})}
            for each in seen.told
        ],
        "mails": [
            {
                "template": mail.template,
                "class": mail.kind,
                "send_at": mail.send_at and mail.send_at.isoformat(),
                "suppressed": mail.suppressed,
            }
            for mail in seen.mails
        ],
        "later": [{"at": each.at.isoformat(), "by": each.by, "what": each.name} for each in seen.wakes],
        "says": [{"about": about, "sentence": sentence} for about, sentence in outlook.told(seen)],
    }
