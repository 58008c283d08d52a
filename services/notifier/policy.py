"""The `notifier:` section of the policy file: who writes, how long mails wait, whom alerts reach, where links lead."""

import re
from datetime import UTC, timedelta, tzinfo
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from offramp_schemas.base import Email, Name
from offramp_schemas.notification_events import Audience
from services.notifier.states import MailClass
from services.runtime.policies import Section
from services.runtime.policy_values import Duration


def zone_of(name: str) -> tzinfo:
    """UTC needs no time zone database; everything else does."""
    return UTC if name == "UTC" else ZoneInfo(name)


def _known_zone(name: str) -> str:
    try:
        zone_of(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError(f"{name} is not a time zone; one is called Europe/Tallinn") from None
    return name


def _secure(page: str) -> str:
    parts = urlsplit(page)
    if parts.scheme != "https" or not parts.hostname or parts.username or re.search(r"[^\x21-\x7e]|[\\\"'<>]", page):
        raise ValueError("a page is an https address without user name or spaces, like https://example.com/account")
    return page


Wait = Annotated[Duration, Field(gt=timedelta(0))]
Page = Annotated[str, AfterValidator(_secure)]


class Sender(Section):
    """Who the mails are from. The domain of the address is also that of the Message-IDs."""

    address: Email = "hello@example.com"
    name: Name = "Example"
    reply_to: Email | None = None

    @property
    def domain(self) -> str:
        """The right half of every Message-ID."""
        return self.address.rpartition("@")[2]


class Undeliverable(Section):
    """Whose case a mail becomes that could not be delivered."""

    owner: Name = "support"
    act_within: Wait = timedelta(days=1)


class Alerts(Section):
    """Mails to people of ours: the first of a cause opens a window, and one mail counts what came in it."""

    addresses: dict[Audience, Email] = Field(
        default={
            "ops": "ops@example.com",
            "on_call": "on-call@example.com",
            "manager": "manager@example.com",
            "finance": "finance@example.com",
        }
    )
    window: Wait = timedelta(minutes=2)
    hold: Wait = Field(default=timedelta(hours=1), description="after a mail, the next of the same cause at the earliest")
    names_first: int = Field(default=5, ge=1, le=50)

    @model_validator(mode="after")
    def _complete(self) -> "Alerts":
        if missing := {"ops", "on_call", "manager", "finance"} - set(self.addresses):
            raise ValueError(f"an alert needs an address for: {', '.join(sorted(missing))}")
        if self.hold <= self.window:
            raise ValueError("hold must be longer than window")
        return self


class Silence(Section):
    """When nothing is heard of an open refund: another service than refunds has to notice."""

    after_deadline: Wait = timedelta(minutes=30)
    when_late: Wait = Field(
        default=timedelta(days=4), description="a refund whose deadline is missed is heard of daily, but for a long week-end"
    )
    repeat: Wait = timedelta(days=1)


class Links(Section):
    """Pages of the seller's site. One that is not configured is left out of the mails.

    `{subscription}` becomes the subscription's id; `{mail}` the mail's, which nobody else knows.
    """

    account: Page | None = "https://example.com/account"
    export: Page | None = "https://example.com/account/export"
    undo: Page | None = "https://example.com/account/cancellation"
    come_back: Page | None = "https://example.com/come-back"
    card: Page | None = "https://example.com/account/card"
    cancel: Page | None = "https://example.com/account/cancel"
    pause: Page | None = "https://example.com/account/pause"
    resume: Page | None = "https://example.com/account/resume"
    offer: Page | None = "https://example.com/account/offer"
    survey: Page | None = "https://example.com/why"
    refund: Page | None = "https://example.com/account/refunds"
    appeal: Page | None = "https://example.com/account/refunds/appeal"
    help: Page | None = "https://example.com/help"
    unsubscribe: Page | None = Field(
        default="https://example.com/unsubscribe/{subscription}/{mail}",
        description="one click, by POST (RFC 8058), which publishes Unsubscribed; without it no marketing mail is sent",
    )


class NotifierPolicy(Section):
    """Defaults are those of the domain page; what is seller-specific points to example.com."""

    sender: Sender = Sender()
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(default="UTC", description="in which mails name days and hours")
    hold_status: Wait = Field(default=timedelta(minutes=3), description="how long a status mail waits for its cause to go")
    try_again_after: Annotated[tuple[Wait, ...], Field(min_length=1)] = (
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(hours=4),
    )
    proof_within: Wait = Field(
        default=timedelta(hours=1), description="the promise: the mail server has a proof by then; what is later is counted"
    )
    proof_again_within: Wait = Field(
        default=timedelta(minutes=5),
        description="a proof that was not taken waits no longer for its next try, so that the promise is kept once the server is back",
    )
    answer_within: Wait = Field(
        default=timedelta(minutes=15), description="a try that is not answered by then is asked for again, and made once"
    )
    deliver_within: dict[MailClass, Wait] = Field(
        default={"proof": timedelta(days=1), "status": timedelta(hours=12), "marketing": timedelta(days=1)},
        description="not accepted by the mail server by then, a mail is a case for a person",
    )
    undeliverable: Undeliverable = Undeliverable()
    alerts: Alerts = Alerts()
    silence: Silence = Silence()
    free_plan_remains: bool = Field(default=False, description="whether something stays usable, free of charge, after a paid plan ends")
    link_hosts: tuple[str, ...] = Field(default=("example.com",), description="the only hosts a mail may link to")
    links: Links = Links()

    @model_validator(mode="before")
    @classmethod
    def _without_our_examples(cls, section: Any) -> Any:
        """A file with hosts of its own, written before there was a page, goes on without it: the default would lead to example.com."""
        if not isinstance(section, dict) or "example.com" in section.get("link_hosts", ("example.com",)):
            return section
        pages = section.get("links") or {}
        return section | {"links": dict.fromkeys(Links.model_fields) | pages} if isinstance(pages, dict) else section

    @model_validator(mode="after")
    def _consistent(self) -> "NotifierPolicy":
        if list(self.try_again_after) != sorted(self.try_again_after):
            raise ValueError("try_again_after must grow")
        if self.proof_again_within >= self.proof_within:
            raise ValueError("proof_within must be longer than proof_again_within")
        if missing := {"proof", "status", "marketing"} - set(self.deliver_within):
            raise ValueError(f"deliver_within needs: {', '.join(sorted(missing))}")
        for name, page in self.links:
            if page and not self.may_link(page):
                raise ValueError(f"links.{name} leads to a host that is not in link_hosts")
        return self

    def may_link(self, page: str) -> bool:
        """Whether a mail may link to it: https, and a host of the list."""
        try:
            return urlsplit(_secure(page)).hostname in self.link_hosts
        except ValueError:
            return False
