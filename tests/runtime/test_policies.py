"""A policy file that changed becomes a new version; what an older one started can still read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import Field, model_validator

from services.runtime import policies, policy_versions
from services.runtime.policies import Policies, PolicyError, Section, Varied
from services.runtime.policy_values import Duration
from services.runtime.stored import Pool


class Patience(Section):
    """A policy of one number."""

    wait: Duration = timedelta(days=3)


def write(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(text)
    return file


async def test_a_changed_file_is_a_new_version_and_the_old_one_stays(pool: Pool, tmp_path: Path) -> None:
    async with pool.acquire() as connection:
        first = await policy_versions.remember(connection, write(tmp_path, "lifecycle:\n  wait: 1d\n"), "lifecycle", Patience)
        again = await policy_versions.remember(connection, write(tmp_path, "lifecycle: {wait: 24h}\n"), "lifecycle", Patience)
        second = await policy_versions.remember(connection, write(tmp_path, "lifecycle:\n  wait: 2d\n"), "lifecycle", Patience)
    assert (first.version, again.version, second.version) == (1, 1, 2)
    assert (second.current.wait, second.by_version[1].wait) == (timedelta(days=2), timedelta(days=1))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lifecycle:\n  wait: 1d\n  wiat: 2d\n", "policy.yaml:3: lifecycle.wiat: Extra inputs"),
        ("lifecycle:\n  wait: -1d\n", "policy.yaml:2: lifecycle.wait"),
        ("# a comment\nlifecycel:\n  wait: 1d\n", "policy.yaml:2: unknown section 'lifecycel'"),
        ("lifecycle: [", "policy.yaml:1: not YAML"),
        ("just words", "must be a mapping"),
        ("lifecycle:\n  wait: 1d\n  wait: 2d\n", "policy.yaml:3: 'wait' stands here a second time"),
        ("lifecycle: &a {wait: *a}\n", "policy.yaml:1: lifecycle.wait"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(PolicyError) as refused:
        policies.read(write(tmp_path, text), "lifecycle", Patience)
    assert complaint in str(refused.value)


def test_a_missing_file_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="set OFFRAMP_POLICY_FILE"):
        policies.read(tmp_path / "none.yaml", "lifecycle", Patience)


class Terms(Varied):
    """A policy of three numbers, two of which must be in order."""

    notice: Duration = timedelta(0)
    ask: Duration = timedelta(days=1)
    again: Duration = timedelta(days=3)
    limits: Mapping[str, int] = Field(default={"EUR": 100, "JPY": 200})

    @model_validator(mode="after")
    def _in_order(self) -> "Terms":
        if self.again <= self.ask:
            raise ValueError("again must be longer than ask")
        return self


@dataclass(frozen=True)
class Somebody:
    """Who has a plan and a country, and began under a version."""

    plan: str = "basic"
    country: str = "IE"
    policy_version: int = 1


def terms(**said: object) -> Terms:
    return Terms.model_validate(said)


def test_a_country_has_the_last_word_over_a_plan_and_a_plan_over_what_holds_for_everybody() -> None:
    policy = terms(notice="1d", plans={"pro": {"notice": "2d", "ask": "2d"}}, countries={"DE": {"notice": "3d"}})
    found = {(who.plan, who.country): policy.of(who.plan, who.country) for who in (Somebody(), Somebody("pro"), Somebody("pro", "DE"))}
    assert [each.notice.days for each in found.values()] == [1, 2, 3]
    assert [each.ask.days for each in found.values()] == [1, 2, 2]


def test_what_is_not_said_again_stays_in_a_table_too() -> None:
    assert terms(plans={"pro": {"limits": {"EUR": 7}}}).of("pro", "IE").limits == {"EUR": 7, "JPY": 200}


@pytest.mark.parametrize(
    ("bounds", "notice", "days"),
    [
        ({"at_most": "28d"}, "60d", 28),
        ({"at_most": "28d"}, "7d", 7),
        ({"at_least": "14d"}, "7d", 14),
        ({"at_least": "14d"}, "20d", 20),
        ({"at_least": "14d", "at_most": "28d"}, "60d", 28),
    ],
)
def test_a_country_can_bound_what_plans_say(bounds: dict[str, str], notice: str, days: int) -> None:
    policy = terms(plans={"pro": {"notice": notice}}, countries={"DE": {"notice": bounds}})
    assert policy.of("pro", "DE").notice.days == days
    assert policy.of("pro", "FR").notice == terms(notice=notice).notice


def test_what_holds_is_found_once_and_what_began_earlier_keeps_the_numbers_of_then() -> None:
    old, new = terms(countries={"DE": {"ask": "2d"}}), terms(countries={"DE": {"ask": "12h"}})
    both, who = Policies(2, {1: old, 2: new}), Somebody(country="DE")
    assert (both.of(who).ask, both.begun(who).ask) == (timedelta(hours=12), timedelta(days=2))
    assert both.of(who) is both.of(Somebody("pro", "DE"))
    assert both.of(Somebody()) is new


def test_what_plans_and_countries_say_is_stored_with_its_version(tmp_path: Path) -> None:
    policy, _ = policies.read(write(tmp_path, "lifecycle:\n  countries: {NO: {notice: {at_most: 28d}}}\n"), "lifecycle", Terms)
    assert Terms.model_validate_json(policy.model_dump_json()) == policy
    assert policy.of("any", "NO") != policy


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("  plans:\n    pro: {notise: 1d}\n", [":3: lifecycle.plans.pro.notise: Extra inputs"]),
        ("  plans:\n    pro: {notice: -1d}\n", [":3: lifecycle.plans.pro.notice"]),
        ("  plans:\n    pro:\n      plans: {max: {}}\n", [":4: lifecycle.plans.pro.plans: neither plans nor countries"]),
        ("  plans: {}\n  countries:\n    UK: {notice: 1d}\n", [":4: lifecycle.countries.UK: UK is no country"]),
        ("  countries:\n    DE:\n      ask: 5d\n", [":3: lifecycle.countries.DE: Value error, again must be longer than ask"]),
        ("  countries:\n    DE: {notice: {at_most: soon}}\n", [":3: lifecycle.countries.DE.notice"]),
        ("  countries:\n    DE: {notice: {at_most: -1d}}\n", [":3: lifecycle.countries.DE.notice"]),
        ("  countries:\n    DE: {notice: {at_least: 2d, at_most: 1d}}\n", [":3: lifecycle.countries.DE.notice"]),
        ("  countries:\n    DE: {limits: {EUR: {at_most: 1d}}}\n", [":3: lifecycle.countries.DE.limits.EUR"]),
        ("  plans:\n    pro: {ask: -1d}\n  countries:\n    NO: {ask: 1}\n    XX: {}\n", [":3: lifecycle.plans.pro", ":5: ", ":6: "]),
        ("  plans: {pro: {again: 30h}}\n  countries:\n    DE: {ask: 2d}\n", [":4: lifecycle.countries.DE: ", "(for the plan pro)"]),
    ],
)
def test_a_mistake_about_a_plan_or_a_country_is_named_with_its_line(tmp_path: Path, text: str, complaints: list[str]) -> None:
    with pytest.raises(PolicyError) as refused:
        policies.read(write(tmp_path, f"lifecycle:\n{text}"), "lifecycle", Terms)
    lines = str(refused.value).splitlines()
    assert all(complaint in str(refused.value) for complaint in complaints), lines
    assert len(lines) == len([each for each in complaints if each.startswith(":")])
