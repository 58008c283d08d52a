"""`make run`: the whole system in the foreground until Ctrl-C, with something in it to play with."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import cyclopts
from rich.console import Console

from dev import foreground, panel
from dev.directory import owned
from dev.places import StackError, is_free
from dev.publisher import Publisher
from dev.system import System
from services.console import samples
from services.refunds.webhooks import PATH

_PORTS = {"kafka": 19092, "postgres": 15432, "smtp": 11025, "provider": 8110, "lifecycle": 8101, "refunds": 8102, "notifier": 8103}
_HEARD_WITHIN = 60.0  # seconds
_HEARD = "select (select count(*) from lifecycle.subscriptions) + (select count(*) from refunds.payments)"
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
    """Publishes the sample subscriptions and payments at the first start, and waits until they were heard."""
    connection = await asyncpg.connect(system.admin_dsn)
    try:
        if await connection.fetchval("select exists(select from lifecycle.subscriptions)"):
            return
        now = await connection.fetchval("select now from lifecycle.test_clock") or datetime.now(UTC)
        events = list(samples.told(now))
        async with Publisher.open(system.stack.kafka) as publisher:
            for subscription_id, at, event in events:
                await publisher.publish(subscription_id, event, at)
        expected = len(samples.SAMPLES) + len({each[0] for each in events if type(each[2]).__name__ == "PaymentSucceeded"})
        async with asyncio.timeout(_HEARD_WITHIN):
            while await connection.fetchval(_HEARD) < expected:
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise StackError(
            f"The services have not heard of the samples after {_HEARD_WITHIN:.0f} s. See the logs in {system.directory}."
        ) from None
    finally:
        await connection.close()


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
