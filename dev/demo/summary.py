"""The end of the play, for somebody who has seen none of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from dev.demo.cast import BEGINS, CAST, ENDS
from dev.demo.ending import Found
from dev.demo.page import MAIL, Page
from dev.demo.telling import day
from services.console.words import money


def show(page: Page, what: Found, counted: Mapping[str, int], seconds: float) -> None:
    """What became of everybody, as the tables say it, and what it took."""
    page.title("What became of them", f"{day(BEGINS)} to {day(ENDS)}, in {seconds:.0f} s")
    page.out.print()
    for customer in CAST:
        if row := what.rows.get(customer.subscription_id):
            number = what.mails[customer.subscription_id].total()
            mails = f"{number:>2} mail" if number == 1 else f"{number:>2} mails"
            page.out.print(
                Text.assemble("  ", (f"{customer.first:<7}", "bold"), f"{_subscription(row):<50}{_refund(row):<33}", (mails, MAIL))
            )
    page.out.print()
    for sentence in _sentences(what, counted):
        page.out.print(f"  {sentence}")


def _subscription(row: Any) -> str:
    if row["state"] == "ended":
        return f"ended on {day(row['ended_at'])}: {row['end_reason'].replace('_', ' ')}, data {row['data_stage']}"
    return str(row["state"].replace("_", " "))


def _refund(row: Any) -> str:
    return f"{money(row['amount_minor'], row['currency'])} {_SAYS.get(row['refund'], row['refund'])}" if row["refund"] else ""


_SAYS = {"closed": "is back on the card", "settled_manually": "came by bank transfer"}


def _sentences(what: Found, counted: Mapping[str, int]) -> list[str]:
    decided = counted.get("decided", 0) + counted.get("alarm", 0)
    paid = ", ".join(money(amount, "EUR") for amount in what.provider_total.values())
    return [
        f"{counted['comes in']} events came in. {decided} decisions were stated, {counted.get('mail', 0)} mails were sent to customers.",
        f"The provider paid back {paid}: each once, whatever happened on the way.",
        f"{counted.get('alert', 0)} alerts reached our own people: nothing that was owed could wait unseen.",
        f"{counted.get('put aside', 0)} broken record was put aside for a person; it held up nobody.",
    ]
