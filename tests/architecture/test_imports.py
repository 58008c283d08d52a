"""Who may import whom. Each rule is broken on purpose, and import-linter has to say so."""

from __future__ import annotations

import pytest

from tests.architecture.house import House

_VIOLATIONS = {
    "the shell imports a service": ("services/runtime/planted.py", "services.lifecycle.states"),
    "a service imports another one": ("services/refunds/planted.py", "services.lifecycle.states"),
    "a service imports a tool of development": ("services/runtime/planted_too.py", "dev.places"),
    "the contract imports a service": ("schemas/offramp_schemas/planted.py", "services.runtime.decision"),
    "the contract imports a library besides pydantic": ("schemas/offramp_schemas/planted_too.py", "asyncpg"),
    "a service imports what gives Kafka its users": ("services/notifier/planted_in_setup.py", "confluent_kafka"),
    "a rule imports Kafka": ("services/lifecycle/planted.py", "aiokafka"),
    "a rule imports the database": ("services/refunds/planted_too.py", "asyncpg"),
    "a rule imports the shell": ("services/notifier/planted.py", "services.runtime.apply"),
    "a rule imports the operating system": ("services/lifecycle/planted_too.py", "os"),
    "a rule imports how its states are stored": ("services/notifier/planted_too.py", "services.notifier.store"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The house as it is."""
    return House.copied_to(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def report(house: House) -> str:
    """What import-linter says about all of the violations at once."""
    for file, imported in _VIOLATIONS.values():
        house.plant(file, f"import {imported}\n")
    status, output = house.verdict("lint-imports", "--no-logo", "--no-cache")
    assert status != 0
    assert "0 kept" in output, "each rule has a violation here"
    return output


@pytest.mark.parametrize("violation", _VIOLATIONS)
def test_import_linter_sees_that(violation: str, report: str) -> None:
    file, imported = _VIOLATIONS[violation]
    importer = file.removeprefix("schemas/").removesuffix(".py").replace("/", ".")
    named = (f"{importer} -> {imported}", f"{importer} is not allowed to import {imported}.")
    assert any(each in report for each in named), report


def test_a_rule_about_modules_that_are_gone_is_broken_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    house = House.copied_to(tmp_path_factory.mktemp("renamed"))
    configuration = house.top / "pyproject.toml"
    configuration.write_text(configuration.read_text().replace('modules = ["services.lifecycle.*", ', 'modules = ["services.gone.*"] #'))
    _, output = house.verdict("lint-imports", "--no-logo", "--no-cache")
    assert "No module matches." in output
