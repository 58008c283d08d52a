"""The whole stack on one machine, without Docker: `python -m dev.stack` runs it in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cyclopts

from dev import directory as directories
from dev import foreground
from dev.kafka import Kafka
from dev.mailbox import Mailbox
from dev.places import HOST, StackError, kept_directory
from dev.postgres import Postgres

_Server = TypeVar("_Server", Kafka, Postgres)
_GLANCE_EVERY = 0.5  # seconds between looks at whether the servers still run


@dataclass(frozen=True)
class Ports:
    """The ports to listen on; any free one where there is none."""

    kafka: int | None = None
    postgres: int | None = None
    smtp: int | None = None


@dataclass(frozen=True)
class Stack:
    """Running servers: Apache Kafka, PostgreSQL, and a mailbox in this process."""

    directory: Path
    broker: Kafka
    database: Postgres
    mailbox: Mailbox

    @property
    def kafka(self) -> str:
        """`host:port` to bootstrap from."""
        return self.broker.address

    @property
    def postgres_dsn(self) -> str:
        """The superuser's DSN."""
        return self.database.dsn

    @property
    def smtp(self) -> tuple[str, int]:
        """Host and port of the mailbox."""
        return HOST, self.mailbox.port

    @property
    def maildir(self) -> Path:
        """Where the mails are."""
        return self.mailbox.maildir

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        directory: Path | None = None,
        *,
        keep: bool = False,
        durable: bool = True,
        ports: Ports | None = None,
        broker: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Stack]:
        """The stack for as long as the block lasts, in `directory` or a new temporary one.

        `keep` leaves the data for the next start; `durable=False` lets PostgreSQL not wait for the disk; `broker` are properties of Kafka
        that go over ours. Any number of stacks run side by side, one in a directory. Start it on the main thread: the servers end with the
        thread that started them. Raises StackError with a message that says what to do.
        """
        chosen = ports or Ports()
        async with contextlib.AsyncExitStack() as exits:
            home = exits.enter_context(directories.owned(directory, keep=keep))
            mailbox = await Mailbox.start(home / "mail", chosen.smtp)
            exits.push_async_callback(mailbox.stop)

            async def up(starting: Coroutine[object, object, _Server]) -> _Server:
                server = await starting
                exits.push_async_callback(server.stop, keep=keep)
                return server

            with foreground.first_error_alone():
                async with asyncio.TaskGroup() as both:
                    kafka = both.create_task(up(Kafka.start(home, chosen.kafka, properties=broker)))
                    database = both.create_task(up(Postgres.start(home, chosen.postgres, durable=durable)))
            yield cls(home, kafka.result(), database.result(), mailbox)

    async def outcome(self) -> str:
        """Wait until one of the servers ends by itself, and say which."""
        while True:
            for child in (self.broker.child, self.database.child):
                if not child.running:
                    return f"{child.name} ended. The end of its log:\n{child.last_words()}"
            await asyncio.sleep(_GLANCE_EVERY)


async def _until_interrupted(directory: Path | None, keep: bool, ports: Ports) -> None:
    print("Starting Kafka, PostgreSQL and a mailbox ...", file=sys.stderr)
    async with Stack.start(directory, keep=keep, ports=ports) as stack:
        host, port = stack.smtp
        print(f"OFFRAMP_KAFKA={stack.kafka}", f"OFFRAMP_POSTGRES={stack.postgres_dsn}", f"OFFRAMP_SMTP={host}:{port}", sep="\n", flush=True)
        print(f"Running in {stack.directory}, mails in {stack.maildir}. Ctrl-C stops it.", file=sys.stderr)
        raise StackError(await stack.outcome())


def main(
    *,
    directory: Path | None = None,
    keep: bool = False,
    kafka_port: int | None = None,
    postgres_port: int | None = None,
    smtp_port: int | None = None,
) -> int:
    """Run Kafka, PostgreSQL and a mailbox until Ctrl-C, and print the environment variables that lead to them.

    Parameters
    ----------
    directory
        Where the data goes. If not given: a temporary directory, or with --keep always the same one of this user.
    keep
        Leave the data for the next start.
    kafka_port
        The port of Kafka; a free one if not given.
    postgres_port
        The port of PostgreSQL; a free one if not given.
    smtp_port
        The port of the mailbox; a free one if not given.
    """
    home = kept_directory() if keep and directory is None else directory
    return foreground.run(_until_interrupted(home, keep, Ports(kafka_port, postgres_port, smtp_port)))


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
