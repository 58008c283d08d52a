"""Nothing of a stack is left running: not after a Ctrl-C, not after a kill -9 of its parent, not after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from dev.directory import owned

_PATIENCE = 60.0  # seconds until something counts as hung


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_in_order_and_clears_up(open_directory: Path, ending: signal.Signals) -> None:
    with _running_stack(open_directory) as (parent, servers):
        parent.send_signal(ending)
        assert parent.wait(_PATIENCE) == 0
        assert _survivors(servers) == []
    assert list(open_directory.iterdir()) == []


def test_kill_9_of_the_parent_leaves_nothing_running(open_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _running_stack(open_directory) as (parent, servers):
        parent.kill()
        parent.wait(_PATIENCE)
        assert _survivors(servers) == []
    monkeypatch.setattr(tempfile, "tempdir", str(open_directory))
    with owned(None, keep=False):
        pass
    assert list(open_directory.iterdir()) == [], "the next start clears away what the killed one couldn't"


def test_a_server_that_outlived_its_parent_is_ended_by_the_next_start(tmp_path: Path) -> None:
    server = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (tmp_path / "stack.lock").touch()
    (tmp_path / "kafka.pid").write_text(f"{server.pid} {psutil.Process(server.pid).create_time()}")
    with owned(tmp_path, keep=True):
        assert not psutil.pid_exists(server.pid)
    server.communicate()  # the system has forgotten it; now Python knows, too


def test_a_process_that_only_got_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "stack.lock").touch()
    (tmp_path / "kafka.pid").write_text(f"{os.getpid()} 1.0")
    with owned(tmp_path, keep=True):
        pass  # we are still here to tell


@contextmanager
def _running_stack(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A stack in the foreground of a process of its own, and everything that process started."""
    command = [sys.executable, "-m", "dev.stack"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as parent:
        try:
            assert parent.stdout is not None
            printed = [parent.stdout.readline().split("=")[0] for _ in range(3)]
            assert printed == ["OFFRAMP_KAFKA", "OFFRAMP_POSTGRES", "OFFRAMP_SMTP"], parent.communicate()[1]
            servers = psutil.Process(parent.pid).children(recursive=True)
            assert {"java", "postgres"} <= {server.name() for server in servers}
            yield parent, servers
        finally:
            parent.kill()


def _survivors(servers: list[psutil.Process]) -> list[psutil.Process]:
    return psutil.wait_procs(servers, timeout=_PATIENCE)[1]
