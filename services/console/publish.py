"""`offramp publish <event>`: one command for each event that others may publish, made from its model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import App, Parameter

from offramp_schemas import Envelope, Event
from services.console import composing, defaults, fields, kafka, screen, settings, words
from services.console.composing import SENDING, Saying
from services.console.database import Database
from services.console.follow import TOLD_ON, Follow
from services.runtime.settings import Settings

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


@dataclass(frozen=True, kw_only=True)
class Sending(Saying):
    """The options of sending it, too."""

    follow: Annotated[bool, Parameter(help="show live what becomes of it", group=SENDING, negative="", show_default=False)] = False
    timeout: Annotated[float, Parameter(help="follow for at most so many seconds", group=SENDING)] = 60.0


def commands() -> App:
    """The command and its subcommands."""
    return composing.commands(App(name="publish", help=_HELP, help_format="markdown"), Sending, run)


async def run(event: type[Event], given: Mapping[str, Any], sending: Sending) -> int:
    """Publishes it and, if asked, follows it; 1 where it was not applied. Raises Trouble."""
    chosen = settings.load()
    wanted = composing.wanted(event, given, sending)
    if sending.time and not sending.follow and not defaults.missing(event, wanted):  # then nothing has to be looked up
        await _publish(chosen, composing.envelope(fields.validated(event, wanted), sending, words.when(sending.time)))
        return 0
    async with Database(chosen) as database:
        now = await database.now()
        at = composing.moment(sending, now)
        data = await composing.complete(event, wanted, sending.subscription, at, database)
        envelope = composing.envelope(fields.validated(event, data), sending, at)
        if not sending.follow:
            await _publish(chosen, envelope)
            return 0
        async with kafka.Reader.open(chosen, TOLD_ON) as reader:
            following = Follow(database, reader, envelope, await _publish(chosen, envelope), now)
            settled = await following.until_settled(sending.timeout)
            return 0 if settled and not following.failed else 1


async def _publish(chosen: Settings, envelope: Envelope) -> kafka.Place:
    (place,) = await kafka.send(chosen, envelope)
    screen.out.print(str(place), style="bold")
    screen.out.print(screen.quiet(f"{type(envelope.data).kebab()} {envelope.id}  {words.gist(envelope.data)}"))
    return place
