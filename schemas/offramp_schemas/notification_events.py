"""`notification.events.v1`: what became of a mail; `notification.alerts.v1`: what people of ours must look at. No address travels here."""

from typing import Literal

from pydantic import Field

from offramp_schemas.base import FollowUp, Id, Moment, Name

Audience = Literal["ops", "on_call", "manager", "finance"]


class MailFact(FollowUp):
    """Common to all: which mail, about what."""

    mail_id: Id
    template: Id
    about: Id = Field(description="the subscription, refund or alert")
    about_version: int = Field(ge=0, description="the version of that entity the mail speaks of")


class EmailSent(MailFact):
    """The mail server accepted it."""

    message_id: Name
    sent_at: Moment


class EmailSuppressed(MailFact):
    """It was not sent, on purpose."""

    reason: Literal["recovered", "withdrawn", "ended", "outdated", "opted_out", "address_bounced", "cleared", "digested"]
    detail: Id | None = Field(
        default=None, description="the reason in a finer word: unsubscribed, complained, erased, answered, resumed, ..."
    )


class EmailFailed(MailFact):
    """It could not be delivered: a case for ops, with a deadline."""

    reason: Name
    owner: Name
    act_by: Moment


class AlertRaised(FollowUp):
    """Somebody of ours has to look. What has the same cause is counted and goes out as one mail to its audience."""

    audience: Audience
    cause: Id = Field(description="what is wrong, in one word: refund_stalled.provider_silent, renewal_missing, ...")
    about: Id = Field(description="the subscription, refund, payment or mail it is about")
    subscription_id: Id
    act_by: Moment | None = None


class MailCaseOverdue(MailFact):
    """For ops: nobody has dealt with an undeliverable mail in time; repeated until somebody does."""

    owner: Name
    missed_at: Moment
    act_by: Moment = Field(description="when this is said again")
    reminder: int = Field(ge=1)


class MailCaseClosed(MailFact):
    """An undeliverable mail is nobody's case any longer."""

    cause: Literal["resolved", "address_replaced", "erased"]
    decided_by: Id | None = Field(default=None, description="who resolved it; none: it resolved itself")


class MarketingOptedOut(FollowUp):
    """No more marketing mail goes out about this subscription; for the account service, which keeps the consent."""

    cause: Literal["unsubscribed", "complained"]
    mail_id: Id | None = Field(default=None, description="of the mail that was the occasion, when it is known")
