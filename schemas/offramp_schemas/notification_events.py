"""`notification.events.v1`: what became of a mail. No address travels here."""

from typing import Literal

from pydantic import Field

from offramp_schemas.base import FollowUp, Id, Moment, Name


class MailFact(FollowUp):
    """Common to all: which mail, about what."""

    mail_id: Id
    template: Id
    about: Id = Field(description="the subscription, refund or alert")
    about_version: int = Field(ge=0, description="the version of that entity the mail speaks of")
    caused_by: Id = Field(description="the id of the event that asked for the mail")


class EmailSent(MailFact):
    """The mail server accepted it."""

    message_id: Name
    sent_at: Moment


class EmailSuppressed(MailFact):
    """It was not sent, on purpose."""

    reason: Literal["recovered", "withdrawn", "ended", "outdated", "opted_out", "address_bounced", "cleared", "digested"]


class EmailFailed(MailFact):
    """It could not be delivered: a case for ops, with a deadline."""

    reason: Name
    owner: Name
    act_by: Moment
