"""The customer's data while there is no access: a grace period to export it, then it is retained, if they asked for that, then deleted.

| stage        | what is possible                                   | leaves by                                                    |
|--------------|----------------------------------------------------|--------------------------------------------------------------|
| grace        | export; return at once while the paid period runs  | its end → retained if asked for, else deletion_due           |
| retained     | return with a payment method                       | its end → deletion_due, recalled a week before               |
| deletion_due | return with a payment method, until it is deleted  | DataDeleted → deleted; the data's owner is asked daily       |
| deleted      | start anew; a paused subscription can still resume |                                                              |
"""

from datetime import datetime
from typing import TypedDict

from msgspec.structs import replace

from offramp_schemas.lifecycle_events import DataDeletionDue, DataDeletionSoon, DataExportDue, DataRetained
from services.lifecycle.countdown import days_left
from services.lifecycle.policy import DataRules, LifecyclePolicies
from services.lifecycle.states import AnyResting, Paused, Resting, Subscription
from services.runtime.decision import Decision, TimerDue, When


class Stages(TypedDict, total=False):
    """What a state without access knows of its data."""

    ask_deletion_at: datetime
    export_reminder_at: datetime | None
    retain_at: datetime | None
    retained: bool
    deletion_reminder_at: datetime | None
    deletion_asked: int
    deleted_at: datetime | None


def in_grace(since: datetime, now: datetime, keep: bool, rules: DataRules) -> Stages:
    """The grace period counts from the end of access, but heard late it still leaves a day to export the data.

    What is kept is not lost when the grace period is over: only its deletion is recalled.
    """
    grace_ends_at = max(since + rules.grace, now + rules.remind_before)
    if not keep:
        return Stages(ask_deletion_at=grace_ends_at, export_reminder_at=grace_ends_at - rules.remind_before)
    deletion_at = grace_ends_at + rules.retained
    return Stages(retain_at=grace_ends_at, ask_deletion_at=deletion_at, deletion_reminder_at=deletion_at - rules.remind_before_deletion)


def after_pause(state: Paused, now: datetime, keep: bool, rules: DataRules) -> Stages:
    """A pause that ends for good: who is still in grace gets a whole one; else the data stays in its stage. What was kept stays kept."""
    if state.data_stage == "grace":
        return in_grace(now, now, keep or state.retain_at is not None, rules)
    remind_at = state.ask_deletion_at - rules.remind_before_deletion
    return Stages(
        ask_deletion_at=state.ask_deletion_at,
        retained=state.retained,
        deletion_reminder_at=remind_at if state.data_stage == "retained" and remind_at > now else None,
        deletion_asked=state.deletion_asked,
        deleted_at=state.deleted_at,
    )


def put_off(state: AnyResting, until: datetime, policies: LifecyclePolicies) -> AnyResting:
    """Nothing is deleted while a customer who wants to return is waited for; but for one who asked to be forgotten."""
    if state.heard.erased_at:
        return state
    ask_at = until + policies.of(state.facts).data.ask_every
    return replace(state, ask_deletion_at=max(state.ask_deletion_at, ask_at))


def at_once(state: AnyResting, now: datetime) -> AnyResting:
    """A person who asked to be forgotten keeps nothing: whatever was agreed, the data is due for deletion now."""
    return replace(
        state,
        ask_deletion_at=min(state.ask_deletion_at, now),
        export_reminder_at=None,
        retain_at=None,
        retained=False,
        deletion_reminder_at=None,
    )


def gone(state: AnyResting, at: datetime) -> AnyResting:
    """Deleted: nothing is left to be recalled."""
    told = replace(state.heard, data_deleted_at=at)
    return replace(state, heard=told, deleted_at=at, export_reminder_at=None, retain_at=None, deletion_reminder_at=None)


def export_by(state: Resting) -> datetime:
    """The end of the grace period; past when that is over."""
    return state.retain_at or state.ask_deletion_at


def export_reminder(state: Resting, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The last day to export the data; a late reminder still leaves a whole one."""
    by = max(state.ask_deletion_at, when.now + policies.of(state.facts).data.remind_before)
    fact = DataExportDue(contact=state.facts.contact, plan_name=state.facts.plan_name, export_by=by)
    return Decision(replace(state, export_reminder_at=None, ask_deletion_at=by), (fact,))


def retained(state: Resting, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The grace period is over, and the customer asked to keep the data: it waits for their return."""
    fact = DataRetained(contact=state.facts.contact, plan_name=state.facts.plan_name, retained_until=state.ask_deletion_at)
    return Decision(replace(state, retain_at=None, retained=True), (fact,))


def deletion_soon(state: Resting, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """Data that was kept is about to be deleted; a late reminder still leaves a whole day."""
    due_at = max(state.ask_deletion_at, when.now + policies.of(state.facts).data.remind_before)
    fact = DataDeletionSoon(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        deletion_due_at=due_at,
        days_left=days_left(due_at, when.now),
        data_retained=True,
    )
    return Decision(replace(state, deletion_reminder_at=None, ask_deletion_at=due_at), (fact,))


def deletion_due(state: Resting, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The owner of the data is asked to delete it, daily until they answer; a downtime makes one question, not ten."""
    again = when.now + policies.of(state.facts).data.ask_every
    asked = replace(
        state,
        export_reminder_at=None,
        retain_at=None,
        deletion_reminder_at=None,
        ask_deletion_at=again,
        deletion_asked=state.deletion_asked + 1,
    )
    fact = DataDeletionDue(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        ended_at=state.without_access_since,
        reminder=asked.deletion_asked,
    )
    return Decision(asked, (fact,))
