"""What was published once is understood for ever: schemas only grow by optional fields."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, create_model

from offramp_schemas import EVENT_BY_KEBAB, generate
from offramp_schemas.base import Currency, Id, Minor, Name, Part
from offramp_schemas.compatibility import breaking_changes
from offramp_schemas.payment import PaymentFailed

RELEASED_EXAMPLES = sorted(generate.RELEASED.glob("*/examples/*.json"))


class Bill(Part):
    """Stands for a published event."""

    invoice_id: Id
    amount_minor: Minor
    currency: Currency
    note: Name | None = None
    lines: tuple[Id, ...] = ()


def changed(**fields: Any) -> dict[str, Any]:
    return create_model("Bill", __base__=Bill, **fields).model_json_schema()


def test_the_models_keep_every_promise_that_was_published() -> None:
    assert list(generate.RELEASED.glob("*/json-schemas/*.json"))
    assert generate.broken_promises() == []


@pytest.mark.parametrize("path", RELEASED_EXAMPLES, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_every_example_ever_published_still_loads(path: Path) -> None:
    event = EVENT_BY_KEBAB[path.name.partition(".")[0]]
    event.model_validate_json(path.read_bytes())


@pytest.mark.parametrize(
    "current",
    [
        pytest.param(changed(), id="nothing"),
        pytest.param(changed(due_on=(Name | None, None)), id="a new optional field"),
        pytest.param(changed(amount_minor=(Minor, Field(description="in words"))), id="a description"),
    ],
)
def test_a_new_optional_field_or_a_better_description_is_no_breaking_change(current: dict[str, Any]) -> None:
    assert breaking_changes(Bill.model_json_schema(), current) == []


@pytest.mark.parametrize(
    "current",
    [
        pytest.param(changed(due_on=(Name, ...)), id="a new required field"),
        pytest.param(changed(note=(Name, ...)), id="an optional field becomes required"),
        pytest.param(changed(currency=(Currency, "EUR")), id="a required field becomes optional"),
        pytest.param(changed(amount_minor=(str, ...)), id="another type"),
        pytest.param(changed(amount_minor=(int, ...)), id="a wider range"),
        pytest.param(changed(lines=(tuple[Minor, ...], ())), id="another type of item"),
        pytest.param(changed(note=(Name | None, "none")), id="another default"),
    ],
)
def test_anything_else_is_a_breaking_change(current: dict[str, Any]) -> None:
    assert breaking_changes(Bill.model_json_schema(), current)


def test_a_field_that_is_gone_is_a_breaking_change() -> None:
    released, current = Bill.model_json_schema(), Bill.model_json_schema()
    del current["properties"]["note"]
    assert breaking_changes(released, current) == ["data.note: was removed"]


def test_a_breaking_change_deep_inside_is_found_through_its_reference() -> None:
    def outer(inner: type[Part]) -> dict[str, Any]:
        return create_model("Letter", __base__=Part, bill=(inner, ...)).model_json_schema()

    told = breaking_changes(outer(Bill), outer(create_model("Bill", __base__=Bill, note=(Name, ...))))
    assert any(change.startswith("data.bill: required") for change in told)


def test_a_planted_breaking_change_of_a_released_schema_fails_the_check(tmp_path: Path) -> None:
    path = tmp_path / "0.0.1" / "json-schemas" / generate.schema_name(PaymentFailed)
    path.parent.mkdir(parents=True)
    schema = generate.json_schema(PaymentFailed)
    schema["properties"]["retry_at"] = {"type": "string"}
    path.write_text(json.dumps(schema))
    assert generate.broken_promises(tmp_path) == ["0.0.1 payment-failed.v1.json: data.retry_at: was removed"]


def test_an_event_that_is_gone_fails_the_check(tmp_path: Path) -> None:
    (tmp_path / "0.0.1" / "json-schemas").mkdir(parents=True)
    (tmp_path / "0.0.1" / "json-schemas" / "payment-forgotten.v1.json").write_text("{}")
    assert generate.broken_promises(tmp_path) == ["0.0.1 payment-forgotten.v1.json: the event was removed"]


def test_a_release_that_breaks_an_earlier_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "RELEASED", tmp_path)
    monkeypatch.setattr(generate, "broken_promises", lambda: ["0.0.1 payment-failed.v1.json: data.retry_at: was removed"])
    with pytest.raises(ValueError, match="retry_at"):
        generate.release("0.0.2")
    shutil.rmtree(tmp_path / "0.0.2", ignore_errors=True)
    assert not list(tmp_path.iterdir())
