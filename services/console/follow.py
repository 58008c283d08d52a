"""What becomes of one event: its disposition in every service that reads it, what they tell, and the mails, until nothing moves."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from offramp_schemas import TOPICS, Envelope, FollowUp
from offramp_schemas.notification_events import EmailFailed, EmailSent, EmailSuppressed
from offramp_schemas.refund_events import NothingToRefund, RefundFact
from services.console import screen, words
from services.console.database import SERVICES, Database, Row
from services.console.kafka import Place, Reader, Seen

_GLANCE = 0.1  # seconds
_CONSUMERS = {topic.name: tuple(service for service in topic.consumers if service in SERVICES) for topic in TOPICS}
_SAYS = {"dead": "dead letter"}
_WITHOUT_EFFECT = ("duplicate", "conflict", "dead")
"""What bears the id of an earlier record's transition may be that record's repeat, whose follow-ups came long ago."""
TOLD_ON = tuple(topic.name for topic in TOPICS if set(topic.producers) & set(SERVICES))
"""The topics that the services write to."""


@dataclass
class Follow:
    """Prints a line for each thing that happens. `since` is business time before the event was published."""

    database: Database
    reader: Reader
    envelope: Envelope
    place: Place
    since: datetime
    started: float = field(default_factory=time.monotonic)
    failed: bool = False
    _events: dict[str, tuple[str, str]] = field(default_factory=dict)  # id: (event, topic)
    _told: dict[tuple[str, str], str] = field(default_factory=dict)  # (service, id): disposition
    _versions: set[tuple[str, int]] = field(default_factory=set)  # (service, version): transitions shown
    _caused: dict[str, int] = field(default_factory=dict)  # id of a cause: how many of its follow-ups came
    _about: set[tuple[str, int]] = field(default_factory=set)  # (entity, version) of what was told: mails are about these
    _waiting: set[str] = field(default_factory=set)  # mails that leave later, shown

    async def until_settled(self, timeout: float) -> bool:
        """Whether everything came to rest within `timeout` seconds."""
        self._events[self.envelope.id] = (type(self.envelope.data).kebab(), self.place.topic)
        quiet_rounds, busy = 0, ""
        while self._elapsed() < timeout:
            records = await self.reader.read(_GLANCE)
            moved = await self._dispositions()  # before what was told, since that came of it
            moved |= self._hear(records)
            busy = await self._under_way()
            await self._waits(bool(busy))
            rests = not moved and not busy and await self.reader.at_the_end()
            quiet_rounds = quiet_rounds + 1 if rests else 0
            if quiet_rounds == 2:
                screen.out.print(screen.quiet(f"settled after {self._elapsed():.1f} s"))
                return True
        screen.out.print(f"still under way after {timeout:.0f} s: {busy or 'it has just moved'}", style="yellow")
        return False

    def _hear(self, records: Iterable[Seen]) -> bool:
        """Shows what the services told about the subscription."""
        moved = False
        for seen in records:
            if seen.key != self.envelope.subject or seen.place == self.place:
                continue
            moved = True
            if seen.envelope is None:
                self._dead(seen)
                continue
            self._events[seen.envelope.id] = (type(seen.envelope.data).kebab(), seen.place.topic)
            cause = seen.envelope.causationid or ""
            self._caused[cause] = self._caused.get(cause, 0) + 1
            self._tell(seen.envelope)
        return moved

    def _tell(self, envelope: Envelope) -> None:
        who = envelope.source.rpartition("/")[2]
        match envelope.data:
            case EmailSent() as mail:
                self._say(who, "mail sent", mail.template, f"offramp show {mail.mail_id}")
            case EmailSuppressed() as mail:
                self._say(who, "suppressed", mail.template, mail.reason)
            case EmailFailed() as mail:
                self._say(who, "undeliverable", mail.template, mail.reason)
            case fact:
                if isinstance(fact, RefundFact | NothingToRefund):
                    self._about.add((fact.refund_id if isinstance(fact, RefundFact) else fact.request_ref, fact.version))
                elif isinstance(fact, FollowUp):
                    self._about.add((envelope.subject, fact.version))
                self._say(who, "told", fact.kebab(), words.gist(fact))

    def _dead(self, seen: Seen) -> None:
        headers = {name: text.decode(errors="replace") for name, text in seen.headers if name.startswith("dlq.")}
        origin = f"{headers.get('dlq.topic')}[{headers.get('dlq.partition')}]@{headers.get('dlq.offset')}"
        service = headers.get("dlq.consumer-group", "").removeprefix("offramp.").partition(".")[0]
        self.failed = True
        self._say(
            service, "dead letter", f"{headers.get('dlq.reason')}: {headers.get('dlq.message')}", f"offramp dead-letters show '{origin}'"
        )

    async def _dispositions(self) -> bool:
        """Shows what each service did with each event, as often as that changes."""
        moved = False
        for service in SERVICES:
            wanted = [id_ for id_, (_, topic) in self._events.items() if service in _CONSUMERS.get(topic, ())]
            rows = {row["event_id"]: row for row in await self.database.rows(service, "dispositions", wanted)}
            for id_ in wanted:
                now = await self._disposition(service, id_, rows.get(id_))
                if now is None or now == self._told.get((service, id_)):
                    continue
                self._told[service, id_] = now
                moved = True
                await self._show(service, id_, now)
            if service != "notifier":  # its answers are of the mail server, and told as mails
                moved |= await self._answers(service)
        return moved

    async def _disposition(self, service: str, id_: str, row: Row | None) -> str | None:
        here = self.place.topic, self.place.partition, self.place.offset
        if id_ != self.envelope.id or (row and (row["topic"], row["part"], row["off"]) == here):
            return row["disposition"] if row else None
        mark = await self.database.row(service, "next_offset", *here[:2])
        if mark is None or mark["next_off"] <= self.place.offset:
            return None  # not read yet
        if row is None and (fresh := await self.database.row(service, "dispositions", [id_])):  # it was read between the two looks
            return await self._disposition(service, id_, fresh)
        letter = await self.database.row(service, "dead_letter_at", *here)
        if letter is None:
            return "duplicate"
        return "conflict" if letter["reason"] == "conflict" else "dead"

    async def _show(self, service: str, id_: str, disposition: str) -> None:
        event, _ = self._events[id_]
        match disposition:
            case "applied":
                for row in await self.database.rows(service, "transitions_of", [id_]):
                    self._transition(service, row, event)
            case "parked":
                found = await self.database.row(service, "parked_events", [id_])
                waits = f"waits for {found['waits_for']} until {words.moment(found['give_up_at'])}" if found else ""
                self._say(service, "parked", event, waits)
            case "duplicate":
                self._say(service, "duplicate", event, "the same id came before with the same body: no effect")
            case "conflict":
                self.failed = True
                self._say(service, "conflict", event, "the same id came before with another body: no effect")
            case "dead":
                self.failed = True  # its dead letter is shown when it comes
            case _:
                self._say(service, _SAYS.get(disposition, disposition), event)

    def _transition(self, service: str, row: Row, event: str) -> None:
        if (service, row["version"]) in self._versions:
            return
        self._versions.add((service, row["version"]))
        before, after = row["from_state"], row["to_state"]
        states = after if before == after else f"{before or 'new'} → {after}"
        self._say(service, "applied", event, f"{states}, version {row['version']}")

    async def _waits(self, busy: bool) -> None:
        """Shows the mails that leave later, held since their cause may go or to be tried again; one asked for may be on its way."""
        now = await self.database.now()
        for row in await self.database.rows("notifier", "mails_of", self.envelope.subject):
            mail, ours = str(row["mail_id"]), (row["entity_id"], row["version"]) in self._about
            later = row["state"] == "queued" and row["send_after"] > now and not (busy and row["tries"])
            if ours and later and mail not in self._waiting:
                self._waiting.add(mail)
                self._say("notifier", "mail waits", row["template"], f"until {words.moment(row['send_after'])}  offramp show {mail}")

    async def _answers(self, service: str) -> bool:
        """Shows what the answers of the outside changed."""
        keys = [row["idempotency_key"] for row in await self.database.rows(service, "calls_since", self.envelope.subject, self.since)]
        rows = await self.database.rows(service, "transitions_of", keys)
        fresh = [row for row in rows if (service, row["version"]) not in self._versions]
        for row in fresh:
            if row["from_state"] == row["to_state"]:
                self._versions.add((service, row["version"]))
            else:
                self._transition(service, row, row["event"])
        return bool(fresh)

    async def _under_way(self) -> str:
        """What is still to be read, told, asked or sent; empty: nothing."""
        for id_, (event, topic) in self._events.items():
            for service in _CONSUMERS.get(topic, ()):
                if (service, id_) not in self._told:
                    return f"{service} has not read {event}"
        for service in SERVICES:
            row = await self.database.row(service, "under_way", self.envelope.subject)
            if row and row["things"]:
                return f"{service} has follow-ups or calls under way"
            ours = [id_ for id_ in self._events if self._told.get((service, id_)) not in _WITHOUT_EFFECT]
            for transition in await self.database.rows(service, "transitions_of", ours):
                if len(transition["facts"].split(",")) > self._caused.get(transition["event_id"], 0) and transition["facts"]:
                    return f"{service} told {transition['facts']}, which is not on Kafka yet"
        due = await self.database.row("notifier", "queued_mails", self.envelope.subject, await self.database.now())
        return "notifier has mails to send" if due and due["count"] else ""

    def _say(self, who: str, verb: str, what: str, detail: str = "") -> None:
        screen.out.print(screen.line(f"+{self._elapsed():.2f} s", who, verb, what, detail))

    def _elapsed(self) -> float:
        return time.monotonic() - self.started
