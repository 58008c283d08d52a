"""Changing one number of the policy file changes the deadline, the mail's words and the preview alike; and no number is forgotten."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from services.console import policy
from services.lifecycle.policy import Policy as LifecyclePolicy
from services.notifier.policy import NotifierPolicy
from services.refunds.policy import Policy as RefundsPolicy
from services.runtime.policies import DEFAULT_FILE, opened
from services.runtime.policy_values import Duration
from tests.domain.billing import Plan
from tests.domain.numbers import (
    DAY,
    DEAR,
    FREE,
    LEAVES,
    LEAVES_NOW,
    TRIAL,
    YEARLY,
    Row,
    appeals,
    asks_for_money,
    asks_while_the_provider,
    business_days,
    cancels,
    count,
    fails,
    gets_dearer,
    is_on_trial_for_longer,
    pauses,
    pauses_again,
    period_end,
    renews,
    resumes_without_a_card,
    returns,
    trial_end,
    unused,
)
from tests.domain.seen import Seen, heard, moments_and_numbers, previewed, stored
from tests.domain.world import BEGIN, Rules, World

ROWS = [
    Row("lifecycle.cancellation.notice", "0d", "60d", LEAVES, lambda w, n: max(period_end(w), w.now + n)),
    Row("lifecycle.cancellation.remind_before_end", "3d", "6d", LEAVES, lambda w, n: period_end(w) - n, leaves="ending_soon"),
    Row("lifecycle.withdrawal.window", "14d", "45d", asks_for_money(50 * DAY, payment_id="pay_1"), lambda _, n: BEGIN + max(n, 30 * DAY)),
    Row("lifecycle.dunning.steps", "7d", "9d", fails(), lambda w, n: w.now + n + DAY, waits=10 * DAY),
    Row("lifecycle.dunning.steps", "[1d", "[2d", fails(), lambda w, n: w.now + n),
    Row("lifecycle.dunning.settle_margin", "1d", "4d", fails("hard"), lambda w, n: w.now + 7 * DAY + n),
    Row("lifecycle.inactivity.warn_after", "60d", "70d", unused(50), lambda w, n: w.now + n - 50 * DAY, FREE, leaves="inactivity_warning"),
    Row("lifecycle.inactivity.deactivate_after", "90d", "110d", unused(61), lambda w, n: w.now + n - 61 * DAY, FREE),
    Row("lifecycle.inactivity.deactivate_after", "90d", "110d", unused(61), count, FREE),
    Row("lifecycle.inactivity.last_day_before", "1d", "2d", unused(61), lambda w, n: w.now + 29 * DAY - n, FREE,
        leaves="inactivity_last_day"),
    Row("lifecycle.inactivity.notice", "7d", "12d", unused(120), lambda w, n: w.now + n, FREE),
    Row("lifecycle.pause.longest", "365d", "200d", pauses(366), count),
    Row("lifecycle.pause.once_per", "365d", "200d", pauses_again, lambda _, n: BEGIN + n, Plan(card=True)),
    Row("lifecycle.pause.remind_before", "7d", "9d", pauses(60), lambda w, n: w.now + 60 * DAY - n, leaves="resuming_soon"),
    Row("lifecycle.pause.card_within", "14d", "20d", resumes_without_a_card, lambda _, n: BEGIN + 90 * DAY + n),
    Row("lifecycle.reactivation.pay_within", "14d", "20d", returns, lambda w, n: w.now + n),
    Row("lifecycle.reactivation.remind_before", "3d", "5d", returns, lambda w, n: w.now + 14 * DAY - n, leaves="reactivation_needs_card"),
    Row("lifecycle.data.grace", "5d", "9d", LEAVES, lambda w, n: period_end(w) + n),
    Row("lifecycle.data.grace", "5d", "9d", LEAVES_NOW, lambda w, n: w.now + n),
    Row("lifecycle.data.remind_before", "1d", "2d", LEAVES_NOW, lambda w, n: w.now + 5 * DAY - n, leaves="data_export_reminder"),
    Row("lifecycle.data.retained", "365d", "200d", cancels(keep_data=True), lambda w, n: period_end(w) + 5 * DAY + n),
    Row("lifecycle.data.remind_before_deletion", "7d", "9d", cancels("immediately", keep_data=True),
        lambda w, n: w.now + 370 * DAY - n, leaves="data_deletion_reminder"),
    Row("lifecycle.offers.open_for", "14d", "20d", DEAR, lambda w, n: w.now + n, YEARLY),
    Row("lifecycle.offers.discount_percent", "30", "45", DEAR, count),
    Row("lifecycle.offers.discount_periods", "3", "5", DEAR, count),
    Row("lifecycle.offers.pause_for", "90d", "45d", cancels(feedback=("unused",)), count),
    Row("lifecycle.offers.extend_trial_by", "14d", "23d", LEAVES, count, TRIAL),
    Row("lifecycle.feedback.survey_after", "1d", "2d", LEAVES, lambda w, n: w.now + n, leaves="survey"),
    Row("lifecycle.reminders.yearly", "30d", "40d", renews, lambda w, n: w.now + 365 * DAY - n, YEARLY, leaves="renewal_reminder"),
    Row("lifecycle.reminders.monthly", "[]", "[4d]", renews, lambda w, n: w.now + 30 * DAY - n, leaves="renewal_reminder"),
    Row("lifecycle.reminders.price_change", "7d", "9d", gets_dearer, lambda w, n: period_end(w) - n, leaves="price_change"),
    Row("lifecycle.reminders.trial", "3d", "5d", is_on_trial_for_longer, lambda w, n: trial_end(w) + 2 * DAY - n, TRIAL,
        leaves="trial_ending"),
    Row("lifecycle.win_back.after", "30d", "40d", LEAVES_NOW, lambda w, n: w.now + n, leaves="win_back"),
    Row("refunds.withdrawal_pays_within", "14d", "1d", asks_for_money(DAY), lambda w, n: min(w.now + n, business_days(w, 2))),
    Row("refunds.guarantee_window", "30d", "20d", asks_for_money(40 * DAY, payment_id="pay_1"), lambda _, n: BEGIN + n),
    Row("refunds.guarantee_window", "30d", "20d", asks_for_money(40 * DAY, payment_id="pay_1"), count),
    Row("refunds.charge_awaited", "5m", "12m", asks_for_money(DAY), lambda w, n: w.now + n, FREE, leaves="refund_nothing_paid"),
    Row("refunds.issue_within", "2", "4", asks_for_money(DAY), business_days),
    Row("refunds.decide_within", "1", "2", asks_for_money(DAY), business_days, Plan(30_000, country="US")),
    Row("refunds.appeal_within", "30d", "20d", asks_for_money(40 * DAY, payment_id="pay_1"), lambda w, n: w.now + n),
    Row("refunds.answer_appeal_within", "1", "2", appeals, business_days),
    Row("refunds.arrive_within", "5", "8", asks_while_the_provider("takes its time"), business_days, foretold=False),
    Row("refunds.act_within", "7d", "9d", asks_while_the_provider("wants the customer to act"), lambda w, n: w.now + n, foretold=False),
    Row("notifier.hold_status", "3m", "30m", fails(), lambda w, n: w.now + n, leaves="payment_failed"),
]  # fmt: skip
TO_OUR_PEOPLE = "it says when people of ours hear of something, or how long they have"
TO_MACHINES = "it is between us and the provider, the mail server or billing: whatever it is, the dates that customers know stay"
WHETHER = "it decides whether or how often something is said, and is not said itself"
NOT_TOLD: Mapping[str, str] = {
    "lifecycle.refunds.acknowledged_within": TO_OUR_PEOPLE,
    "lifecycle.refunds.remind_every": TO_OUR_PEOPLE,
    "lifecycle.trial.settle_margin": TO_MACHINES,
    "lifecycle.renewal.silent_for": TO_OUR_PEOPLE,
    "lifecycle.inactivity.paid_again_after": WHETHER,
    "lifecycle.data.ask_every": TO_OUR_PEOPLE,
    "lifecycle.offers.again_after": WHETHER,
    "lifecycle.feedback.outreach_monthly_price": WHETHER,
    "lifecycle.feedback.outreach_customer_for": WHETHER,
    "lifecycle.feedback.outreach_within": TO_OUR_PEOPLE,
    "refunds.charged_ahead": TO_MACHINES,
    "refunds.approve_up_to": WHETHER,
    "refunds.one_person_up_to": WHETHER,
    "refunds.submit_within": TO_MACHINES,
    "refunds.attend_within": TO_OUR_PEOPLE,
    "refunds.level_2_after": TO_OUR_PEOPLE,
    "refunds.level_3_after": TO_OUR_PEOPLE,
    "refunds.repeat_every": TO_OUR_PEOPLE,
    "refunds.attempts": TO_MACHINES,
    "refunds.attempt_waits": TO_MACHINES,
    "refunds.key_lifetime": TO_MACHINES,
    "refunds.missing_again_after": TO_MACHINES,
    "refunds.unknown_waits": TO_MACHINES,
    "refunds.pending_waits": TO_MACHINES,
    "refunds.watch": TO_MACHINES,
    "refunds.watch_every": TO_MACHINES,
    "notifier.try_again_after": TO_MACHINES,
    "notifier.proof_within": TO_OUR_PEOPLE,
    "notifier.proof_again_within": TO_MACHINES,
    "notifier.answer_within": TO_MACHINES,
    "notifier.deliver_within": TO_OUR_PEOPLE,
    "notifier.undeliverable.act_within": TO_OUR_PEOPLE,
    "notifier.alerts.window": TO_OUR_PEOPLE,
    "notifier.alerts.hold": TO_OUR_PEOPLE,
    "notifier.alerts.names_first": TO_OUR_PEOPLE,
    "notifier.silence.after_deadline": TO_OUR_PEOPLE,
    "notifier.silence.when_late": TO_OUR_PEOPLE,
    "notifier.silence.repeat": TO_OUR_PEOPLE,
}


def number(text: str) -> Any:
    """As the file has it; None: there is none."""
    if text == "[]":
        return None
    return int(text) if text.isdigit() else TypeAdapter(Duration).validate_python(text.strip("[]"))


def rules(file: Path) -> Rules:
    sections = policy.read(file)[1]
    return Rules(sections.lifecycle, sections.refunds, sections.notifier)


def changed(folder: Path, row: Row) -> Path:
    """Our own file with one other number, in the line of its key."""
    lines = DEFAULT_FILE.read_text().splitlines(keepends=True)
    at = opened(DEFAULT_FILE).line(*row.key.split(".")) - 1
    key, colon, rest = lines[at].partition(":")
    assert row.old in rest
    lines[at] = key + colon + rest.replace(row.old, row.new, 1)
    file = folder / "policy.yaml"
    file.write_text("".join(lines))
    return file


async def told(row: Row, numbers: Rules) -> tuple[dict[str, bool], dict[str, bool]]:
    """By place, under these numbers: whether the old one is told there, and the new one."""
    world = World(row.plan, numbers)
    event = row.scene(world)
    old, new = (row.told(world, number(each)) if number(each) is not None else None for each in (row.old, row.new))
    preview = await previewed(world, event) if row.foretold else None
    since, facts = len(world.mail_server.taken), heard(world)
    world.say(event)
    world.settle()
    kept = moments_and_numbers(facts) | stored(world)
    world.passes(row.waits)
    if row.leaves:
        world.passes(max(each for each in (old, new) if isinstance(each, datetime)) - world.now + row.waits)
    seen = Seen(kept, world.mail_server.taken[since:], row.leaves, preview)
    return seen.tells(old), seen.tells(new)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_one_other_number_is_another_deadline_another_mail_and_another_preview(row: Row, tmp_path: Path) -> None:
    usual, _ = await told(row, rules(DEFAULT_FILE))
    gone, other = await told(row, rules(changed(tmp_path, row)))
    assert all(usual.values()), f"the usual number is not in {[place for place, there in usual.items() if not there]}"
    assert all(other.values()), f"the other number is not in {[place for place, there in other.items() if not there]}"
    still = [place for place, there in gone.items() if there and place != "stored"]  # where other moments are, too
    assert not still, f"the usual number is still in {still}"


def test_every_number_of_the_policy_is_told_in_a_row_or_there_is_a_reason_why_not() -> None:
    sections = {"lifecycle": LifecyclePolicy(), "refunds": RefundsPolicy(), "notifier": NotifierPolicy()}
    numbers = {key for name, section in sections.items() for key in keys(name, section)}
    rows = {row.key for row in ROWS} | {"refunds.withdrawal_window"}  # which is the other one of that name, in the file
    assert rows | NOT_TOLD.keys() == numbers
    assert not rows & NOT_TOLD.keys()


def keys(name: str, value: Any) -> Iterator[str]:
    """Of every number, schedule and table of numbers."""
    match value:
        case BaseModel():
            for each, inner in value:
                yield from keys(f"{name}.{each}", inner)
        case bool():
            return
        case int() | timedelta():
            yield name
        case tuple() | dict():
            inside = list(value.values()) if isinstance(value, dict) else list(value)
            if name in MAY_BE_EMPTY or any(isinstance(each, int | timedelta) for each in inside):
                yield name


MAY_BE_EMPTY = {"lifecycle.reminders.monthly"}
