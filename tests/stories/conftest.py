"""All stories are played once, side by side; then each test looks at what came of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from dev.system import System
from services.runtime.policies import DEFAULT_FILE
from tests.stories.life import Lives
from tests.stories.script import BEGINS, PLAN_WITH_NOTICE
from tests.stories.stage import Stage


def pytest_configure(config: pytest.Config) -> None:
    """So that no other marker is taken for it."""
    config.addinivalue_line("markers", "story(story): what happens to a customer whom the test is about")


@pytest.fixture(scope="package")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy that is shipped, and a plan of the seller's that asks for notice."""
    policy = yaml.safe_load(DEFAULT_FILE.read_text())
    policy["lifecycle"]["plans"] = {PLAN_WITH_NOTICE: {"cancellation": {"notice": "30d"}}}
    file = tmp_path_factory.mktemp("policy") / "policy.yaml"
    file.write_text(yaml.safe_dump(policy))
    return file


@pytest.fixture(scope="package")
async def system(policy_file: Path) -> AsyncIterator[System]:
    """Everything, on the test clock."""
    settings = {"OFFRAMP_LOOK_EVERY": "0.1", "OFFRAMP_POLICY_FILE": str(policy_file)}
    async with System.start(clock="test", begins=BEGINS, settings=settings) as running:
        yield running


@pytest.fixture(scope="package")
async def lives(system: System, request: pytest.FixtureRequest) -> Lives:
    """What came of everybody. Only the stories of the tests that were chosen are played."""
    stories = {mark.args[0].who: mark.args[0] for item in request.session.items for mark in item.iter_markers("story")}
    async with Stage.open(system) as stage:
        await stage.play(stories.values())
        return await Lives.of(stage)
