"""`offramp`: the command line of Offramp."""

import os
import sys
from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import App, Parameter
from rich.progress import BarColumn, Progress, TextColumn

from services.console import audit as auditing
from services.console import business, lists, preview, publish, samples, screen, serve, settings, timeline, words
from services.console import clock as test_clock
from services.console import tail as tailing
from services.console.clock import Step
from services.console.database import SERVICES, Database
from services.console.trouble import Trouble
from services.runtime.settings import Settings

_HELP = """Publish events, and see what became of them.

```
offramp samples                        # subscriptions to play with
offramp publish cancellation-requested --subscription sub_anna --follow
offramp preview cancellation-requested --subscription sub_anna --wants-refund
offramp show sub_anna                  # its whole story, mails included
offramp tail lifecycle.events payment  # topics, live
offramp refunds --overdue              # what waits for somebody
offramp dead-letters list              # what could not be handled
offramp audit                          # is anything lost or doubled?
offramp clock advance 30d              # on the test clock
offramp clock settle                   # until what was published has had its effects
```

It finds Kafka, Postgres and the services by `OFFRAMP_KAFKA`, `OFFRAMP_POSTGRES`, `OFFRAMP_LIFECYCLE_URL` ...,
or by the file that `OFFRAMP_ENV_FILE` names (`data/offramp.env`, which `make run` writes).
"""
Json = Annotated[bool, Parameter(help="JSON, for programs", negative="", show_default=False)]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
PlaceOf = Annotated[str, Parameter(help="like 'subscription.request.v1[3]@17'")]

app = App(name="offramp", help=_HELP, help_format="markdown", version_flags=[], result_action="return_value")
app.command(publish.commands())
app.command(preview.commands())
dead_letters = App(name="dead-letters", help="What could not be handled: look at it, have it applied after all, or close it.")
clock = App(name="clock", help="Business time: look at it, or advance it where the services run on the test clock.")
app.command(business.policy)
app.command(business.report)
app.command(dead_letters)
app.command(clock)


@app.command
async def show(id: str, /, *, all: Flag = False, json: Json = False) -> None:  # noqa: A002 - cyclopts shows the names
    """Show the whole story of a subscription, a refund or a mail.

    Parameters
    ----------
    id
        A subscription, a refund (its id or its reference), or a mail.
    all
        What the notifier did about each mail as well.
    """
    async with Database(settings.load()) as database:
        await timeline.show(database, id, everything=all, as_json=json)


@app.command(name="samples")
async def publish_samples() -> None:
    """Publish subscriptions to play with, and say what to try with each."""
    chosen = settings.load()
    async with Database(chosen) as database:
        await samples.publish(chosen, database)


@app.command
async def tail(
    *topics: str,
    from_beginning: Flag = False,
    limit: int | None = None,
    json: Json = False,
) -> None:
    """Show what is written to topics, live, until Ctrl-C.

    Parameters
    ----------
    topics
        Their names, which may be cut short (`payment`, `lifecycle.events`); all of ours if none is given.
    from_beginning
        Start with everything that Kafka still has.
    limit
        End after so many records.
    """
    await tailing.tail(settings.load(), topics, from_beginning=from_beginning, as_json=json, limit=limit)


@app.command
async def refunds(*, overdue: Flag = False, json: Json = False) -> int:
    """List the open refunds: whose turn it is, and by when. One that has succeeded stays open for a while: banks send money back.

    `foreign`: somebody else made it, and nobody has explained it yet; `offramp publish foreign-refund-explained` does.

    Parameters
    ----------
    overdue
        Only those past their next action or deadline; the exit status is 1 if there is any.
    """
    async with Database(settings.load()) as database:
        return await lists.refunds(database, overdue, json)


