"""Whatever happens, in whatever order: what must hold of every refund holds after every step."""

from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp_schemas.account import PersonErased
from offramp_schemas.refund_events import RefundState
from offramp_schemas.refund_provider import ProviderRefundUpdated
from offramp_schemas.refund_request import (
    ForeignRefundExplained,
    RefundAppealed,
    RefundChased,
    RefundDecided,
    RefundRetried,
    RefundSettledManually,
)
from services.refunds.attempts import SURVEY
from services.refunds.requesting import refund_id
from services.refunds.states import PendingReview, Rejected, Succeeded, decode, encode
from services.refunds.timers import timers
from services.runtime.decision import Call, CallAnswered
from tests.refunds.desk import DAY, HOUR, MONDAY, Desk, requested

LIMIT, SECOND_LIMIT = 50_000, 150_000


def hold(desk: Desk) -> None:
    """What the shell, ops and customers rely on."""
    account = desk.account
    assert account is not None
    assert decode(encode(account)) == account, "it comes back from Postgres as it was"
    names = {each.name for each in desk.rules.timers(account)}
    for payment in account.payments.values():
        taken = [each.amount_minor for each in account.refunds.values() if not isinstance(each.stage, Rejected)]
        assert account.reserved_minor(payment.payment_id) == sum(taken) <= payment.captured_minor
        for theirs in payment.foreign.values():
            assert (theirs.state == "open") == (f"foreign:{theirs.said + 1}:{theirs.provider_refund_id}" in names)
        if survey := payment.survey:
            assert survey.waiting_for is None or survey.ask_at is None
            assert survey.waiting_for is not None or not survey.again, "word would be lost"
    for refund in account.refunds.values():
        open_attempts = [each for each in refund.attempts if each.failed_at is None]
        assert len(open_attempts) <= 1
        woken = timers(refund, desk.policy)
        if refund.over:
            assert (refund.owner, refund.deadline_at) == (None, None)
            assert refund.state == "closed" or not woken, "only late word is asked about"
            for attempt in open_attempts if refund.state == "closed" else ():
                assert not attempt.again or attempt.waiting_for or attempt.ask_at, "word would be lost"
            continue
        assert refund.owner
        assert refund.deadline_at
        assert any(each.name.startswith("alarm:") for each in woken), "nothing would be said, ever"
        for attempt in open_attempts:
            assert (attempt.waiting_for is None) != (attempt.ask_at is None), "either a question is out or the next has its time"
        if not refund.issued and refund.state not in {"requires_action", "needs_attention", "reversed"} and desk.now < refund.told_due_at:
            assert refund.deadline_at <= refund.told_due_at


def fire_all_due(desk: Desk) -> None:
    """As the waker does; bounded, since a timer that never goes would spin."""
    for _ in range(200):
        timer = desk.next_timer()
        if timer is None or timer.due_at > desk.now:
            break
        desk.fire()
    else:
        pytest.fail("it wakes for ever")
    for refund in desk.account.refunds.values() if desk.account else ():
        missed = refund.deadline_at is not None and refund.deadline_at <= desk.now
        assert refund.escalation.missed or not missed, "a deadline passed and nobody was told"


