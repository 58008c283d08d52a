"""When a canceled subscription ends, and what the customer is told of it."""

from datetime import datetime

from msgspec.structs import replace

from offramp_schemas import Event
from offramp_schemas.lifecycle_events import CancellationScheduled
from services.lifecycle.ending import open_balances
from services.lifecycle.policy import LifecyclePolicies, Rules
from services.lifecycle.states import Live, NonRenewing, PastDue, Trialing
from services.runtime.decision import When


def end_of_access(state: Live, asked_at: datetime, rules: Rules) -> datetime | None:
    """The end of the paid period, or later if a commitment or the notice period says so; None where nothing is paid for.

    A trial lapses when it ends. While a charge is unpaid, neither commitment nor notice prolongs what is not paid for.
    """
    facts = state.facts
    match state:
        case Trialing():
            return state.trial_ends_at
        case PastDue():
            return facts.paid_through
        case _ if facts.free:
            return facts.commitment_ends_at
    notice_ends_at = asked_at + rules.cancellation.notice
    return max(facts.expected_end, notice_ends_at, facts.commitment_ends_at or notice_ends_at)


def confirmation(state: NonRenewing, rules: Rules) -> CancellationScheduled:
    """The customer's proof."""
    export_by = state.ends_at + rules.data.grace
    return CancellationScheduled(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        reference=state.cancellation.reference,
        ends_at=state.ends_at,
        export_by=export_by,
        reason_given=state.cancellation.reason_given,
        feedback=state.cancellation.feedback,
        open_balances=open_balances(state),
        data_retained=state.cancellation.keep_data,
        deletion_due_at=export_by + rules.data.retained if state.cancellation.keep_data else export_by,
    )


def reminder(ends_at: datetime, now: datetime, rules: Rules) -> datetime | None:
    """When the end is recalled; None if the confirmation itself comes that late."""
    remind_at = ends_at - rules.cancellation.remind_before_end
    return remind_at if remind_at > now else None


def reconsidered(state: NonRenewing, when: When, policies: LifecyclePolicies) -> tuple[NonRenewing, tuple[Event, ...]]:
    """The end after news of the paid period, and a new confirmation if it moved.

    It moves only for what happened before the cancellation and was heard after it, since topics have no common order, and never
    to an earlier day than the customer was told.
    """
    end = state.facts.period_end
    if when.at >= state.cancellation.canceled_at or state.trial_ends_at or end is None or end <= state.ends_at:
        return state, ()
    rules = policies.of(state.facts)
    moved = replace(state, ends_at=end, remind_at=reminder(end, when.now, rules))
    return moved, (confirmation(moved, rules),)
