"""The stack as a whole: it comes up, several fit on one machine, and it says clearly why it can't start."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev.directory import owned
from dev.kafka import Kafka
from dev.places import HOST, StackError, free_port
from dev.postgres import Postgres
from dev.stack import Ports, Stack


async def test_two_stacks_run_side_by_side_and_know_nothing_of_each_other(stack: Stack) -> None:
    async with Stack.start(durable=False) as other:
        await _create_topic(other, "only-here")
        await _create_database(other, "only_here")
        assert "only-here" in await _topics(other)
        assert "only-here" not in await _topics(stack)
        assert "only_here" not in await _databases(stack)
    assert not other.directory.exists()


async def test_data_that_is_kept_is_there_at_the_next_start(open_directory: Path) -> None:
    directory = open_directory / "stack"
    async with Stack.start(directory, keep=True) as first:
        await _create_topic(first, "kept")
        await _create_database(first, "kept")
    async with Stack.start(directory) as second:
        assert "kept" in await _topics(second)
        assert "kept" in await _databases(second)
    assert not directory.exists(), "the second start was told to keep nothing"


@pytest.mark.parametrize("server", ["kafka", "postgres", "smtp"])
async def test_a_port_in_use_is_named_with_what_to_do(server: str, taken_port: int) -> None:
    with pytest.raises(StackError, match=f"Port {taken_port} .* is in use. End the program .* or choose another port"):
        async with Stack.start(ports=Ports(**{server: taken_port})):
            pass


@pytest.mark.parametrize("server", ["kafka", "postgres"])
async def test_a_port_that_somebody_else_took_a_moment_ago_is_replaced(
    server: str, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter([taken_port])
    monkeypatch.setattr(f"dev.{server}.claim_port", lambda chosen, name: next(ports, None) or free_port())
    with owned(None, keep=False) as directory:
        running = await (Kafka if server == "kafka" else Postgres).start(directory)
        assert running.port != taken_port
        await running.stop(keep=False)


async def test_a_directory_has_one_stack_at_a_time(tmp_path: Path) -> None:
    with owned(tmp_path, keep=True), pytest.raises(StackError, match="Another stack is running"), owned(tmp_path, keep=True):
        pass


async def test_a_directory_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StackError, match="holds something else"):
        async with Stack.start(tmp_path):
            pass
    assert (tmp_path / "thesis.txt").exists()


async def test_a_place_that_can_not_be_written_to_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=f"Can't write to {tmp_path}/file/stack: .* choose another directory"):
        async with Stack.start(tmp_path / "file" / "stack"):
            pass


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


async def _create_topic(stack: Stack, name: str) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await client.start()
    try:
        await client.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await client.close()


async def _topics(stack: Stack) -> list[str]:
    client = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await client.start()
    try:
        return list(await client.list_topics())
    finally:
        await client.close()


async def _create_database(stack: Stack, name: str) -> None:
    connection = await asyncpg.connect(stack.postgres_dsn)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()


async def _databases(stack: Stack) -> list[str]:
    connection = await asyncpg.connect(stack.postgres_dsn)
    try:
        return [row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")]
    finally:
        await connection.close()
