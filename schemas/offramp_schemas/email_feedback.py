"""`email.feedback.v1`: what the mail provider says about mails we sent."""

from typing import Literal

from pydantic import Field

from offramp_schemas.base import Event, FreeText, Name


class EmailBounced(Event):
    """A mail could not be delivered."""

    message_id: Name = Field(description="the Message-ID of our mail, with or without angle brackets")
    kind: Literal["hard", "soft"]
    diagnostic: FreeText | None = None
