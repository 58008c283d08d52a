"""What other teams copy from `docs/testing.md` works: against the whole system, with the clock over HTTP in front of it."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from aiohttp.test_utils import TestServer

from dev.sandbox.behaviour import Behaviour, Do
from dev.system import System
from offramp_schemas import generate
from services.console.main import app
from services.console.preview import Page
from services.console.serve import Front
from services.runtime.settings import Settings

PAGE = (generate.ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
URLS = {"lifecycle": "http://127.0.0.1:8101"}
FRONT = Front(URLS, Page(Settings(), URLS))


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[System]:
    async with System.start(clock="test", settings={"OFFRAMP_LOOK_EVERY": "0.1"}) as running:
        yield running


@pytest.fixture
async def front(system: System) -> AsyncIterator[str]:
    urls = {service: system.url(service) for service in system.processes}
    async with TestServer(Front(urls, Page(Settings(), urls)).app()) as server:
        yield str(server.make_url("/clock"))


async def test_the_example_is_a_test_that_passes(system: System, front: str, tmp_path: Path) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert example
    (tmp_path / "test_example.py").write_text(example[1], encoding="utf-8")
    environment = os.environ | {"KAFKA": system.stack.kafka, "CLOCK": front, "PYTHONPATH": str(generate.PACKAGE.parent)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path),
        env=environment, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, said.decode()
    assert b"1 passed" in said


@pytest.mark.parametrize(("method", "path"), re.findall(r"`(GET|POST) (/\S+)`", PAGE))
def test_every_request_of_the_page_is_one_that_is_answered(method: str, path: str) -> None:
    assert (method, path) in {(route.method, route.resource.canonical) for route in FRONT.app().router.routes() if route.resource}


@pytest.mark.parametrize("instruction", re.findall(r"sandbox/behave -d '(.*?)'", PAGE))
def test_every_instruction_of_the_page_is_one_that_the_provider_takes(instruction: str) -> None:
    msgspec.json.decode(instruction, type=Behaviour)


def test_the_page_names_every_way_in_which_the_provider_misbehaves() -> None:
    listed = PAGE.partition("paid back\n```\n")[2].partition("says what each does")[0]
    assert sorted(re.findall(r"`(\w+)`", listed)) == sorted(get_args(Do))


@pytest.mark.parametrize("words", re.findall(r"docker compose run --rm offramp ([^\n`#]+)", PAGE))
def test_every_command_of_the_page_can_be_read(words: str) -> None:
    app.parse_args(words.replace("<subscription>", "sub_anna"), exit_on_error=False, print_error=False)


def test_every_body_of_an_advance_is_json() -> None:
    bodies = re.findall(r"\{\"(?:by|to)\": \"[^\"]+\"\}", PAGE)
    assert len(bodies) >= 3
    assert all(json.loads(body) for body in bodies)
