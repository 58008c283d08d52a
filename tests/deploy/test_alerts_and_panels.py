"""An alert or a panel that asks for a number that nobody has would be silent for ever."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from offramp_schemas.generate import ROOT
from tests.deploy.promql import Query, metrics

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "offramp.json"
PAGE = ROOT / "docs" / "operations.md"


def alerts(rules: Path = RULES) -> list[dict[str, Any]]:
    """The rules of the file."""
    return [rule for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """What the dashboard shows, its headings left out."""
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_the_services_count(rule: dict[str, Any]) -> None:
    query = Query(rule["expr"])
    query.says(rule["annotations"]["summary"].replace("{{ $value", "{{ $value |"))
    assert query.problems == []


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_asks_for_what_the_services_count(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        query = Query(target["expr"])
        query.says(target["legendFormat"])
        assert query.problems == []


def test_panels_do_not_cover_each_other() -> None:
    cells = [
        (x, y)
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for place in (panel["gridPos"],)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))


def test_every_number_of_the_services_is_an_alert_or_a_panel() -> None:
    asked = " ".join([*(rule["expr"] for rule in alerts()), *(target["expr"] for panel in panels() for target in panel["targets"])])
    families = {re.sub("_(bucket|sum|count|created)$", "", name) for name in metrics() if not name.startswith("offramp_process_")}
    assert sorted(name for name in families if name not in asked) == []


def test_an_alert_says_how_urgent_it_is_and_where_to_read_on() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


def unexplained(rules: Path, page: str) -> set[str]:
    """Alerts without a section, and sections without an alert."""
    sections = {line.removeprefix("### ") for line in page.splitlines() if line.startswith("### Offramp")}
    return sections ^ {rule["alert"] for rule in alerts(rules)}


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    assert unexplained(RULES, PAGE.read_text()) == set()


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("offramp_lag > 3", "no service has offramp_lag"),
        ("sum(rate(offramp_records[5m]))", "no service has offramp_records"),
        ("rate(offramp_batch_seconds[5m])", "no service has offramp_batch_seconds"),
        ("offramp_info and up == 0", "no service has up"),
        ('offramp_lag_records{partition="3"}', "offramp_lag_records has no label partition"),
        ('offramp_lag_records{service="billing"}', "service of offramp_lag_records is never billing"),
        ('offramp_dead_letters_open{reason=~"not_json|nonsense"}', "reason of offramp_dead_letters_open is never nonsense"),
        ("max by (topic) (offramp_parked_records)", "offramp_parked_records has no label topic"),
        ("sum by (le) (max by (service) (rate(offramp_batch_seconds_bucket[5m])))", "has no label le"),
        ("min_over_time(offramp_outbox[5m:1m]) > 0", "no service has offramp_outbox"),
        ("offramp_outbox_rows unless on (topic) offramp_parked_records", "both sides has no label topic"),
        ("sum by (service (offramp_info)", "no PromQL"),
    ],
)
def test_a_query_for_what_there_is_not_is_found(query: str, problem: str) -> None:
    assert [each for each in Query(query).problems if problem in each]


def test_a_text_with_a_label_that_the_query_drops_is_found() -> None:
    query = Query("max by (service) (offramp_unread_seconds) > 300")
    query.says("{{ $labels.service }} does not read {{ $labels.topic }}")
    assert query.problems == ["the text '{{ $labels.service }} does not read {{ $labels.topic }}' has no label topic"]


def test_an_alert_without_a_section_is_found_and_a_section_without_an_alert(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES.read_text().replace("alert: OfframpOutage", "alert: OfframpNewOne"))
    assert unexplained(rules, PAGE.read_text()) == {"OfframpNewOne", "OfframpOutage"}
