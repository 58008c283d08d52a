"""The policy file: readable, the defaults of the rules, and a mistake is told with its line."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from services.lifecycle.policy import Policy, WithdrawalRules
from services.runtime.policies import DEFAULT_FILE, PolicyError, read
from services.runtime.policy_values import STORED


def written(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(text)
    return file


def test_the_shipped_file_says_the_defaults() -> None:
    policy, _ = read(DEFAULT_FILE, "lifecycle", Policy)
    assert policy == Policy()


def test_a_plan_says_only_what_it_changes(tmp_path: Path) -> None:
    file = written(tmp_path, "lifecycle:\n  data: {grace: 10d}\n  plans:\n    pro: {dunning: {steps: [2d]}}\n")
    policy, _ = read(file, "lifecycle", Policy)
    pro = policy.of("pro", "DE")
    assert pro.dunning.steps == (timedelta(days=2),)
    assert pro.dunning.settle_margin == timedelta(days=1)
    assert pro.data.grace == timedelta(days=10)
    assert policy.of("any other", "DE") is policy


def test_what_an_earlier_version_stored_can_still_be_read() -> None:
    general = Policy(withdrawal=WithdrawalRules(window=timedelta(days=20))).model_dump(mode="json", exclude={"countries"})
    general["withdrawal"]["countries"] = ["UK", "DE"]  # nobody looked
    of_a_plan = {key: rules for key, rules in general.items() if key != "plans"} | {"trial": {"settle_margin": "PT2H"}}
    stored = general | {"plans": {"pro": of_a_plan}}
    policy = Policy.model_validate(json.loads(json.dumps(stored)), context=STORED)
    assert policy.of("pro", "DE").trial.settle_margin == timedelta(hours=2)
    assert policy.of("pro", "DE").withdrawal.window == timedelta(days=20)


def test_a_policy_reads_back_as_it_was_stored(tmp_path: Path) -> None:
    policy, _ = read(written(tmp_path, "lifecycle:\n  plans:\n    pro: {inactivity: {notice: 14d}}\n"), "lifecycle", Policy)
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("lifecycle:\n  dunning:\n    steps: [3d, 1d]\n", 2, "in order"),
        ("lifecycle:\n  dunning:\n    steps: []\n", 3, "at least 1"),
        ("lifecycle:\n  data:\n    grace: -1d\n", 3, "duration"),
        ("lifecycle:\n  data:\n    grace: 3\n", 3, "duration"),
        ("lifecycle:\n  data:\n    graze: 3d\n", 3, "Extra inputs"),
        ("lifecycle:\n  plans:\n    pro:\n      dunning:\n        settle_margin: 0d\n", 5, "greater than"),
        ("lifecycle:\n  plans:\n    pro: 7\n", 3, "valid dictionary"),
        ("lifecycle:\n  inactivity:\n    warn_after: 100d\n", 2, "shorter"),
        ("lifecycle:\n  inactivity:\n    notice: 1d\n", 2, "twice"),
        ("lifecycle:\n  data:\n    remind_before: 6d\n", 2, "shorter"),
        ("lifecycle:\n  withdrawal:\n    countries: [Germany]\n", 3, "Germany is no country"),
        ("lifecycle:\n  offers:\n    by_reason: {bored: discount}\n", 3, "Input should be"),
        ("lifecycle:\n  offers:\n    by_reason: {unused: flowers}\n", 3, "Input should be"),
        ("lifecycle:\n  offers:\n    discount_percent: 101\n", 3, "less than or equal"),
        ("lifecycle:\n  pause:\n    longest: 60d\n", 1, "pause_for must not be longer"),
        ("lifecycle:\n  plans:\n    pro: {offers: {pause_for: 400d}}\n", 3, "pause_for must not be longer"),
        ("lifecycle:\n  offers:\n    extend_trial_by: 1h\n", 3, "greater than or equal"),
        ("lifecycle:\n  feedback:\n    outreach_monthly_price: {EURO: 1}\n", 3, "pattern"),
        ("lifecycle:\n  reminders:\n    trial: [1d, 3d]\n", 3, "in order"),
        ("lifecycle:\n  win_back:\n    after: [30d, 30d]\n", 2, "in order"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, word: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(PolicyError, match=word) as problem:
        read(file, "lifecycle", Policy)
    assert f"{file}:{line}:" in str(problem.value)
