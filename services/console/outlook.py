"""A foresight in words: what ends when, which money comes back by which rule, what becomes of the data, which mails are written."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from offramp_schemas import Event
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas import refund_events as refund
from offramp_schemas import retention_events as retention
from offramp_schemas.refund_request import RefundRequested
from services.console import words
from services.console.foresight import Foresight, Mail

Said = Iterator[tuple[str, str]]
_RIGHTS = {
    "withdrawal": "by the right of withdrawal",
    "guarantee": "by the money-back guarantee",
    "goodwill": "as goodwill",
    "charged_in_error": "as it was charged in error",
}
_MOST_WAKES = 8
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FOR_OTHERS = (lifecycle.DunningStopped, lifecycle.DunningExhausted, refund.RefundReviewNeeded)


def told(seen: Foresight) -> list[tuple[str, str]]:
    """(what it is about, a sentence), in the order in which a person would ask."""
    said = [*_answers(seen)]
    for each in seen.told:
        said += sentences(each.event)
    said += [("money", f"the payment provider is asked at once ({kind})") for _, kind, _ in seen.asked]
    said += [("mails", mail(each)) for each in seen.mails]
    wakes = seen.wakes
    said += [("money", _unless_paid(each.at)) for each in wakes if each.by == "refunds" and each.name.startswith("nothing-paid:")]
    said += [("later", f"{words.moment(each.at)}  {each.by}  {_ID.sub('…', each.name)}") for each in wakes[:_MOST_WAKES]]
    if len(wakes) > _MOST_WAKES:
        said.append(("later", f"and {len(wakes) - _MOST_WAKES} more"))
    order = dict.fromkeys(("answer", "access", "money", "data", "offer", "mails", *(about for about, _ in said), "later"))
    order = {**{about: None for about in order if about != "later"}, "later": None}
    return [(about, sentence) for wanted in order for about, sentence in said if about == wanted]


def sentences(fact: Event) -> Said:
    """(what it is about, a sentence) of one fact; nothing of what is for our own people."""
    return _SENTENCES.get(type(fact), _plainly)(fact)


def mail(each: Mail) -> str:
    """`cancellation scheduled (proof), at once`"""
    name = f"{each.template.replace('_', ' ')} ({each.kind})"
    if each.suppressed:
        return f"{name}, not sent: {each.suppressed}"
    return f"{name}, {'at once' if each.send_at is None else words.moment(each.send_at)}"


def _answers(seen: Foresight) -> Said:
    changes = seen.changes
    for service, (disposition, why) in seen.dispositions.items():
        before, after = changes.get(service, (None, None))
        states = "" if service not in changes else f": {after}" if before == after else f": {before or 'new'} → {after}"
        if service == "refunds" and disposition == "applied" and before == after:
            continue  # it would only take note
        yield "answer", f"{service}: {disposition}{states if disposition == 'applied' else ''}{f' ({why})' if why else ''}"


def _unless_paid(until: datetime) -> str:
    return f"no payment is known: unless one is heard of until {words.moment(until)}, nothing comes back"


def _scheduled(fact: lifecycle.CancellationScheduled) -> Said:
    yield "access", f"goes on until {words.moment(fact.ends_at)}; nothing is charged again (reference {fact.reference})"
    yield from _data(fact.data_retained, fact.export_by, fact.deletion_due_at)
    yield from _owed(fact.open_balances)


def _ended(fact: lifecycle.SubscriptionEnded) -> Said:
    yield "access", f"ends {words.moment(fact.ended_at)}: {fact.end_reason.replace('_', ' ')}"
    yield from _data(fact.data_retained, fact.export_by, fact.deletion_due_at)
    yield from _owed(fact.open_balances)


def _paused(fact: pause.SubscriptionPaused) -> Said:
    yield "access", f"rests from {words.moment(fact.paused_at)} to {words.moment(fact.resumes_at)}"
    yield from _data(fact.data_retained, fact.export_by, fact.deletion_due_at)


def _undone(fact: lifecycle.CancellationUndone) -> Said:
    yield "access", f"goes on as before{_from(', renews ', fact.renews_at)}"


def _resumed(fact: pause.SubscriptionResumed) -> Said:
    yield "access", f"is back{_from('; the next charge ', fact.renews_at) or '; it is charged now'}"


def _reactivated(fact: pause.SubscriptionReactivated) -> Said:
    yield "access", f"is back{_from('; the next charge ', fact.renews_at)}"


def _needs_card(fact: pause.PaymentMethodNeeded) -> Said:
    yield "access", f"needs a card first ({fact.purpose}), by {words.moment(fact.give_by)}"


def _charge_due(fact: pause.ReactivationChargeDue) -> Said:
    yield "access", f"comes back once {words.money(fact.amount_minor, fact.currency)} is paid, by {words.moment(fact.charge_by)}"


def _rejected(fact: Any) -> Said:
    possible = _from(", possible from ", getattr(fact, "possible_from", None))
    longest = getattr(fact, "longest_days", None)
    yield "answer", f"{fact.kebab()}: {fact.rule.replace('_', ' ')}{possible}{f', {longest} days at most' if longest else ''}"


def _unpaid(fact: lifecycle.PaymentPastDue | lifecycle.PaymentRetryDue | lifecycle.CardUpdateDue) -> Said:
    again = _from("; charged again ", getattr(fact, "next_attempt_at", None))
    yield "money", f"{words.money(fact.amount_minor, fact.currency)} is unpaid ({fact.invoice_id}){again}"
    yield "access", f"ends {words.moment(fact.gives_up_at)} unless it is paid"


def _asked(fact: RefundRequested) -> Said:
    amount = words.money(fact.amount_minor, fact.currency) if fact.amount_minor and fact.currency else "what was paid"
    yield "money", f"{amount} is asked back ({fact.cause.replace('_', ' ')}, {fact.request_ref})"


def _received(fact: refund.RefundReceived) -> Said:
    if fact.person_decides:
        amount = words.money(fact.amount_minor, fact.currency)
        yield "money", f"{amount} {_RIGHTS[fact.basis]}: a person decides by {words.moment(fact.decides_by)}"


def _approved(fact: refund.RefundApproved) -> Said:
    yield (
        "money",
        f"{words.money(fact.amount_minor, fact.currency)} comes back {_RIGHTS[fact.basis]}, issued by {words.moment(fact.told_due_at)}",
    )


def _refused(fact: refund.RefundRejected) -> Said:
    window = _from(f"; its {fact.window_days} days ended " if fact.window_days else "; its time ended ", fact.window_ended_at)
    appeal = _from("; an appeal is possible until ", fact.appeal_by)
    yield "money", f"{words.money(fact.amount_minor, fact.currency)} does not come back: {fact.rule.replace('_', ' ')}{window}{appeal}"


def _nothing(fact: refund.NothingToRefund) -> Said:
    yield "money", f"nothing comes back: no payment is known ({fact.request_ref})"


def _offered(fact: retention.RetentionOffered) -> Said:
    offer = fact.offer
    size = {
        "discount": f"{offer.discount_percent} % off for {offer.discount_periods} periods",
        "pause": f"a pause of {offer.pause_days} days",
        "trial_extension": f"{offer.extension_days} more days of trial",
        "success_session": "a session with a person of ours",
    }[offer.kind]
    yield "offer", f"{size}, open until {words.moment(offer.expires_at)}; taking it undoes the cancellation"


def _applied(fact: retention.RetentionOfferApplied) -> Said:
    until = _from("; renews ", fact.renews_at) or _from("; the trial ends ", fact.trial_ends_at)
    yield "access", f"goes on as before, with the {fact.offer.kind.replace('_', ' ')} that was offered{until}"


def _plainly(fact: Event) -> Said:
    if hasattr(fact, "rule"):
        yield from _rejected(fact)
    elif not isinstance(fact, _FOR_OTHERS):
        yield "also", f"{fact.kebab()}  {words.gist(fact)}".rstrip()


def _data(retained: bool, export_by: datetime, deletion: datetime | None) -> Said:
    fate = f"kept until {words.moment(deletion)}, as wished" if retained else f"deleted after {words.moment(deletion or export_by)}"
    yield "data", f"can be exported until {words.moment(export_by)}; {fate}"


def _owed(balances: tuple[lifecycle.OpenBalance, ...]) -> Said:
    for each in balances:
        yield "money", f"{words.money(each.amount_minor, each.currency)} stays open ({each.invoice_id})"


def _from(before: str, at: datetime | None) -> str:
    return f"{before}{words.moment(at)}" if at else ""


_SENTENCES: dict[type[Event], Callable[[Any], Said]] = {
    lifecycle.CancellationScheduled: _scheduled,
    lifecycle.SubscriptionEnded: _ended,
    lifecycle.CancellationUndone: _undone,
    lifecycle.PaymentPastDue: _unpaid,
    lifecycle.PaymentRetryDue: _unpaid,
    lifecycle.CardUpdateDue: _unpaid,
    pause.SubscriptionPaused: _paused,
    pause.SubscriptionResumed: _resumed,
    pause.SubscriptionReactivated: _reactivated,
    pause.PaymentMethodNeeded: _needs_card,
    pause.ReactivationChargeDue: _charge_due,
    retention.RetentionOffered: _offered,
    retention.RetentionOfferApplied: _applied,
    RefundRequested: _asked,
    refund.RefundReceived: _received,
    refund.RefundApproved: _approved,
    refund.RefundRejected: _refused,
    refund.NothingToRefund: _nothing,
}
