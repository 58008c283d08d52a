"""When a refund or a payment wakes: a function of its state, so no deadline is forgotten.

A name is `what:refund_id:number`, or `what:number:id` where the id is somebody else's and may have a colon.
"""

from datetime import datetime

from services.refunds.customer import Wish
from services.refunds.payments import Payment
from services.refunds.policy import Policy
from services.refunds.states import Approved, Refund, Reversed
from services.runtime.decision import Timer

TOP_LEVEL = 3


def timers(refund: Refund, policy: Policy) -> frozenset[Timer]:
    """None of them takes anything away from anybody. A refund that is over has none, but while the provider's late word is asked about."""
    found: set[Timer] = set()
    if refund.deadline_at is not None:
        found.add(Timer(f"alarm:{refund.refund_id}:{refund.escalation.said + 1}", alarm_at(refund, refund.deadline_at, policy)))
    attempt = refund.attempt
    if attempt is not None and attempt.ask_at is not None:
        found.add(Timer(f"ask:{refund.refund_id}:{attempt.number}.{attempt.questions + 1}", attempt.ask_at))
    match refund.stage:
        case Approved(next_attempt_at=at):
            found.add(Timer(f"attempt:{refund.refund_id}:{len(refund.attempts) + 1}", at))
        case Reversed(since=since):
            found.add(Timer(f"attention:{refund.refund_id}:{len(refund.attempts)}", since))
    return frozenset(found)


def of_wish(wish: Wish) -> frozenset[Timer]:
    """Its answer takes a hope away: no payment may lie unread by then."""
    return frozenset({Timer(f"nothing-paid:1:{wish.request_ref}", wish.answer_at, takes_away=True)} if wish.answer_at else ())


def of_payment(payment: Payment) -> frozenset[Timer]:
    """Cases about refunds that we did not make, and the next look for them."""
    found = {
        Timer(f"foreign:{each.said + 1}:{each.provider_refund_id}", each.remind_at)
        for each in payment.foreign.values()
        if each.remind_at is not None
    }
    survey = payment.survey
    if survey is not None and survey.ask_at is not None:
        found.add(Timer(f"survey:{survey.asked + 1}:{payment.payment_id}", survey.ask_at))
    return frozenset(found)


def alarm_at(refund: Refund, deadline_at: datetime, policy: Policy) -> datetime:
    """When it is complained about next: at the deadline, level by level after it, and daily once there is no higher level."""
    escalation = refund.escalation
    if not escalation.missed or escalation.said_at is None:
        return deadline_at
    if escalation.level == 1:
        return deadline_at + policy.level_2_after
    if escalation.level < TOP_LEVEL:
        return policy.calendar.after(deadline_at, policy.level_3_after)
    return escalation.said_at + policy.repeat_every


def next_action_at(refund: Refund, policy: Policy) -> datetime | None:
    """When something happens next without anybody's doing; none of one that is over."""
    return None if refund.over else min((timer.due_at for timer in timers(refund, policy)), default=None)
