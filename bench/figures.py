"""A figure: what several runs measured, beside what it is compared with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.table import Table


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


def write_json(figures: Sequence[Figure], file: Path) -> None:
    """For machines."""
    rows = [
        {
            "figure": f.name,
            "value": round(f.value, 3),
            "unit": f.unit,
            "compared_with": f.compared_with,
            "ratio": f.ratio and round(f.ratio, 3),
        }
        for f in figures
    ]
    file.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")


def as_rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    """For people."""
    return [
        (
            figure.name,
            f"{_short(figure.value)} {figure.unit}",
            f"{_short(min(figure.values))} to {_short(max(figure.values))}" if len(figure.values) > 1 else "one run",
            figure.compared_with or "",
            _short(figure.ratio) if figure.ratio else "",
            figure.bound,
            {True: "yes", False: "no", None: ""}[figure.kept],
        )
        for figure in figures
    ]


HEADINGS = ("figure", "median", "spread", "compared with", "ratio", "wanted", "kept")


def as_table(figures: Sequence[Figure]) -> Table:
    """For a terminal."""
    table = Table(*HEADINGS)
    for row in as_rows(figures):
        table.add_row(*row, style="red" if row[-1] == "no" else None)
    return table


def as_markdown(figures: Sequence[Figure]) -> str:
    """For a page."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *as_rows(figures)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
