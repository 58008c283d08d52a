"""`make run`: the whole system in the foreground until Ctrl-C, with something in it to play with."""

from __future__ import annotations

import secrets
import sys
import time
from pathlib import Path

import cyclopts
from pydantic import SecretStr
from rich.console import Console

from dev import foreground, panel
from dev.directory import owned
from dev.places import StackError, is_free
from dev.system import System
from services.console import samples
from services.console.database import Database
from services.console.trouble import Trouble
from services.refunds.webhooks import PATH
from services.runtime.settings import Settings

_PORTS = {"kafka": 19092, "postgres": 15432, "smtp": 11025, "provider": 8110, "lifecycle": 8101, "refunds": 8102, "notifier": 8103}
_err = Console(stderr=True, highlight=False)


async def _until_interrupted(directory: Path, test_clock: bool) -> None:
    started = time.monotonic()
    ports = {name: port for name, port in _PORTS.items() if is_free(port)}
    secret = secrets.token_urlsafe(16)
    async with System.start(
        directory,
        keep=True,
        durable=True,
        clock="test" if test_clock else "system",
        ports=ports,
        settings={"OFFRAMP_PROVIDER_WEBHOOK_SECRETS": secret},
        on_progress=lambda what: _err.print(f"Starting {what} ...", style="bright_black"),
    ) as system:
        system.provider.webhooks.url, system.provider.webhooks.secret = system.url("refunds") + PATH, secret
        env_file = _write_environment(system)
        try:
            await _fill(system)
            panel.show(system, env_file, time.monotonic() - started)
            raise StackError(await system.outcome())
        finally:
            env_file.unlink(missing_ok=True)
            _err.print(
                f"\nStopping ... {directory}/ is kept: the next start goes on with it, `make run ARGS=--fresh` begins anew.",
                style="bright_black",
                soft_wrap=True,
            )


def _write_environment(system: System) -> Path:
    """The file by which the command line finds the system: it holds a password, so it is its owner's alone."""
    file = system.directory / "offramp.env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in system.environment.items()))
    return file


async def _fill(system: System) -> None:
    """The sample subscriptions and payments, at the first start."""
    settings = Settings(kafka=system.stack.kafka, postgres=SecretStr(system.admin_dsn))
    try:
        async with Database(settings) as database:
            if not any([await database.subscription(sample.subscription_id) for sample in samples.SAMPLES]):
                await samples.tell(settings, database)
    except Trouble as trouble:
        raise StackError(f"{trouble} (in {system.directory})") from None


def main(*, directory: Path = Path("data"), fresh: bool = False, test_clock: bool = False) -> int:
    """Run Kafka, PostgreSQL, a mailbox, a payment provider to play with, and the three services, until Ctrl-C.

    Parameters
    ----------
    directory
        Where data, logs and mails are kept.
    fresh
        Throw away what is there from earlier, and begin anew.
    test_clock
        Business time stands still until `offramp clock advance 30d`.
    """
    try:
        if fresh:
            with owned(directory, keep=False):
                pass  # it goes when the block is left
    except StackError as problem:
        print(problem, file=sys.stderr)
        return 1
    return foreground.run(_until_interrupted(directory, test_clock))


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
