"""Who has a refund account, and what they wish for before a payment of theirs is known. Frozen."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from offramp_schemas import Contact


class Customer(Struct, frozen=True):
    """What decides about their rights, and where they are written to. `as_of` is the time of the picture."""

    email: str
    name: str
    locale: str
    country: str
    consumer: bool
    plan_name: str
    account_created_at: datetime | None
    as_of: datetime
    plan: str = ""  # its id; unknown of whom was last heard before it was kept

    @property
    def contact(self) -> Contact:
        """As a fact carries it."""
        return Contact(email=self.email, name=self.name, locale=self.locale)


class Wish(Struct, frozen=True):
    """Money that is asked back while no payment is known of which it could come. It is kept: the payment may be heard of later."""

    request_ref: str
    requested_by: Literal["customer", "support", "lifecycle", "ops"]
    cause: Literal["customer_request", "immediate_cancellation", "charged_in_error", "goodwill"]
    asked_at: datetime
    answer_at: datetime | None
    """Until then a payment is waited for; None: the customer has been told that there is none."""
    answered_at: datetime | None = None
    amount_minor: int | None = None
    currency: str | None = None
    comment: str | None = None