EVENTS: dict[str, Any] = {
    "all of it back": requested("A"),
    "part of it back": requested("B", amount_minor=LIMIT // 2),
    "a small part back": requested("C", amount_minor=100),
    "whatever is left back": requested("D"),
    "a person approves": RefundDecided(decision="approve", decided_by="grace"),
    "another person approves": RefundDecided(decision="approve", decided_by="alan"),
    "a person rejects": RefundDecided(decision="reject", decided_by="grace"),
    "the customer appeals": RefundAppealed(),
    "ops settle by theirs": RefundSettledManually(decided_by="ops_1", settlement_ref="re_theirs"),
    "ops explain theirs": ForeignRefundExplained(provider_refund_id="re_theirs", decided_by="ops_1"),
    "word of theirs": ProviderRefundUpdated(provider_refund_id="re_theirs", provider_payment_id="pay_1", provider_event_id="evt_1"),
    "word of ours": ProviderRefundUpdated(
        provider_refund_id=f"re_{refund_id('pay_1', 'A')[:8]}", refund_id=refund_id("pay_1", "A"), provider_event_id="evt_2"
    ),
    "the person is forgotten": PersonErased(),
    "ops retry": RefundRetried(decided_by="ops_1"),
    "ops settle": RefundSettledManually(decided_by="ops_1", settlement_ref="SEPA-7"),
    "the customer asks where it is": RefundChased(),
}
ANSWERS: dict[str, dict[str, Any]] = {
    **{status: {"id": "re", "status": status} for status in ("pending", "succeeded", "failed", "canceled", "requires_action", "odd")},
    **{code: {"error": code} for code in ("not_found", "insufficient_funds", "charge_disputed", "charge_already_refunded")},
}
ABOUT_THEIRS = {"ops settle by theirs", "ops explain theirs", "word of theirs", "charge_already_refunded"}


def waiting(desk: Desk) -> list[Call]:
    """The calls that are out."""
    assert desk.account is not None
    keys = {each.attempt.waiting_for for each in desk.account.refunds.values() if each.attempt}
    keys |= {each.survey.waiting_for for each in desk.account.payments.values() if each.survey}
    return [each for each in desk.asked if each.key in keys]


def answer_to(call: Call, name: str) -> dict[str, Any] | None:
    """What the provider says of our refund, or, asked for all of the payment's, of theirs."""
    answer = {**ANSWERS[name]} if name in ANSWERS else None
    if answer is None or "error" in answer:
        return answer
    if call.kind == SURVEY:
        return {"refunds": [{"id": "re_theirs", "status": name, "amount_minor": 1000 if name == "succeeded" else LIMIT}]}
    return answer | {"id": "re_" + call.key.split(":")[1][:8]}


def promised(desk: Desk) -> list[tuple[int, int]]:
    """Of every payment, what ours take and what can still be given back."""
    assert desk.account is not None
    return [(desk.account.reserved_minor(each), desk.account.available_minor(each)) for each in desk.account.payments]


def step(desk: Desk, name: str) -> None:
    before = promised(desk)
    if name in EVENTS:
        desk.hear(EVENTS[name])
    elif name == "time passes":
        _ = desk.next_timer() and desk.fire()
    elif name == "days pass":
        desk.now += 3 * DAY
    elif calls := waiting(desk):
        call = calls[-1]
        answer = answer_to(call, name)
        desk.hear(CallAnswered(call.kind, call.key, answer, None if answer else name))
    fire_all_due(desk)
    hold(desk)
    assert all(left >= 0 or now <= then for (then, _), (now, left) in zip(before, promised(desk), strict=True)), "too much is promised"
    assert len({each.key for each in desk.asked}) == len(desk.asked), "a call's key is never used twice"


STEPS = (*EVENTS, *ANSWERS, "unknown", "unreachable", "time passes", "days pass")


def theirs_of_one_kind(desk: Desk) -> object:
    assert desk.account is not None
    return tuple(
        (
            paid.survey and (bool(paid.survey.waiting_for), bool(paid.survey.ask_at), paid.survey.again),
            tuple((each.state, each.counts) for each in paid.foreign.values()),
        )
        for paid in desk.account.payments.values()
    )


def of_one_kind(desk: Desk) -> object:
    """Two desks of one kind behave alike: states, counters up to where they stop mattering, and what is out."""
    assert desk.account is not None
    return theirs_of_one_kind(desk), tuple(
        (
            each.request_ref, each.state, min(each.tries, 4), min(len(each.attempts), 4),
            each.escalation.level, each.escalation.missed, each.issued, tuple(call.kind for call in waiting(desk)),
            each.attempt and each.attempt.raw_status, each.attempt and bool(each.attempt.missing_since),
            each.attempt and each.attempt.again,
            isinstance(each.stage, Succeeded) and desk.now >= each.stage.watched_until,
            isinstance(each.stage, PendingReview) and (each.stage.approvals_needed, each.stage.approved_by),
            isinstance(each.stage, PendingReview | Rejected) and bool(each.appealed_at),
            desk.now >= each.told_due_at, bool(each.attempt and desk.now - each.attempt.sent_at >= DAY),
        )
        for each in desk.account.refunds.values()
    )  # fmt: skip


def walk(names: list[str], *amounts: int) -> tuple[set[str], set[object]]:
    """From each kind of state every step is taken once; it ends when no step leads to a new kind. Which states, and which kinds."""
    frontier: list[Desk] = []
    seen: set[object] = set()
    passed: set[str] = set()
    for amount in amounts:
        desk = Desk.with_a_payment(amount_minor=amount, consumer=amount == 4900)
        desk.passed = passed
        desk.hear(EVENTS["all of it back"])
        frontier.append(desk)
    while frontier:
        desk = frontier.pop()
        for name in names:
            after = copy(desk)
            after.told, after.asked = [], list(desk.asked)
            step(after, name)
            kind = of_one_kind(after)
            if kind not in seen:
                seen.add(kind)
                frontier.append(after)
    return passed, seen


def test_a_walk_through_every_reachable_state_of_a_refund_finds_none_that_is_stuck() -> None:
    left_out = {"part of it back", "a small part back", "whatever is left back", "the person is forgotten", "word of ours", *ABOUT_THEIRS}
    passed, seen = walk([each for each in STEPS if each not in left_out], 4900, LIMIT, SECOND_LIMIT)
    assert passed == set(get_args(RefundState)) - {"requested"}, "which lasts no longer than its decision"
    assert len(seen) > 300


def test_a_walk_past_a_refund_that_somebody_else_made_finds_no_state_that_is_stuck() -> None:
    passed, seen = walk([*ABOUT_THEIRS, "a person approves", "ops retry", "succeeded", "time passes"], 4900, LIMIT)
    assert {"settled_manually", "needs_attention", "pending_review", "closed"} <= passed
    assert len(seen) > 300


def test_a_walk_where_somebody_else_gave_more_back_than_was_left_finds_no_state_that_is_stuck() -> None:
    passed, _ = walk(["word of theirs", "whatever is left back", "a person approves", "pending", "succeeded", "failed"], LIMIT)
    assert {"pending_review", "rejected"} <= passed


def test_a_walk_with_the_providers_word_at_every_step_finds_no_state_that_is_stuck() -> None:
    passed, seen = walk(["word of ours", "pending", "succeeded", "failed", "unknown", "time passes"], 4900)
    assert {"submitting", "unknown", "pending", "succeeded", "reversed", "needs_attention", "closed"} <= passed
    assert len(seen) > 100


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=40), st.sampled_from([4900, LIMIT, SECOND_LIMIT]), st.booleans())
def test_random_histories_of_several_refunds_hold(history: list[str], captured_minor: int, consumer: bool) -> None:
    desk = Desk.with_a_payment(amount_minor=captured_minor, consumer=consumer)
    for name in history:
        step(desk, name)


