"""What a query may ask for: metrics that the services have, by labels and label values that these have."""

import re
from collections.abc import Mapping

import promql_parser
from prometheus_client import Counter, Histogram
from promql_parser import AggModifierType, AggregateExpr, BinaryExpr, Call, Expr, VectorSelector

from offramp_schemas import TOPICS, Reason
from services.lifecycle import service as _lifecycle  # noqa: F401  # importing a service registers what it counts
from services.notifier import service as _notifier  # noqa: F401
from services.refunds import service as _refunds  # noqa: F401
from services.runtime.app import PORTS
from services.runtime.telemetry import REGISTRY

OF_THE_TARGET = frozenset({"instance", "job", "namespace", "pod"})
"""Labels that Prometheus adds to whatever it reads."""
VALUES: Mapping[str, frozenset[str]] = {
    "service": frozenset(PORTS),
    "topic": frozenset(topic.name for topic in TOPICS),
    "reason": frozenset(reason.value for reason in Reason),
    "outcome": frozenset({"answered", "put_off", "unreachable", "unknown"}),
    "clock": frozenset({"system", "test"}),
    "overdue": frozenset({"yes", "no"}),
}


def metrics() -> dict[str, frozenset[str]]:
    """Every series that a service has, by its name, with its labels."""
    found = {}
    for name, metric in REGISTRY._names_to_collectors.items():
        if isinstance(metric, Counter | Histogram) and name == metric._name:
            continue  # the name of the family, not of a series
        bucket = {"le"} if name.endswith("_bucket") else set()
        found[name] = frozenset({*getattr(metric, "_labelnames", ()), *bucket})
    for family in REGISTRY.collect():  # a collector that is no metric, as that of the process, names its series only here
        found |= {sample.name: frozenset(sample.labels) for sample in family.samples if sample.name not in found}
    return found


class Query:
    """One query, with what is wrong with it in `problems`, and the `labels` that its result has."""

    def __init__(self, text: str) -> None:
        self.problems: list[str] = []
        self.labels: frozenset[str] = frozenset()
        self._metrics = metrics()
        try:
            tree = promql_parser.parse(text.replace("$__rate_interval", "5m"))
        except ValueError as error:
            self.problems.append(f"no PromQL: {error}")
        else:
            self.labels = self._labels_of(tree)

    def says(self, template: str) -> None:
        """A text that is filled in from the labels: `{{ $labels.topic }}` or `{{topic}}`."""
        for label in re.findall(r"\{\{ *(?:\$labels\.)?(\w+) *\}\}", template):
            self._want(label, self.labels, f"the text {template!r}")

    def _labels_of(self, tree: Expr) -> frozenset[str]:
        match tree:
            case VectorSelector():
                return self._selected(tree)
            case AggregateExpr():
                return self._aggregated(tree)
            case BinaryExpr():
                return self._joined(tree)
            case Call():
                return self._called(tree)
        inner = [getattr(tree, name, None) for name in ("vector_selector", "expr")]
        return frozenset().union(*(self._labels_of(each) for each in inner if isinstance(each, Expr)))

    def _selected(self, tree: VectorSelector) -> frozenset[str]:
        name = tree.name or ""
        if name not in self._metrics:
            self.problems.append(f"no service has {name}")
            return frozenset()
        labels = self._metrics[name] | OF_THE_TARGET
        for matcher in tree.matchers.matchers:
            self._want(matcher.name, labels, name)
            wanted = {value for value in matcher.value.split("|") if value and not value.startswith("$")}
            for value in sorted(wanted - VALUES.get(matcher.name, frozenset(wanted))):
                self.problems.append(f"{matcher.name} of {name} is never {value}")
        return labels

    def _aggregated(self, tree: AggregateExpr) -> frozenset[str]:
        inner = self._labels_of(tree.expr)
        if tree.modifier is None:
            return frozenset()
        named = frozenset(tree.modifier.labels)
        for label in sorted(named):
            self._want(label, inner, tree.expr.prettify())
        return named if tree.modifier.type == AggModifierType.By else inner - named

    def _joined(self, tree: BinaryExpr) -> frozenset[str]:
        left, right = self._labels_of(tree.lhs), self._labels_of(tree.rhs)
        matching = tree.modifier.matching if tree.modifier else None
        for label in matching.labels if matching else ():
            self._want(label, left & right, "both sides")
        return left | right

    def _called(self, tree: Call) -> frozenset[str]:
        inner = [self._labels_of(each) for each in tree.args]
        if tree.func.name == "absent":  # its labels are those that were asked for by name
            return frozenset(each.name for each in tree.args[0].matchers.matchers)
        return frozenset().union(*inner)

    def _want(self, label: str, labels: frozenset[str], what: str) -> None:
        if label not in labels:
            self.problems.append(f"{what} has no label {label}")
