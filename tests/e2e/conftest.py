"""The system in containers, once per mode, and what to say about it: what ran, how long it took, and the last words where a test fails."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e import engine
from tests.e2e.project import SERVICES, Mode, Project
from tests.e2e.world import World

_MODES: dict[str, tuple[Mode, ...]] = {"plain": ("plain",), "secure": ("secure",), "both": ("plain", "secure")}
_figures: list[str] = []
_up: list[Project] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test runs in every mode that is asked for, unless its module's MODES says which ones it is about."""
    if "mode" in metafunc.fixturenames:
        asked = _MODES.get(os.environ.get("OFFRAMP_DEV_E2E", "both"))
        if asked is None:
            raise pytest.UsageError(f"OFFRAMP_DEV_E2E is one of {', '.join(_MODES)}")
        about = getattr(metafunc.module, "MODES", asked)
        metafunc.parametrize("mode", [mode for mode in asked if mode in about], scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is about another mode than those asked for is not there, rather than skipped."""
    elsewhere = [item for item in items if item.get_closest_marker("skip") and "mode" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = [item for item in items if item not in elsewhere]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the containers said last."""
    report = yield
    if report.failed and _up:
        report.sections.append(("The last words of the containers", _up[-1].logs("migrate", "topics", *SERVICES, "console")))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What ran in containers, and its figures, whatever is captured."""
    if _figures:
        terminalreporter.section("end to end")
        for line in _figures:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures() -> list[str]:
    """Lines for the end of the report."""
    return _figures


@pytest.fixture(scope="session")
def containers() -> None:
    """A Docker engine; without one, every test is skipped."""
    if why := engine.missing():
        _figures.append(f"NOTHING WAS TESTED END TO END: no containers can be started here, because {why}")
        pytest.skip("no Docker engine")


@pytest.fixture(scope="session")
def project(containers: None, mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The whole system, up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends the tests also ends the containers
    directory: Path = tmp_path_factory.mktemp(mode)
    with Project.up(mode, directory) as running:
        _up.append(running)
        _figures.append(f"{mode}: up to ready in {running.seconds_to_ready:.0f} s (promised: 60 s, on a machine of its own)")
        _figures.extend(
            f"  {each['Service']:<10} {each['Image']:<28} {each['State']} {each['Health'] or each['ExitCode']}"
            for each in running.containers()
        )
        yield running
        _up.clear()


@pytest.fixture(scope="session")
async def world(project: Project) -> AsyncIterator[World]:
    """Everybody else."""
    async with World.open(project) as outside:
        yield outside
