"""How it stands load, and how much it weighs.

The last ones in their mode: a clock that is advanced afterwards has all of the load's timers to go through.
"""

import asyncio
import json
import os
import time

import pytest

from tests.e2e import engine
from tests.e2e.load import Load
from tests.e2e.project import SERVICES, Project
from tests.e2e.world import World

MODES = ("plain",)
STOPS_WITHIN = 30.0  # seconds
RESIDENT = 250.0  # MiB of one service under load
ROUNDS = 10  # of sixty events, before the stop
OVER_BASE = 300.0  # MB of the image on top of Python's
_MIB = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}


async def test_a_stop_under_load_is_drained_and_loses_nothing(world: World, figures: list[str]) -> None:
    load = await Load.of(world, customers=30)
    watching = asyncio.create_task(asyncio.to_thread(_resident, world.project))
    while not watching.done() and load.rounds < ROUNDS:
        await load.publish()
    resident = await watching
    began = time.monotonic()
    stop = asyncio.create_task(world.compose("stop", *SERVICES))
    while not stop.done():  # to their last moment, however fast they are
        await load.publish()
    await stop
    seconds = time.monotonic() - began
    await load.publish()  # nobody is there to hear it
    stopped = {each["Service"]: each["ExitCode"] for each in await asyncio.to_thread(world.project.containers, *SERVICES)}
    left = load.events - sum(map(len, (await load.told()).values()))
    await world.up(*SERVICES)
    await world.settle()
    figures.append(f"under load ({load.events} events): {', '.join(f'{name} {mib:.0f} MiB' for name, mib in resident.items())} resident")
    figures.append(f"stopped under load in {seconds:.1f} s; {left} events were left for the next start")
    assert stopped == dict.fromkeys(SERVICES, 0)
    assert seconds < STOPS_WITHIN
    assert 0 < left < load.events, "it was busy"
    assert await load.wrong() == []
    audit = await world.offramp("audit", "--read-back")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert {name: mib for name, mib in resident.items() if mib > RESIDENT} == {}


def _resident(project: Project) -> dict[str, float]:
    """MiB, by service."""
    names = {each["Name"]: each["Service"] for each in project.containers(*SERVICES) if each["State"] == "running"}
    lines = engine.ended(["docker", "stats", "--no-stream", "--format={{json .}}", *names]).stdout.splitlines()
    used = {names[each["Name"]]: each["MemUsage"].partition(" / ")[0] for each in map(json.loads, lines)}
    return {service: float(text[:-3]) * _MIB[text[-3:]] for service, text in used.items()}


def test_the_image_adds_little_to_its_base(project: Project, figures: list[str]) -> None:
    image, base = os.environ.get("IMAGE", "offramp"), os.environ.get("PYTHON_IMAGE", "python:3.13-slim")
    sizes = [engine.ended(["docker", "image", "inspect", "--format={{.Size}}", name]).stdout.strip() for name in (image, base)]
    if not all(sizes):
        pytest.skip(f"{base} is not kept under its name here, so there is nothing to compare with")
    megabytes = (int(sizes[0]) - int(sizes[1])) / 1e6
    figures.append(f"the image adds {megabytes:.0f} MB to {base}")
    assert megabytes <= OVER_BASE
