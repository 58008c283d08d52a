"""The commands of who answers for the numbers: what a policy would change, and what customers, refunds and mails came to."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from services.console import policy as policies
from services.console import policy_diff, settings
from services.console import report as reports
from services.console.database import Database

Json = Annotated[bool, Parameter(help="JSON, for programs", negative="", show_default=False)]
policy = App(name="policy", help="Policy files: are they right, and what would another one change?")


async def report(
    about: Literal["churn", "refunds", "dunning", "mails"],
    /,
    *,
    since: str | None = None,
    until: str | None = None,
    plan: str | None = None,
    csv: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> None:
    """Show how many customers come and go, and what became of refunds, failed charges and mails.

    Parameters
    ----------
    since
        A day or a moment; the last twelve months unless told otherwise.
    until
        Likewise; now.
    plan
        Of one plan alone.
    csv
        The rows behind it, for a spreadsheet.
    """
    async with Database(settings.load(), patience=600) as database:
        await reports.REPORTS[about](database, reports.asked(await database.now(), since, until, plan), csv)


@policy.command(name="check")
def check_policy(file: Path, /) -> int:
    """Say what is wrong with a policy file, line by line, and what is odd about it; the exit status is 1 if anything is wrong."""
    return policies.check(file)


@policy.command(name="diff")
async def diff_policies(old: Path, new: Path, /, *, days: int = 30, json: Json = False) -> int:
    """Show which numbers differ, and what would have been decided otherwise about recent events; the exit status is 1 if anything.

    The events are read from Kafka and decided again in memory; nothing is written.

    Parameters
    ----------
    days
        How far back; Kafka keeps seven days unless its topics were changed.
    """
    return await policy_diff.diff(settings.load(), old, new, days, json)
