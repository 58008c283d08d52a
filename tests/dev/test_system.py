"""The whole system: it comes up, survives the loss of a process, says why one can't start, and ends without a trace."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import psutil
import pytest

from dev.places import StackError
from dev.publisher import Publisher
from dev.system import System
from offramp_schemas import TOPIC_OF, decode, encode
from offramp_schemas.envelope import Envelope
from services.console.samples import SAMPLES, Sample

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
_PATIENCE = 90.0  # seconds until something counts as hung
ANNA = SAMPLES[0]


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[System]:
    """All of it, on the test clock."""
    async with System.start(clock="test", begins=NOW, settings={"OFFRAMP_LOOK_EVERY": "0.1"}) as running:
        yield running


async def test_what_is_published_is_decided_and_leads_to_a_mail(system: System) -> None:
    async with Publisher.open(system.stack.kafka) as publisher:
        for at, event in ANNA.events(NOW):
            await publisher.publish(ANNA.subscription_id, event, at)
    await system.advance(NOW)
    printed = await _offramp(system, *f"{ANNA.command} --follow".split())
    assert "active → non_renewing" in printed
    assert "cancellation_scheduled" in printed
    assert [mail["Subject"] for mail in system.stack.mailbox.messages("anna@example.com")] == [
        "Your cancellation is confirmed: Pro ends on Mar 11, 2026"
    ]


async def test_business_time_is_advanced_from_timer_to_timer(system: System) -> None:
    assert await system.advance(NOW + timedelta(days=11)) == NOW + timedelta(days=11)
    assert "ending_soon" in (printed := await _offramp(system, "show", ANNA.subscription_id)), printed
    assert "ended" in printed


async def test_a_killed_process_is_replaced_by_another_one_that_goes_on(system: System) -> None:
    system.kill("lifecycle")
    ben = SAMPLES[1]
    now = NOW + timedelta(days=11)
    async with Publisher.open(system.stack.kafka) as publisher:
        for at, event in ben.events(now):
            await publisher.publish(ben.subscription_id, event, at)
    await system.start_process("lifecycle")
    await system.advance(now)
    connection = await asyncpg.connect(system.admin_dsn)
    state = await connection.fetchval("select state from lifecycle.subscriptions where subscription_id = $1", ben.subscription_id)
    await connection.close()
    assert state == "active"


async def test_two_processes_share_the_work_and_one_can_be_stopped(system: System) -> None:
    second = await system.start_process("refunds")
    assert len(system.urls) == 4
    assert await system.stop_process("refunds") == 0
    assert system.processes["refunds"] == [second]


async def test_a_process_that_can_not_start_says_why(system: System) -> None:
    with pytest.raises(StackError, match=r"notifier-2 ended at once(.|\n)*OFFRAMP_LOOK_EVERY: Input should be greater than 0"):
        await replace(system, settings={"OFFRAMP_LOOK_EVERY": "0"}).start_process("notifier")
    assert len(system.processes["notifier"]) == 1


async def test_a_process_that_ends_by_itself_is_named(system: System) -> None:
    system.processes["notifier"][0].child.process.kill()
    assert "notifier-1 ended" in await asyncio.wait_for(system.outcome(), 10)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.subscription_id)
def test_every_sample_is_what_a_consumer_accepts(sample: Sample) -> None:
    for at, event in sample.events(NOW):
        assert at <= NOW
        record = encode(Envelope("1", "//test", at, "sub_1", event))
        assert decode(TOPIC_OF[type(event)].name, *record).data == event


def test_make_run_serves_until_ctrl_c_and_leaves_nothing_running(open_directory: Path) -> None:
    directory = open_directory / "data"
    command = [sys.executable, "-m", "dev.run", "--directory", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            printed = []
            while "And then" not in (line := running.stdout.readline()):
                assert line, running.communicate()[1]
                printed.append(line)
            children = psutil.Process(running.pid).children(recursive=True)
            assert {"lifecycle", "refunds", "notifier"} <= {word for line in printed for word in line.split()}
            assert (directory / "offramp.env").stat().st_mode & 0o077 == 0, "it holds a password"
            running.send_signal(signal.SIGINT)
            assert running.wait(_PATIENCE) == 0
            assert psutil.wait_procs(children, timeout=_PATIENCE)[1] == []
        finally:
            running.kill()
    assert not (directory / "offramp.env").exists()
    assert (directory / "postgres").exists(), "the data is kept"


async def _offramp(system: System, *arguments: str) -> str:
    """What the command line prints."""
    environment = {**os.environ, **system.environment}
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.console", *arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    printed, _ = await asyncio.wait_for(command.communicate(), _PATIENCE)
    assert command.returncode == 0, printed.decode()
    return printed.decode()