@app.command
async def audit(*, read_back: Flag = False, provider: str | None = None, bound: str = "5m", json: Json = False) -> int:
    """Look for what must never be; the exit status is 1 if there is any.

    Parameters
    ----------
    read_back
        Read all of Kafka, too: every record has its disposition, whatever was told is there.
    provider
        The url of a sandbox provider, whose own list of refunds is compared.
    bound
        How late a timer may be.
    """
    chosen = settings.load()
    async with Database(chosen, patience=600) as database:
        back = chosen if read_back else None
        found = await auditing.violations(database, read_back=back, provider=provider, bound=words.duration(bound))
    if json:
        screen.as_json(auditing.document(found))
    else:
        auditing.report(found, [option for option, given in (("--read-back", read_back), ("--provider", provider)) if given])
    return 1 if any(found.values()) else 0


@dead_letters.command(name="list")
async def list_dead_letters(*, all: Flag = False, json: Json = False) -> None:  # noqa: A002 - the option is --all
    """List the dead letters that nobody has resolved.

    Parameters
    ----------
    all
        Resolved ones as well.
    """
    async with Database(settings.load()) as database:
        await lists.dead_letters(database, all, json)


@dead_letters.command(name="show")
async def show_dead_letter(place: PlaceOf, /, *, json: Json = False) -> None:
    """Show one dead letter with its value."""
    async with Database(settings.load()) as database:
        await lists.dead_letter(database, place, json)


@dead_letters.command
async def redrive(place: PlaceOf, /) -> None:
    """Apply one once more, now that its reason has gone; its id applies once, and only once."""
    chosen = settings.load()
    async with Database(chosen) as database:
        await lists.resolve(database, chosen, place, "redrive")


@dead_letters.command
async def discard(place: PlaceOf, /, *, note: Annotated[str, Parameter(help="why nothing is to be done; kept with it")]) -> None:
    """Close one for good."""
    chosen = settings.load()
    async with Database(chosen) as database:
        await lists.resolve(database, chosen, place, "discard", note)


@clock.default
async def show_clock(*, json: Json = False) -> None:
    """Show every service's business time, its next timer, and whether it has settled."""
    await lists.clocks(settings.load(), json)


@clock.command
async def advance(by: str, /) -> None:
    """Advance the test clock, stopping at every timer that comes due, until everything has settled.

    Parameters
    ----------
    by
        How far (`30d`, `1d12h`), or until when (`2026-05-01`, `2026-05-01T09:00:00Z`).
    """
    await _walk(words.duration(by) if by[-1:].isalpha() and "T" not in by else words.when(by))


@clock.command
async def settle() -> None:
    """Wait, without moving the test clock, until whatever was published before has had all its effects."""
    await _walk(timedelta())


async def _walk(to: datetime | timedelta) -> None:
    columns = (TextColumn("{task.fields[at]}"), BarColumn(40), TextColumn("{task.fields[moved]} handled", style="bright_black"))
    with Progress(*columns, console=screen.err, transient=True) as progress:
        task = progress.add_task("", total=None, at="settling", moved=0)
        began: datetime | None = None

        def on_step(step: Step) -> None:
            nonlocal began
            began = began or step.now
            done, total = (step.now - began).total_seconds(), (step.to - began).total_seconds()
            progress.update(task, completed=done, total=total, at=words.moment(step.now), moved=step.moved)

        reached = await test_clock.advance(list(_urls(settings.load()).values()), to, on_step)
    screen.out.print(f"It is {words.moment(reached.now)}.", screen.quiet(f"  {reached.moved} records, timers and answers handled"))


@app.command(name="serve")
def serve_clock() -> None:
    """Serve previews and the test clock over HTTP (OFFRAMP_BIND, OFFRAMP_PORT; 8104 unless told otherwise)."""
    chosen = settings.load()
    serve.serve(chosen, _urls(chosen))


def _urls(chosen: Settings) -> dict[str, str]:
    return {service: lists.url_of(chosen, service) for service in SERVICES}


def main() -> int:
    """Runs the command line; returns the exit status."""
    try:
        result = app()
    except Trouble as trouble:
        screen.complain(str(trouble))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `offramp tail | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0
