"""`email.feedback.v1`: what the mail provider says about mails we sent."""

from typing import Literal

from pydantic import Field

from offramp_schemas.base import Event, FreeText, Id, Name


class EmailBounced(Event):
    """A mail could not be delivered."""

    message_id: Name = Field(description="the Message-ID of our mail, with or without angle brackets")
    kind: Literal["hard", "soft"]
    diagnostic: FreeText | None = None


class EmailComplained(Event):
    """The recipient called a mail of ours spam: no more marketing to them."""

    message_id: Name = Field(description="the Message-ID of our mail, with or without angle brackets")
    kind: Name | None = Field(default=None, description="the Feedback-Type of the report (RFC 5965): abuse, not-spam, ...")


class Unsubscribed(Event):
    """The recipient wants no more marketing mail: a click on its link, or one in the mail program (RFC 8058)."""

    via: Literal["one_click", "page", "reply", "support"] = "one_click"
    message_id: Name | None = Field(default=None, description="the Message-ID of the mail it came from, when it is known")


class MailCaseResolved(Event):
    """A person dealt with a mail that could not be delivered."""

    mail_id: Id = Field(description="as EmailFailed told it")
    decided_by: Id
    note: FreeText | None = None
