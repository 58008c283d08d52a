"""What the notifier remembers: the correspondence with one subscription, and a digest of what people of ours have to look at."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from offramp_schemas.notification_events import Audience

MailClass = Literal["proof", "status", "marketing"]
OptOut = Literal["unsubscribed", "complained"]
MailState = Literal["queued", "sent", "suppressed", "undeliverable"]


class Mail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One mail: there is only one per (about, version, template, recipient), and `mail_id` is derived from these four.

    While it is queued, `send_after` is when it wakes: to be sent, or (`asked`) because the mail server's answer never came.
    """

    mail_id: str
    about: str
    version: int
    template: str
    mail_class: MailClass
    cause: str = ""
    """What has to hold still when it leaves (`invoice:in_7`); empty: nothing can make it untrue."""
    locale: str
    recipient_hash: str
    message_id: str
    due_by: datetime
    """Not accepted by the mail server by then, it is undeliverable."""
    since: datetime | None = None
    """When that came about which it tells."""
    promised_by: datetime | None = None
    """Of a proof to a customer."""
    address: str | None = None
    context: dict[str, Any] | None = None
    state: MailState = "queued"
    send_after: datetime | None = None
    asked: bool = False
    tries: int = 0
    doubtful: bool = False
    """The last try may have arrived."""
    gone: str | None = None
    """Its cause went while it was on its way: it is not tried again."""
    reason: str | None = None
    """Why it was not sent; a finer word stands behind a dot: `outdated.resumed`."""
    owner: str | None = None
    """Whose case it is that it could not be delivered, who acts by `act_by`, and how often they were reminded."""
    act_by: datetime | None = None
    reminders: int = 0
    case_closed_at: datetime | None = None
    case_closed_by: str | None = None
    closed_at: datetime | None = None
    rendered: str | None = None


class Fact(Struct, frozen=True, omit_defaults=True):
    """The newest that is known of a subscription or refund."""

    version: int = -1
    state: str = ""
    told: dict[str, tuple[int, ...]] = {}
    """By template: the versions that have their mail."""
    deadline_at: datetime | None = None
    """Of a refund that is not over: by then it is heard of again."""
    heard_at: datetime | None = None
    alerted_at: datetime | None = None


class Postbox(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What writes mails. `closed` are those that ended since the row was last stored: they go to their table and are never loaded back."""

    mails: tuple[Mail, ...] = ()
    closed: tuple[Mail, ...] = ()
    sent: tuple[Mail, ...] = ()
    """The last few, without address and context: a bounce names one of them."""
    bounced: tuple[str, ...] = ()
    """Hashes of addresses that don't exist (any more)."""
    cases: tuple[Mail, ...] = ()
    """Undeliverable ones that nobody has dealt with yet, without address and context."""


class Correspondence(Postbox, frozen=True, kw_only=True, omit_defaults=True, tag_field="state", tag="correspondence"):
    """With one subscription: what is known of it and of its refunds, and the mails that are open."""

    facts: dict[str, Fact] = {}
    opted_out: OptOut | None = None
    """Marketing is over, for this reason, until they agree to it anew."""
    opted_out_at: datetime | None = None
    """None: it was before anybody kept it, and no agreement is known to be newer."""
    consented_at: datetime | None = None
    """The newest agreement to marketing that was heard of."""
    forgotten: bool = False
    """The customer asked to be: nothing is written but about a refund that is still open."""


class Digest(Postbox, frozen=True, kw_only=True, omit_defaults=True, tag_field="state", tag="digest"):
    """What one audience has to look at for one cause, counted until the window closes; then it is one mail."""

    audience: Audience
    cause: str
    count: int = 0
    first: tuple[str, ...] = ()
    since: datetime | None = None
    closes_at: datetime | None = None
    quiet_until: datetime | None = None
    windows: int = 0


Letters = Correspondence | Digest
