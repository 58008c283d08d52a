"""A policy file that changed becomes a new version; what an older one started can still read it."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.runtime import policies, policy_versions
from services.runtime.policies import Duration, PolicyError, Section
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
    assert (second.current.wait, second[1].wait) == (timedelta(days=2), timedelta(days=1))


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
