"""`python -m bench [figure…]`: measures, prints a table, writes results.json and docs/performance.md."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Literal

import cyclopts
from rich.console import Console

from bench import figures, latency, machine, mailing, page, resources, rules, story, throughput
from bench.figures import Figure
from bench.scale import FULL, QUICK, Scale
from dev import foreground

Name = Literal["rules", "throughput", "follow-up", "first-mail", "mails", "story", "backlog", "idle"]
MEASURES: dict[Name, Callable[[Scale], Awaitable[list[Figure]]]] = {
    "rules": rules.measure,
    "throughput": throughput.measure,
    "follow-up": latency.follow_up,
    "first-mail": latency.first_mail,
    "mails": mailing.measure,
    "story": story.measure,
    "backlog": resources.backlog,
    "idle": resources.idle,
}
console = Console()


async def measure(names: tuple[Name, ...], scale: Scale, write: bool) -> None:
    """One after the other, each on a stack of its own; what is written replaces what was measured under the same name before."""
    for name in names:
        console.print(f"measuring {name} …", style="dim")
        busy = machine.load_average()
        records = figures.as_records(await MEASURES[name](scale))
        console.print(figures.as_table(records))
        if write:
            page.write(tuple(MEASURES), name, page.Measured(machine.described(), busy, records))
    console.print(machine.described())


def main(
    *names: Name,
    quick: bool = False,
    full: bool = False,
    rounds: Annotated[int | None, cyclopts.Parameter(validator=cyclopts.validators.Number(gte=1))] = None,
    write: bool | None = None,
) -> int:
    """Measure Offramp beside yardsticks that do the same work.

    Parameters
    ----------
    names
        Which figures; all of them if none is named.
    quick
        Smaller and once: to see that it works, not to believe it.
    full
        The backlog has a million events.
    rounds
        How many runs, of those figures that are measured several times.
    write
        Write what was measured into bench/results.json and docs/performance.md, in place of what was measured under that name before. By
        default only when everything was measured, and not with --quick.
    """
    scale = QUICK if quick else FULL if full else Scale()
    scale = replace(scale, rounds=rounds or scale.rounds)
    wanted = names or tuple(MEASURES)
    return foreground.run(measure(wanted, scale, write if write is not None else not names and not quick))


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