@dataclass
class Truth:
    """A provider with a memory: what it really did, whatever it said. It forgets its keys after a day."""

    done: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, tuple[datetime, dict[str, Any]]] = field(default_factory=dict)
    refunds: list[dict[str, Any]] = field(default_factory=list)

    def create(self, call: Call, now: datetime, status: str) -> dict[str, Any]:
        key = call.request["idempotency_key"]
        if key in self.keys and now - self.keys[key][0] < DAY:
            return self.keys[key][1]
        refund = {"id": f"re_{len(self.refunds)}", "status": status, "of": call.request["metadata"]}
        self.refunds.append(refund)
        self.keys[key] = (now, refund)
        return refund

    def find(self, metadata: Any) -> dict[str, Any] | None:
        return next((each for each in self.refunds if each["of"] == metadata), None)

    def read(self, refund_id: str) -> dict[str, Any]:
        return next(each for each in self.refunds if each["id"] == refund_id)


def said(refund: dict[str, Any] | None) -> dict[str, Any]:
    return {"id": refund["id"], "status": refund["status"]} if refund else {"error": "not_found"}


def react(truth: Truth, desk: Desk, call: Call, how: str) -> None:
    """The provider does something or not, and says it or not."""
    answer: dict[str, Any] | None
    if how == "not done, not said":
        answer = None
    elif how == "refused" and call.kind == "refund.create":
        answer = {"error": "card_not_supported"} if call.request["idempotency_key"] not in truth.keys else None
    elif call.kind == "refund.create":
        answer = said(truth.create(call, desk.now, "pending" if how == "done, pending" else "succeeded"))
    elif call.kind == SURVEY:
        answer = {"refunds": [said(each) | {"amount_minor": 100, "metadata": each["of"]} for each in truth.refunds]}
    elif call.kind == "refund.find":
        answer = said(truth.find(call.request["metadata"]))
    else:
        answer = said(truth.read(call.request["provider_refund_id"]))
    if how == "done, not said":
        answer = None
    desk.hear(CallAnswered(call.kind, call.key, answer, None if answer else "unknown"))


def the_bank_moves(truth: Truth, to: str) -> None:
    """Forward, or back after a success; what failed is over."""
    allowed = {"pending": {"succeeded", "failed", "requires_action", "canceled"}, "requires_action": {"pending", "succeeded", "failed"}}
    for refund in truth.refunds:
        if to in allowed.get(refund["status"], {"failed"} if refund["status"] == "succeeded" else set()):
            refund["status"] = to


HOWS = ("done", "done, pending", "done, not said", "not done, not said", "refused")
MOVES = ("succeeded", "failed", "requires_action", "pending", "canceled")
OTHERS = (
    "word of ours",
    "word of theirs",
    "time passes",
    "days pass",
    "ops retry",
    "the customer asks where it is",
    "all of it back",
    "part of it back",
    "a person approves",
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*HOWS, *HOWS, *MOVES, *OTHERS, "time passes", "time passes"]), max_size=60), st.sampled_from([4900, LIMIT])
)
def test_whatever_the_provider_does_and_says_nobody_is_paid_twice(history: list[str], captured_minor: int) -> None:
    desk, truth = Desk.with_a_payment(amount_minor=captured_minor), Truth()
    desk.hear(EVENTS["all of it back"])
    for name in history:
        if name in MOVES:
            the_bank_moves(truth, name)
        elif name in HOWS:
            for call in waiting(desk):
                react(truth, desk, call, name)
        else:
            step(desk, name)
        hold(desk)
        assert desk.account is not None
        assert not any(each.foreign for each in desk.account.payments.values()), "ours is not taken for theirs"
        paid = [each["of"]["refund_id"] for each in truth.refunds if each["status"] not in {"failed", "canceled"}]
        assert len(paid) == len(set(paid)), "one refund was paid twice"


def test_left_alone_with_a_provider_that_works_every_refund_comes_to_its_end() -> None:
    desk, truth = Desk.with_a_payment(), Truth()
    desk.hear(EVENTS["all of it back"])
    while not desk.refund.over:
        if calls := waiting(desk):
            react(truth, desk, calls[0], "done")
        else:
            desk.fire()
    assert desk.refund.state == "closed"
    assert desk.now - MONDAY < 31 * DAY + HOUR
