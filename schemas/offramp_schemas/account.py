"""`subscription.account.v1`: what billing and the account service know of a subscription."""

from typing import Literal

from pydantic import Field

from offramp_schemas.base import Contact, Country, Currency, Event, Id, Last4, Minor, MinorOrZero, Moment, Name, Part

Interval = Literal["month", "year"]


class Reseller(Part):
    """Who sold the subscription, when it was not us: only they can end it."""

    reseller_id: Id
    name: Name
    contact: Name = Field(description="an address, a phone number or a page: shown to the customer as it is")


class PriceChange(Part):
    """Another price that was announced: the customer is reminded before it is charged."""

    price_minor: MinorOrZero = Field(description="per period, from then on")
    currency: Currency
    effective_at: Moment = Field(description="the first renewal at that price")


class SubscriptionFacts(Event):
    """A whole picture of the subscription at the event's `time`; the newest picture wins."""

    customer_id: Id
    owner_id: Id = Field(description="the user who may cancel")
    contact: Contact
    plan: Id
    plan_name: Name
    price_minor: MinorOrZero = Field(description="per period; 0 is a free plan")
    currency: Currency
    interval: Interval = "month"
    current_period_start: Moment | None = None
    current_period_end: Moment | None = Field(default=None, description="paid through; none on a free plan")
    trial_ends_at: Moment | None = Field(default=None, description="present while nothing has been paid yet")
    commitment_ends_at: Moment | None = Field(default=None, description="a minimum term; a cancellation can't end access earlier")
    account_created_at: Moment | None = None
    country: Country
    consumer: bool = Field(description="false: a business, without the consumer's right of withdrawal")
    marketing_consent: bool = Field(
        default=False, description="where it becomes true, they agreed at the event's time: also after an opt-out"
    )
    reseller: Reseller | None = None
    payment_method_on_file: bool | None = Field(default=None, description="false: a card has to be asked for; none: billing does not say")
    card_brand: Name | None = None
    card_last4: Last4 | None = None
    price_change: PriceChange | None = Field(default=None, description="none: the price stays as it is")


class SubscriptionStarted(SubscriptionFacts):
    """A subscription exists from now on."""


class SubscriptionChanged(SubscriptionFacts):
    """Plan, price, owner, address or another fact changed; the whole picture again."""


class SubscriptionRenewed(Event):
    """Billing began a new period."""

    current_period_start: Moment
    current_period_end: Moment
    price_minor: MinorOrZero
    currency: Currency
    payment_id: Id | None = Field(default=None, description="the charge for the new period, when it is known already")
    amount_minor: Minor | None = Field(default=None, description="of that charge")


class DataDeleted(Event):
    """The owner of the customer's data has deleted it: the answer to DataDeletionDue."""


class PersonErased(Event):
    """The person asked to be forgotten: contact data is overwritten, money stays. One for each subscription of theirs."""

    request_ref: Id | None = Field(default=None, description="of the data protection request")
