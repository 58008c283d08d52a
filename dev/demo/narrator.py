"""Reads what the services write to Kafka, and tells it as it comes: what was decided, and which mail went out."""

from __future__ import annotations

import asyncio
import contextlib
import mailbox
from collections import Counter
from collections.abc import AsyncIterator
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from dev.demo import telling
from dev.demo.cast import NAMES
from dev.demo.page import Page
from offramp_schemas import TOPICS, Envelope, decode
from offramp_schemas.notification_events import AlertRaised, EmailFailed, EmailSent, EmailSuppressed
from offramp_schemas.refund_events import RefundStalled
from offramp_schemas.topics import DEAD_LETTERS
from services.console.database import SERVICES

_DEAD = {topic.name for topic in DEAD_LETTERS.values()}
_TOLD_ON = [topic for topic in TOPICS if set(topic.producers) & set(SERVICES)]


class Narrator:
    """Writes a line on the page for each thing that happens. `counted`: how many of each kind there were."""

    def __init__(self, page: Page, maildir: Path, consumer: AIOKafkaConsumer) -> None:
        self.page, self.maildir = page, maildir
        self.counted: Counter[str] = Counter()
        self._consumer = consumer
        self._listening: asyncio.Task[None] | None = None
        self._next: dict[TopicPartition, int] = {}
        self._subjects: dict[str, str] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def listening(cls, page: Page, kafka: str, maildir: Path) -> AsyncIterator[Narrator]:
        """From the beginning of every topic that the services write to, for as long as the block lasts."""
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest", enable_auto_commit=False)
        await consumer.start()
        consumer.assign([TopicPartition(topic.name, number) for topic in _TOLD_ON for number in range(topic.partitions)])
        narrator = cls(page, maildir, consumer)
        listening = narrator._listening = asyncio.create_task(narrator._listen())
        try:
            yield narrator
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            await consumer.stop()

    async def caught_up(self) -> None:
        """Waits until everything that is on Kafka by now has been told."""
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(list(self._consumer.assignment()))
        async with asyncio.timeout(20):
            while any(self._next.get(partition, 0) < end for partition, end in ends.items()):
                if self._listening is not None and self._listening.done():
                    self._listening.result()  # raises what went wrong
                await asyncio.sleep(0.01)

    async def _listen(self) -> None:
        while True:
            batches = await self._consumer.getmany(timeout_ms=200)
            for record in sorted((each for batch in batches.values() for each in batch), key=lambda each: each.timestamp):
                if record.topic in _DEAD:
                    self._dead(record)
                else:
                    self._tell(decode(record.topic, record.key, record.value, record.headers))
            self._next |= {partition: batch[-1].offset + 1 for partition, batch in batches.items()}

    def _tell(self, envelope: Envelope) -> None:
        at, fact = envelope.time, envelope.data
        who = NAMES.get(envelope.subject) or telling.one_of_us(envelope.subject)
        if envelope.source not in _SOURCES or isinstance(fact, AlertRaised):
            return  # what came in was told when it did; of alerts, the mail that counts them is told
        match fact:
            case EmailSent():
                self._line(at, who, "alert" if fact.template == "alert" else "mail", self._subject(fact.message_id))
            case EmailSuppressed():
                self._line(at, who, "no mail", fact.template, f"its reason is gone: {fact.reason}")
            case EmailFailed():
                self._line(at, who, "no mail", fact.template, fact.reason)
            case RefundStalled():
                self._line(at, who, "alarm", fact.kebab(), telling.told(fact))
            case _:
                self._line(at, who, "decided", fact.kebab(), telling.told(fact))

    def _dead(self, record: Any) -> None:
        reason = next((value.decode() for name, value in record.headers if name == "dlq.reason"), "")
        who = NAMES.get((record.key or b"").decode(errors="replace"), "?")
        self._line(None, who, "put aside", reason.replace("_", " "), "a dead letter; its neighbours go on")

    def _line(self, at: Any, who: str, kind: str, what: str, words: str = "") -> None:
        self.counted[kind] += 1
        self.page.line(at, who, kind, what, words)

    def _subject(self, message_id: str) -> str:
        if message_id not in self._subjects:
            for mail in mailbox.Maildir(self.maildir):
                self._subjects[mail["Message-ID"]] = str(make_header(decode_header(mail["Subject"])))
        return self._subjects[message_id]


_SOURCES = {f"//offramp/{service}" for service in SERVICES}
