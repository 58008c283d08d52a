"""`offramp report`: how many customers come, go and stay, and what became of refunds, charges and mails. Over the services' views."""

import csv
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import dropwhile
from typing import Any

from services.console import screen, words
from services.console.database import Database, Row
from services.console.trouble import Trouble

_YEAR = 12  # months, this one included, unless told otherwise
_WIDTH = 40  # characters of the longest bar
_AGES = ("under 1 day", "1 to 2 days", "2 to 5 days", "5 to 14 days", "over 14 days")
_MONTH = ("month", "at start", "new", "returned", "left", "lost", "net", "churn", "MRR lost", "MRR saved")
Cells = Sequence[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """Of which time, and of which plan (None: all)."""

    since: datetime
    until: datetime
    now: datetime
    plan: str | None = None


def asked(now: datetime, since: str | None, until: str | None, plan: str | None) -> Asked:
    """What the options say; a year of months, up to now, where they don't. Raises Trouble."""
    month = now.year * 12 + now.month - _YEAR
    first = now.replace(year=month // 12, month=month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
    found = Asked(words.when(since) if since else first, words.when(until) if until else now + timedelta(seconds=1), now, plan)
    if found.since >= found.until:
        raise Trouble("--since must be before --until")
    return found


async def churn(database: Database, asked: Asked, as_csv: bool) -> None:
    """Net growth beside churn, money, reasons, plans, cohorts and offers."""
    if as_csv:
        return await _csv(database, "lifecycle", "movements", asked)
    months = list(dropwhile(_before_the_first, await _rows(database, "lifecycle", "months", asked)))
    money = _by_month(await _rows(database, "lifecycle", "money", asked))
    _table("Customers who pay", _MONTH, [
        (
            row["month"], str(row["at_start"]), str(row["new"]), str(row["returned"]), str(row["voluntary"]), str(row["involuntary"]),
            f"{_net(row):+d}" if _net(row) else "0", _share(row["voluntary"] + row["involuntary"], row["at_start"]),
            *money.get(row["month"], ("-", "-")),
        )
        for row in months
    ])  # fmt: skip
    _bars("Net growth", [(row["month"], _net(row)) for row in months])
    reasons = await _rows(database, "lifecycle", "reasons", asked)
    _table("Why they went", ("kind", "reason", "said", "customers", "MRR"), [
        (row["kind"], row["reason"], row["said"], str(row["customers"]), words.money(row["monthly_minor"], row["currency"]))
        for row in reasons
    ])  # fmt: skip
    plans = await _rows(database, "lifecycle", "plans", asked)
    _table("By plan", ("plan", "new", "returned", "left", "lost", "MRR lost"), [
        (
            row["plan"], str(row["new"]), str(row["returned"]), str(row["voluntary"]), str(row["involuntary"]),
            words.money(row["lost"], row["currency"]),
        )
        for row in plans
    ])  # fmt: skip
    _cohorts(await database.rows("lifecycle", "cohorts", asked.since, asked.until, asked.plan, asked.now))
    offers = await _rows(database, "lifecycle", "offers", asked)
    _table("Offered for staying", ("offer", "made", "accepted", "declined", "expired", "taken"), [
        (
            row["kind"], *(str(row[name]) for name in ("made", "accepted", "declined", "expired")), _share(row["accepted"], row["made"]),
        )
        for row in offers
    ])  # fmt: skip
    return None


async def dunning(database: Database, asked: Asked, as_csv: bool) -> None:
    """Failed charges, by how far the reminders had come when they were over."""
    if as_csv:
        return await _csv(database, "lifecycle", "dunnings", asked)
    steps = await _rows(database, "lifecycle", "dunning_steps", asked)
    ended = sum(row["recovered"] + row["lost"] + row["stopped"] for row in steps)
    _table("Failed charges", ("after step", "recovered", "lost", "stopped", "open", "of all recovered"), [
        (str(row["step"]), *(str(row[name]) for name in ("recovered", "lost", "stopped", "open")), _share(row["recovered"], ended))
        for row in steps
    ])  # fmt: skip
    _bars("Recovered after step", [(str(row["step"]), row["recovered"]) for row in steps])
    return None


async def refunds(database: Database, asked: Asked, as_csv: bool) -> None:
    """Refunds under way by age against their deadlines, and what became of all."""
    if as_csv:
        return await _csv(database, "refunds", "refund_rows", asked)
    ages = await database.rows("refunds", "refund_ages", asked.since, asked.until, asked.plan, asked.now)
    _table("Refunds that have not arrived", ("age", "refunds", "amount", "promise missed", "deadline missed", "next deadline"), [
        (
            _AGES[row["age"]], str(row["refunds"]), words.money(row["amount_minor"], row["currency"]), str(row["promise_missed"]),
            str(row["deadline_missed"]), words.moment(row["next_deadline"]),
        )
        for row in ages
    ])  # fmt: skip
    _bars(
        "Not arrived, by age",
        [(_AGES[age], sum(row["refunds"] for row in ages if row["age"] == age)) for age in sorted({row["age"] for row in ages})],
    )
    months = await _rows(database, "refunds", "refund_months", asked)
    _table("Asked back", ("month", "refunds", "amount", "rejected", "issued in time", "issued late", "not issued yet"), [
        (
            row["month"], str(row["asked"]), words.money(row["amount_minor"], row["currency"]),
            *(str(row[name]) for name in ("rejected", "in_time", "late", "waiting")),
        )
        for row in months
    ])  # fmt: skip
    return None


async def mails(database: Database, asked: Asked, as_csv: bool) -> None:
    """Mails by template, which were sent later than promised, and why some were not sent."""
    if asked.plan:
        raise Trouble("mails are not kept by plan: leave --plan out")
    window = (asked.since, asked.until)
    if as_csv:
        return _written(await database.rows("notifier", "mail_rows", *window))
    found = await database.rows("notifier", "mails", *window)
    columns = ("sent", "late", "suppressed", "bounced", "undeliverable", "waiting")
    _table(
        "Mails", ("template", "class", *columns), [(row["template"], row["class"], *(str(row[name]) for name in columns)) for row in found]
    )
    _bars("Sent", [(row["template"], row["sent"]) for row in found if row["sent"]][:20])
    reasons = await database.rows("notifier", "mail_reasons", *window)
    _table(
        "Not sent, because", ("outcome", "reason", "mails"), [(row["outcome"], row["reason"] or "-", str(row["mails"])) for row in reasons]
    )
    return None


Report = Callable[[Database, Asked, bool], Any]
REPORTS: dict[str, Report] = {"churn": churn, "refunds": refunds, "dunning": dunning, "mails": mails}


async def _rows(database: Database, service: str, query: str, asked: Asked) -> list[Row]:
    return await database.rows(service, query, asked.since, asked.until, asked.plan)


async def _csv(database: Database, service: str, query: str, asked: Asked) -> None:
    _written(await _rows(database, service, query, asked))


def _written(rows: list[Row]) -> None:
    """For a spreadsheet: a header, and moments in ISO 8601."""
    if not rows:
        return
    to = csv.writer(sys.stdout, lineterminator="\n")
    to.writerow(rows[0])
    to.writerows([_cell(value) for value in row.values()] for row in rows)


def _cell(value: Any) -> Any:
    """Nothing that a spreadsheet would take for a formula: plans and reasons are other people's words."""
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _by_month(rows: Iterable[Row]) -> dict[str, tuple[str, str]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["month"]].append(row)
    return {month: (_sums(each, "lost"), _sums(each, "saved")) for month, each in found.items()}


def _sums(rows: Iterable[Row], name: str) -> str:
    return " + ".join(words.money(row[name], row["currency"]) for row in rows if row[name]) or "-"


def _before_the_first(row: Row) -> bool:
    return not any(row[name] for name in ("at_start", "new", "returned", "voluntary", "involuntary"))


def _net(row: Row) -> int:
    net: int = row["new"] + row["returned"] - row["voluntary"] - row["involuntary"]
    return net


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _table(title: str, columns: Cells, rows: list[tuple[str, ...]]) -> None:
    screen.out.print(screen.heading(title, "" if rows else "nothing in this time"))
    if rows:
        left = {name for at, name in enumerate(columns) if any(row[at][:1].isalpha() for row in rows)}
        screen.table(columns, rows, right=set(columns[1:]) - left)
    screen.out.print()


def _bars(title: str, rows: Sequence[tuple[str, int]]) -> None:
    """One line each; what is negative is drawn with another character."""
    longest = max((abs(number) for _, number in rows), default=0)
    if not longest:
        return
    wide, digits = max(len(name) for name, _ in rows), max(len(str(number)) for _, number in rows)
    screen.out.print(screen.heading(title))
    for name, number in rows:
        bar = ("#" if number > 0 else "-") * round(_WIDTH * abs(number) / longest)
        screen.out.print(f"{name:<{wide}}  {number:>{digits}}  {bar}".rstrip())
    screen.out.print()


def _cohorts(rows: list[Row]) -> None:
    ages = sorted({row["age"] for row in rows})
    found: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in rows:
        found[row["cohort"]][row["age"]] = row

    def still(each: dict[int, Row]) -> list[str]:
        return ["" if each[age]["still"] is None else _share(each[age]["still"], each[age]["size"]) for age in ages]

    columns = ("came in", "customers", *(str(age) for age in ages))
    _table("Still there after so many months", columns, [
        (cohort, str(each[ages[0]]["size"]), *still(each)) for cohort, each in found.items()
    ])  # fmt: skip
