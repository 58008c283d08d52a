"""A figure: what several runs measured, beside what it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

from rich.table import Table

Record: TypeAlias = dict[str, Any]
"""A figure as it stands in results.json."""


@dataclass(frozen=True)
class Figure:
    """One line of the results. `values` and `references` belong together run by run: the machine is never quite the same twice.

    Without references it stands alone. `bound` is what the ratio should keep to: `>= 0.6`.
    """

    name: str
    unit: str
    values: Sequence[float]
    compared_with: str | None = None
    references: Sequence[float] = ()
    bound: str = ""

    @property
    def value(self) -> float:
        """The median run."""
        return median(self.values)

    @property
    def ratio(self) -> float | None:
        """The median of the runs' own ratios."""
        if not self.references:
            return None
        return median(value / reference for value, reference in zip(self.values, self.references, strict=True))

    @property
    def kept(self) -> bool | None:
        """Whether the ratio keeps to the bound; None where there is none."""
        if not self.bound or self.ratio is None:
            return None
        sign, number = self.bound.split()
        return self.ratio >= float(number) if sign == ">=" else self.ratio <= float(number)


def at_most(name: str, unit: str, values: Sequence[float], most: float) -> Figure:
    """A figure that is compared with the most that it may be."""
    return Figure(name, unit, values, f"at most {most:g} {unit}", [most] * len(values), "<= 1")


def at_least(name: str, unit: str, values: Sequence[float], least: float) -> Figure:
    """A figure that is compared with the least that it may be."""
    return Figure(name, unit, values, f"at least {least:g} {unit}", [least] * len(values), ">= 1")


def as_records(figures: Sequence[Figure]) -> list[Record]:
    """For machines, and for whoever writes the page later."""
    return [
        {
            "figure": f.name,
            "value": round(f.value, 3),
            "unit": f.unit,
            "from": round(min(f.values), 3),
            "to": round(max(f.values), 3),
            "runs": len(f.values),
            "compared_with": f.compared_with,
            "ratio": f.ratio and round(f.ratio, 3),
            "wanted": f.bound,
            "kept": f.kept,
        }
        for f in figures
    ]


def as_rows(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """For people."""
    return [
        (
            each["figure"],
            f"{_short(each['value'])} {each['unit']}".strip(),
            f"{_short(each['from'])} to {_short(each['to'])}" if each["runs"] > 1 else "one run",
            each["compared_with"] or "",
            _short(each["ratio"]) if each["ratio"] else "",
            each["wanted"],
            {True: "yes", False: "no", None: ""}[each["kept"]],
        )
        for each in records
    ]


HEADINGS = ("figure", "median", "spread", "compared with", "ratio", "wanted", "kept")


def as_table(records: Sequence[Record]) -> Table:
    """For a terminal."""
    table = Table(*HEADINGS)
    for row in as_rows(records):
        table.add_row(*row, style="red" if row[-1] == "no" else None)
    return table


def as_markdown(rows: Sequence[tuple[str, ...]], *more: str) -> str:
    """For a page; `more` are columns besides."""
    headings = (*HEADINGS, *more)
    return "\n".join("| " + " | ".join(line) + " |" for line in (headings, tuple("---" for _ in headings), *rows))


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
