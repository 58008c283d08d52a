"""What is generated is committed, fits the models and says the truth."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from offramp_schemas import EVENT_OF, MEANING, TOPIC_OF, TOPICS, Event, Reason, examples, generate
from offramp_schemas.asyncapi import document
from offramp_schemas.overview import summary

EVENTS = pytest.mark.parametrize("event", TOPIC_OF, ids=lambda event: event.kebab())


def test_nothing_that_is_generated_is_stale() -> None:
    assert generate.stale() == []


def test_a_stale_or_missing_or_left_over_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "JSON_SCHEMAS", tmp_path / "json-schemas")
    generate.write()
    assert generate.stale() == []
    (tmp_path / "json-schemas" / "payment-failed.v1.json").write_text("{}\n")
    (tmp_path / "json-schemas" / "payment-forgotten.v1.json").write_text("{}\n")
    (tmp_path / "docs" / "events.md").unlink()
    told = "\n".join(sorted(generate.stale()))
    assert [line.partition(":")[0] for line in told.splitlines()] == [
        "docs/events.md",
        "json-schemas/payment-failed.v1.json",
        "json-schemas/payment-forgotten.v1.json",
    ]


@EVENTS
def test_every_event_has_an_example_with_nothing_misspelt_in_it(event: type[Event]) -> None:
    written = json.loads(examples.path(event).read_text())
    assert examples.load(event).model_dump(mode="json", exclude_unset=True) == written


def test_a_missing_example_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(examples, "path", lambda event: tmp_path / f"{event.kebab()}.json")
    assert generate.main([]) == 1
    assert "payment-failed.json is missing: every event has an example\n" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_no_example_is_left_over() -> None:
    folder = Path(examples.__file__).parent
    assert {path.stem for path in folder.glob("*.json")} == {event.kebab() for event in TOPIC_OF}


@EVENTS
def test_every_example_fits_its_json_schema(event: type[Event]) -> None:
    schema = json.loads((generate.JSON_SCHEMAS / generate.schema_name(event)).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(examples.path(event).read_text()), schema)


@EVENTS
def test_every_event_says_in_one_line_what_it_is(event: type[Event]) -> None:
    assert 10 < len(summary(event)) < 160
    assert summary(event) != summary(Event)


def test_every_reason_has_a_meaning_for_publishers() -> None:
    assert set(MEANING) == set(Reason)


def test_the_overview_names_every_topic_event_and_reason() -> None:
    page = (generate.ROOT / "docs" / "events.md").read_text()
    for name in [*(topic.name for topic in TOPICS), *(event.__name__ for event in TOPIC_OF), *EVENT_OF, *MEANING]:
        assert name in page


def test_every_link_of_the_overview_leads_to_a_file() -> None:
    page = (generate.ROOT / "docs" / "events.md").read_text()
    targets = {part.partition(")")[0] for part in page.split("](")[1:]}
    missing = [each for each in targets if not each.startswith("#") and not (generate.ROOT / "docs" / each).exists()]
    assert not missing


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    whole = document()
    references = {each["$ref"] for each in _objects(whole) if "$ref" in each}
    assert references
    for reference in references:
        found: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            assert step in found, reference
            found = found[step]


def test_every_example_of_the_asyncapi_document_fits_its_payload() -> None:
    whole = document()
    for message in whole["components"]["messages"].values():
        schema = {**message["payload"], "components": whole["components"]}
        for example in message["examples"]:
            jsonschema.validate(example["payload"], schema)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(each)
