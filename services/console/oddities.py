"""What a policy may say, but is seldom meant: each is a warning with the place of the number that it is about."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from services.console import words
from services.lifecycle.policy import Policy as LifecyclePolicy
from services.lifecycle.policy import Rules
from services.notifier.policy import NotifierPolicy
from services.refunds.policy import Policy as RefundsPolicy

DAY = timedelta(days=1)
_MONTH = 28 * DAY
_BY_LAW = 14 * DAY  # the EU's Consumer Rights Directive, articles 9 and 13


@dataclass(frozen=True, slots=True)
class Policy:
    """All sections of one file, valid."""

    lifecycle: LifecyclePolicy
    refunds: RefundsPolicy
    notifier: NotifierPolicy


Place = tuple[str | int, ...]
Odd = Iterator[tuple[Place, str]]


def oddities(policy: Policy) -> list[tuple[Place, str]]:
    """(where, why it is odd)"""
    return [found for look in _LOOKS for found in look(policy)]


def _withdrawal(policy: Policy) -> Odd:
    refunds, lifecycle = policy.refunds, policy.lifecycle.withdrawal
    if refunds.withdrawal_window < _BY_LAW:
        yield ("refunds", "withdrawal_window"), "consumers in the EU have 14 days by law"
    if refunds.withdrawal_pays_within > _BY_LAW:
        yield ("refunds", "withdrawal_pays_within"), "by law the money is back within 14 days"
    if lifecycle.window != refunds.withdrawal_window:
        theirs = words.span(refunds.withdrawal_window)
        yield (
            ("lifecycle", "withdrawal", "window"),
            f"refunds.withdrawal_window is {theirs}: what one calls a withdrawal is none for the other",
        )
    if refunds.guarantee_window < refunds.withdrawal_window:
        yield (
            ("refunds", "guarantee_window"),
            "it is shorter than the right of withdrawal, so it is for businesses and other countries alone",
        )


def _dunning(policy: Policy) -> Odd:
    for place, rules in _plans(policy):
        if rules.dunning.steps[-1] + rules.dunning.settle_margin >= _MONTH:
            yield (*place, "dunning", "steps"), "it goes on until the next monthly charge, which then begins another dunning"
        if rules.dunning.settle_margin < timedelta(hours=1):
            yield (*place, "dunning", "settle_margin"), "a payment that is under way may be heard after access has ended"


def _offers(policy: Policy) -> Odd:
    for place, rules in _plans(policy):
        if rules.offers.discount_percent == 100:
            yield (*place, "offers", "discount_percent"), "whoever accepts pays nothing"
        if rules.cancellation.notice > 31 * DAY:
            yield (*place, "cancellation", "notice"), "more than a month: consumers may not be bound by it"
        if rules.data.grace < DAY:
            yield (*place, "data", "grace"), "hardly anybody exports their data within a day"


def _limits(policy: Policy) -> Odd:
    one, two = policy.refunds.approve_up_to, policy.refunds.one_person_up_to
    for currency, minor in one.items():
        if minor > two.get(currency, 0):
            limit = words.money(two[currency], currency) if currency in two else "no limit at all"
            yield ("refunds", "approve_up_to", currency), f"one_person_up_to has {limit}: one more cent, and two persons decide"
        if minor == 0:
            yield ("refunds", "approve_up_to", currency), "a person decides about every refund"
    if policy.refunds.key_lifetime > DAY:
        yield (
            ("refunds", "key_lifetime"),
            "payment providers forget an idempotency key after a day: what is sent again later may be paid twice",
        )


def _mails(policy: Policy) -> Odd:
    notifier = policy.notifier
    if notifier.sender.domain == "example.com":
        yield ("notifier", "sender", "address"), "mails leave in the name of example.com"
    for audience, address in notifier.alerts.addresses.items():
        if address.endswith("@example.com"):
            yield ("notifier", "alerts", "addresses", audience), f"nobody reads {address}"
    if any(page and "//example.com/" in page for _, page in notifier.links):
        yield ("notifier", "links"), "mails link to example.com"
    if notifier.links.unsubscribe is None:
        yield ("notifier", "links", "unsubscribe"), "without it no offer, survey or win-back is mailed"
    if notifier.deliver_within["proof"] < timedelta(hours=1):
        yield ("notifier", "deliver_within", "proof"), "an hour's trouble with the mail server makes every mail a case"


def _plan_without_a_change(policy: Policy) -> Odd:
    general = policy.lifecycle.model_dump(exclude={"plans"})
    for name, rules in policy.lifecycle.plans.items():
        if rules.model_dump(exclude={"plans"}) == general:
            yield ("lifecycle", "plans", name), "it says nothing that does not hold for every plan"


def _plans(policy: Policy) -> Iterator[tuple[Place, Rules]]:
    """The general rules, and those of plans that change them."""
    yield ("lifecycle",), policy.lifecycle
    for name, rules in policy.lifecycle.plans.items():
        yield ("lifecycle", "plans", name), rules


_LOOKS: tuple[Callable[[Policy], Odd], ...] = (_withdrawal, _dunning, _offers, _limits, _mails, _plan_without_a_change)
