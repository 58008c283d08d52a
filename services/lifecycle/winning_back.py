"""Win-back: some time after an end that the customer wanted, they may be asked to return, if they agreed to such mail."""

from datetime import datetime

from msgspec.structs import replace

from offramp_schemas.lifecycle_events import EndReason
from offramp_schemas.retention_events import WinBackDue
from services.lifecycle.facts import Facts
from services.lifecycle.policy import LifecyclePolicies
from services.lifecycle.states import Ended, Subscription
from services.runtime.decision import Decision, TimerDue, When

VOLUNTARY: tuple[EndReason, ...] = ("requested", "withdrawal", "refunded")


def first_at(facts: Facts, reason: EndReason, ended_at: datetime, policies: LifecyclePolicies) -> datetime | None:
    """When they are asked first. Nobody is asked back to what was taken from them, or to what a reseller sold."""
    after = policies.of(facts).win_back.after
    if not after or reason not in VOLUNTARY or facts.reseller:
        return None
    return ended_at + after[0]


def due(state: Ended, timer: TimerDue, when: When, policies: LifecyclePolicies) -> Decision[Subscription]:
    """The next step, or the latest of those that a downtime has missed. Consent is that of this day, and who was forgotten has none."""
    after = policies.of(state.facts).win_back.after
    steps = max(state.win_backs + 1, sum(state.ended_at + each <= when.now for each in after))
    next_at = state.ended_at + after[steps] if steps < len(after) else None
    given = replace(state, win_backs=steps, win_back_at=next_at)
    asked_for = state.facts.marketing_consent and not state.heard.erased_at
    if not asked_for or state.returning or steps > len(after):  # on the way back already, or a step that the policy no longer has
        return Decision(given)
    fact = WinBackDue(
        contact=state.facts.contact,
        plan_name=state.facts.plan_name,
        step=steps,
        days_since_end=(when.now - state.ended_at).days,
        ended_at=state.ended_at,
        price_minor=state.facts.price_minor,
        currency=state.facts.currency,
        interval=state.facts.interval,
        data_stage=state.data_stage,
        retained_until=state.ask_deletion_at if state.data_stage in ("grace", "retained") else None,
        marketing_consented_at=state.facts.consented_at,
    )
    return Decision(given, (fact,))
