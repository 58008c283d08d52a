"""What came of a customer, as it is seen from outside: events on the topics, mails in the mailbox, money at the provider."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import asyncpg
from babel.dates import format_date
from babel.numbers import format_currency

from dev.system import System
from offramp_schemas import Envelope, Event
from offramp_schemas.notification_events import EmailSent, EmailSuppressed
from tests.e2e.customers import Customer
from tests.stories.stage import Stage
from tests.system.conftest import SERVICES, events

_DEAD = " union all ".join(f"select key, reason from {service}.dead_letters" for service in SERVICES)
E = TypeVar("E", bound=Event)
LIFECYCLE, REFUNDS, NOTIFIER = "lifecycle.events.v1", "refund.events.v1", "notification.events.v1"


class Letter(NamedTuple):
    """A mail that arrived: when, in business time, and its words, each line break a space."""

    template: str
    at: datetime
    mail: EmailMessage

    @property
    def text(self) -> str:
        """The part for reading."""
        return _words(self.mail, "plain")

    @property
    def html(self) -> str:
        """The part for looking at."""
        return _words(self.mail, "html")


@dataclass(frozen=True)
class Life:
    """One customer's. Everything is in the order in which it was told, and a repeat under the same id counts once."""

    who: Customer
    told: tuple[tuple[str, Envelope], ...]
    letters: tuple[Letter, ...]
    paid_back: tuple[int, ...]
    noted: tuple[Any, ...]

    @property
    def said(self) -> list[str]:
        """The names of what lifecycle told."""
        return self._names(LIFECYCLE)

    @property
    def about_money(self) -> list[str]:
        """The names of what refunds told."""
        return self._names(REFUNDS)

    @property
    def templates(self) -> list[str]:
        """Of the mails that they got."""
        return [letter.template for letter in self.letters]

    @property
    def refund_mails(self) -> list[str]:
        """Those about money: they have no order with the others, which lead to them on another topic."""
        return [template for template in self.templates if template.startswith("refund_")]

    @property
    def unsent(self) -> list[tuple[str, str]]:
        """Template and reason of every mail that they were spared."""
        return [(each.template, f"{each.reason}.{each.detail}" if each.detail else each.reason) for each in self.all(EmailSuppressed)]

    def all(self, kind: type[E]) -> list[E]:
        """Everything of a kind."""
        return [envelope.data for _, envelope in self.told if isinstance(envelope.data, kind)]

    def the(self, kind: type[E]) -> E:
        """What was told once."""
        (only,) = self.all(kind)
        return only

    def when(self, kind: type[Event]) -> list[datetime]:
        """When it was told, each time."""
        return [envelope.time for _, envelope in self.told if isinstance(envelope.data, kind)]

    def all_of(self, template: str) -> list[Letter]:
        """Every mail of a template."""
        return [letter for letter in self.letters if letter.template == template]

    def letter(self, template: str) -> Letter:
        """The only mail of a template."""
        (only,) = self.all_of(template)
        return only

    def _names(self, topic: str) -> list[str]:
        return [envelope.data.kebab() for on, envelope in self.told if on == topic]


@dataclass
class Lives:
    """Everybody's. `dead_letters`: whom each is about, and why."""

    told: Sequence[tuple[str, Envelope]]
    arrived: Sequence[EmailMessage]
    books: Sequence[Mapping[str, Any]]
    dead_letters: Sequence[tuple[str, str]]
    noted: Mapping[Customer, Sequence[Any]]

    @classmethod
    async def of(cls, stage: Stage) -> Lives:
        """Once everything has been played."""
        system = stage.system
        dead = [(row["key"].decode(), row["reason"]) for row in await rows(system, _DEAD)]
        return cls(await events(system.stack.kafka), system.stack.mailbox.messages(), system.provider.ledger.all(), dead, stage.noted)

    def alerts(self, address: str) -> list[str]:
        """What people of ours were told at an address."""
        return [_words(mail, "plain") for mail in self.arrived if mail["X-RcptTo"] == address]

    def __getitem__(self, who: Customer) -> Life:
        told = tuple(self._told_of.get(who.subscription_id, ()))
        sent = [envelope.data for _, envelope in told if isinstance(envelope.data, EmailSent)]
        letters = tuple(Letter(each.template, each.sent_at, self._mails[each.message_id]) for each in sent)
        paid_back = tuple(each["amount"] for each in self.books if each["payment_intent"].startswith(f"pi_{who.key}_"))
        return Life(who, told, letters, paid_back, tuple(self.noted.get(who, ())))

    @cached_property
    def _told_of(self) -> Mapping[str, Sequence[tuple[str, Envelope]]]:
        found = defaultdict(list)
        for topic, envelope in self.told:
            found[envelope.subject].append((topic, envelope))
        return found

    @cached_property
    def _mails(self) -> Mapping[str, EmailMessage]:
        return {mail["Message-ID"]: mail for mail in self.arrived}


async def rows(system: System, query: str) -> list[asyncpg.Record]:
    """Of the services' database, as its owner."""
    connection = await asyncpg.connect(system.admin_dsn)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


def _words(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None, f"no part in {kind}: {mail['Subject']}"
    return " ".join(str(part.get_content()).split())


def date(at: datetime, locale: str = "en") -> str:
    """The day as a mail in that language says it."""
    said = " ".join(format_date(at, "long", locale=locale).split())
    return f"1er{said[1:]}" if locale == "fr" and at.day == 1 else said


def money(minor: int, locale: str = "en") -> str:
    """An amount in euros, likewise."""
    return " ".join(format_currency(minor / 100, "EUR", locale=locale).split())
