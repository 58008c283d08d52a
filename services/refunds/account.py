"""What billing tells: who the customer is, which period runs, what was paid. Only the newest picture counts.

Of a person who asked to be forgotten, nothing but the money stays.
"""

from msgspec.structs import replace

from offramp_schemas.account import PersonErased, SubscriptionFacts, SubscriptionRenewed
from offramp_schemas.base import ERASED
from offramp_schemas.payment import PaymentSucceeded
from services.refunds.customer import Customer
from services.refunds.payments import Payment
from services.refunds.states import Account, PendingReview, Refund
from services.runtime.decision import Decision, Ignored, When

Told = SubscriptionFacts | SubscriptionRenewed | PaymentSucceeded | PersonErased


def opened(subscription_id: str, facts: SubscriptionFacts, when: When) -> Decision[Account]:
    """A subscription is heard of for the first time."""
    return Decision(Account(subscription_id, _customer(facts, when), facts.current_period_start))


def pictured(account: Account, facts: SubscriptionFacts, when: When) -> Decision[Account] | Ignored:
    """The whole picture again."""
    if when.at < account.customer.as_of:
        return Ignored("older_than_known")
    customer = _customer(facts, when)
    customer = replace(customer, account_created_at=customer.account_created_at or account.customer.account_created_at)
    if account.erased:  # billing may not have heard of it yet
        customer = replace(customer, email=account.customer.email, name=account.customer.name, locale=account.customer.locale)
    return Decision(replace(account, customer=customer, period_start=facts.current_period_start or account.period_start))


def hear(account: Account, event: Told, when: When) -> Decision[Account] | Ignored:
    """The table of what is told."""
    match event:
        case SubscriptionFacts():
            return pictured(account, event, when)
        case SubscriptionRenewed():
            return renewed(account, event)
        case PaymentSucceeded():
            return paid(account, event, when)
        case PersonErased():
            return erased(account)


def renewed(account: Account, event: SubscriptionRenewed) -> Decision[Account] | Ignored:
    """A new period. Its charge counts when it is captured, which PaymentSucceeded says."""
    if account.period_start is not None and event.current_period_start <= account.period_start:
        return Ignored("older_than_known")
    return Decision(replace(account, period_start=event.current_period_start))


def paid(account: Account, event: PaymentSucceeded, when: When) -> Decision[Account] | Ignored:
    """Money that can be given back. What was captured does not change."""
    if event.payment_id in account.payments:
        return Ignored("payment_known")
    payment = Payment(
        event.payment_id,
        event.provider_payment_id or event.payment_id,
        event.amount_minor,
        event.currency,
        captured_at=when.at,
        period_end=event.period_end,
    )
    return Decision(replace(account, payments={**account.payments, payment.payment_id: payment}))


def erased(account: Account) -> Decision[Account] | Ignored:
    """The person asked to be forgotten. An open refund keeps its address until it is over: its mails are owed."""
    return Ignored("erased_before") if account.erased else Decision(replace(account, erased=True))


def forget(account: Account) -> Account:
    """Who asked to be forgotten is: their words at once, the address as soon as no refund is open."""
    if not account.erased:
        return account
    account = replace(
        account,
        refunds={each.refund_id: _wordless(each) for each in account.refunds.values()},
        wishes={each.request_ref: replace(each, comment=None) for each in account.wishes.values()},
    )
    if account.customer.email == ERASED.email or not all(each.over for each in account.refunds.values()):
        return account
    return replace(account, customer=replace(account.customer, email=ERASED.email, name=ERASED.name, locale=ERASED.locale))


def _wordless(refund: Refund) -> Refund:
    """Free text may name anybody."""
    stage = refund.stage
    return replace(refund, stage=replace(stage, comment=None)) if isinstance(stage, PendingReview) and stage.comment else refund


def _customer(facts: SubscriptionFacts, when: When) -> Customer:
    contact = facts.contact
    return Customer(
        email=contact.email,
        name=contact.name,
        locale=contact.locale,
        country=facts.country,
        consumer=facts.consumer,
        plan_name=facts.plan_name,
        account_created_at=facts.account_created_at,
        as_of=when.at,
        plan=facts.plan,
    )
