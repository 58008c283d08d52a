"""What an event would lead to in all three services: each is asked for a preview, and what it would tell is shown to whoever reads it.

A service that would be told more is asked again, with everything in its order, until nothing new is told. Nothing is stored anywhere.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp

from offramp_schemas import EVENT_OF, TOPIC_OF, Envelope, Event
from services.console import clock
from services.console.database import SERVICES
from services.console.trouble import Trouble

_ROUNDS = 10  # as often as a service may be asked: two that would answer each other for ever are a fault of their rules
_OPEN = "queued"


@dataclass(frozen=True, slots=True)
class Told:
    """What a service would tell."""

    by: str
    event: Event


@dataclass(frozen=True, slots=True)
class Mail:
    """One that would be written, or that would no longer be sent. `send_at` None: at once."""

    template: str
    kind: str
    send_at: datetime | None
    suppressed: str | None = None


@dataclass(frozen=True, slots=True)
class Wake:
    """Something that would happen by itself, if nothing comes in between."""

    at: datetime
    by: str
    name: str


@dataclass(slots=True)
class Foresight:
    """All of it. `answers` is the last one of each service that would hear of anything, `told` in the order in which it would be said."""

    envelope: Envelope
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        """Business time, as the first service said it."""
        return datetime.fromisoformat(next(iter(self.answers.values()))["now"])

    @property
    def dispositions(self) -> dict[str, tuple[str, str | None]]:
        """By service: what would become of the event itself, and why."""
        return {
            service: (event["disposition"], event["why"])
            for service, answer in self.answers.items()
            for event in answer["events"]
            if event["id"] == self.envelope.id
        }

    @property
    def changes(self) -> dict[str, tuple[str | None, str]]:
        """By service: the state before and after."""
        found = {}
        for service, answer in self.answers.items():
            for each in answer["entities"]:
                found[service] = (each["before"]["state"] if each["before"] else None, each["after"]["state"])
        return found

    @property
    def mails(self) -> list[Mail]:
        """Those that would be written, and open ones that would be taken back."""
        return [mail for each in self.answers.get("notifier", {}).get("entities", ()) for mail in _mails(each)]

    @property
    def asked(self) -> list[tuple[str, str, Mapping[str, Any]]]:
        """(service, kind, request) of calls to the outside, but for the mails."""
        calls = ((service, call) for service, answer in self.answers.items() for call in answer["asked"])
        return [(service, call["kind"], call["request"]) for service, call in calls if service != "notifier"]

    @property
    def wakes(self) -> list[Wake]:
        """New timers of subscription and refunds, the nearest first."""
        found = [
            Wake(datetime.fromisoformat(timer["due_at"]), service, timer["name"])
            for service, answer in self.answers.items()
            for each in answer["entities"]
            for timer in each["timers"]
            if timer["new"] and service != "notifier"
        ]
        return sorted(found, key=lambda each: each.at)


async def foresee(urls: Mapping[str, str], envelope: Envelope) -> Foresight:
    """Asks the services at `urls`. Raises Trouble where one does not answer."""
    seen = Foresight(envelope)
    inboxes: dict[str, list[Mapping[str, Any]]] = {service: [] for service in SERVICES}
    asked = dict.fromkeys(SERVICES, 0)
    known = {envelope.id}
    for service in TOPIC_OF[type(envelope.data)].consumers:
        inboxes[service].append(_cloudevent(envelope))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        for _ in range(_ROUNDS):
            curious = [service for service in SERVICES if len(inboxes[service]) > asked[service]]
            if not curious:
                return seen
            for service in curious:
                asked[service] = len(inboxes[service])
                answer = await clock.request(session, "POST", f"{urls[service]}/preview", inboxes[service])
                seen.answers[service] = answer
                for each in answer["told"]:
                    if each["id"] in known:
                        continue
                    known.add(each["id"])
                    event = EVENT_OF[each["type"]]
                    seen.told.append(Told(service, event.model_validate_json(json.dumps(each["data"]))))
                    for reader in TOPIC_OF[event].consumers:
                        inboxes[reader].append(each)
    raise Trouble("the services would answer each other without an end: `offramp publish` would show what they do")


def _cloudevent(envelope: Envelope) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "time": envelope.time.isoformat(),
        "subject": envelope.subject,
        "data": envelope.data.model_dump(mode="json"),
    }


def _mails(entity: Mapping[str, Any]) -> Iterator[Mail]:
    before, after = (entity["before"] or {}).get("details", {}), entity["after"]["details"]
    open_before, over_before = ({mail["mail_id"] for mail in before.get(part, ())} for part in ("mails", "closed"))
    for mail in (*after.get("mails", ()), *after.get("closed", ())):
        waits = mail.get("state", _OPEN) == _OPEN
        if mail["mail_id"] in over_before or (mail["mail_id"] in open_before and waits):
            continue
        send_at = datetime.fromisoformat(mail["send_after"]) if waits and not mail.get("asked") else None
        yield Mail(mail["template"], mail["mail_class"], send_at, None if waits else mail.get("reason") or mail["state"])
