"""What a policy may say, but is seldom meant: each is a warning with the place of the number that it is about."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.console import words
from services.lifecycle.policy import Policy as LifecyclePolicy
from services.notifier.policy import NotifierPolicy
from services.refunds.policy import Policy as RefundsPolicy
from services.runtime.policies import Section

DAY = timedelta(days=1)
_MONTH = 28 * DAY
_BY_LAW = 14 * DAY  # the EU's Consumer Rights Directive, articles 9 and 13


@dataclass(frozen=True, slots=True)
class Policy:
    """All sections of one file, valid."""

    lifecycle: LifecyclePolicy
    refunds: RefundsPolicy
    notifier: NotifierPolicy

    def of(self, plan: str, country: str) -> "Policy":
        """As it holds for a plan in a country."""
        return Policy(self.lifecycle.of(plan, country), self.refunds.of(plan, country), self.notifier)

    @property
    def variants(self) -> Iterator[tuple[str, str]]:
        """(plan, country) of everything that is said of some and not of everybody, alone and together; "" is any other."""
        plans = dict.fromkeys(("", *self.lifecycle.plans, *self.refunds.plans))
        countries = dict.fromkeys(("", *self.lifecycle.countries, *self.refunds.countries))
        return ((plan, country) for plan in plans for country in countries if plan or country)


Place = tuple[str | int, ...]
Odd = Iterator[tuple[Place, str]]


def oddities(policy: Policy) -> list[tuple[Place, str]]:
    """(where, why it is odd); of a plan or a country, what is not odd of everybody."""
    seen = {variant: _seen(policy.of(*variant)) for variant in (("", ""), *policy.variants)}
    own = {
        (_at(place, *variant), why)
        for variant, found in seen.items()
        for place, why in found.difference(*(seen[each] for each in wider(*variant)))
    }
    return [*own, *_without_a_change(policy)]


def wider(plan: str, country: str) -> set[tuple[str, str]]:
    """What holds for more than them: whatever is so there need not be said of them."""
    return {("", ""), (plan, ""), ("", country)} - {(plan, country)}


def _seen(policy: Policy) -> set[tuple[Place, str]]:
    return {found for look in _LOOKS for found in look(policy)}


def _at(place: Place, plan: str, country: str) -> Place:
    """Where the last word about it was said."""
    said_of = ("countries", country) if country else ("plans", plan) if plan else ()
    return place[0], *said_of, *place[1:]


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
    if sorted(lifecycle.countries) != sorted(refunds.withdrawal_countries):
        yield (
            ("lifecycle", "withdrawal", "countries"),
            "refunds.withdrawal_countries are others: what one calls a withdrawal is none for the other",
        )
    if refunds.guarantee_window < refunds.withdrawal_window:
        yield (
            ("refunds", "guarantee_window"),
            "it is shorter than the right of withdrawal, so it is for businesses and other countries alone",
        )


def _wishes(policy: Policy) -> Odd:
    if policy.refunds.charge_awaited >= policy.lifecycle.refunds.acknowledged_within:
        yield (
            ("refunds", "charge_awaited"),
            "lifecycle.refunds.acknowledged_within is over by then: ops are told that refunds is silent wherever nothing was paid",
        )


def _dunning(policy: Policy) -> Odd:
    rules = policy.lifecycle.dunning
    if rules.steps[-1] + rules.settle_margin >= _MONTH:
        yield ("lifecycle", "dunning", "steps"), "it goes on until the next monthly charge, which then begins another dunning"
    if rules.settle_margin < timedelta(hours=1):
        yield ("lifecycle", "dunning", "settle_margin"), "a payment that is under way may be heard after access has ended"


def _terms(policy: Policy) -> Odd:
    rules = policy.lifecycle
    if rules.offers.discount_percent == 100:
        yield ("lifecycle", "offers", "discount_percent"), "whoever accepts pays nothing"
    if rules.cancellation.notice > 31 * DAY:
        yield ("lifecycle", "cancellation", "notice"), "more than a month: consumers may not be bound by it"
    if rules.data.grace < DAY:
        yield ("lifecycle", "data", "grace"), "hardly anybody exports their data within a day"


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


def _without_a_change(policy: Policy) -> Odd:
    for section in ("lifecycle", "refunds"):
        rules: LifecyclePolicy | RefundsPolicy = getattr(policy, section)
        plans, countries = ["", *rules.plans], ["", *rules.countries]
        for plan in rules.plans:
            if all(_numbers(rules.of(plan, country)) == _numbers(rules.of("", country)) for country in countries):
                yield (section, "plans", plan), "it says nothing that does not hold for every plan"
        for country in rules.countries:
            if all(_numbers(rules.of(plan, country)) == _numbers(rules.of(plan, "")) for plan in plans):
                yield (section, "countries", country), "it says nothing that does not hold everywhere"


def _numbers(rules: Section) -> dict[str, Any]:
    return rules.model_dump(exclude={"plans", "countries"})


_LOOKS: tuple[Callable[[Policy], Odd], ...] = (_withdrawal, _wishes, _dunning, _terms, _limits, _mails)
