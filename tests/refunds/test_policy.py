"""What can be tuned, and what is refused."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from offramp_schemas.refund_request import RefundAppealed, RefundDecided
from services.refunds.business_days import Calendar
from services.refunds.policy import Policy
from services.refunds.states import decode, encode
from services.runtime.policies import DEFAULT_FILE, PolicyError, read
from tests.refunds.desk import DAY, MONDAY, Desk, paid, requested, started

DUBLIN = Calendar("IE", "Europe/Dublin")


def test_the_shipped_policy_is_the_default_one() -> None:
    assert read(DEFAULT_FILE, "refunds", Policy)[0] == Policy()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("  withdrawl_window: 14d", "withdrawl_window"),
        ("  submit_within: -1h", "submit_within"),
        ("  repeat_every: 0m", "repeat_every"),
        ("  pending_waits: []", "pending_waits"),
        ("  withdrawal_countries: [UK]", "UK is no country"),
        ("  countries: {DE: {countri: DE}}", "refunds.countries.DE.countri"),
        ("  plans: {pro: {attempts: 0}}", "refunds.plans.pro.attempts"),
        ("  country: XX", "no public holidays are known for XX"),
        ("  time_zone: Europe/Atlantis", "Europe/Atlantis is not a time zone"),
        ("  approve_up_to: {EURO: 1}", "approve_up_to"),
        ("  issue_within: 0", "issue_within"),
    ],
)
def test_a_mistake_in_the_file_names_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"refunds:\n{line}\n")
    with pytest.raises(PolicyError, match=complaint) as problem:
        read(file, "refunds", Policy)
    assert f"{file}:2:" in str(problem.value)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("begins", "days", "ends", "because"),
    [
        ("2026-03-02T15:30", 1, "2026-03-03T15:30", "Tuesday follows Monday"),
        ("2026-03-06T15:30", 1, "2026-03-09T15:30", "a week-end lies between"),
        ("2026-03-07T15:30", 1, "2026-03-10T00:00", "Saturday counts as the start of Monday"),
        ("2026-03-16T15:30", 1, "2026-03-18T15:30", "the 17th is Saint Patrick's"),
        ("2026-12-24T12:00", 2, "2026-12-29T12:00", "Christmas and a week-end lie between (the 28th is a working day)"),
        ("2026-03-27T12:00", 1, "2026-03-30T11:00", "clocks change: the local hour stays"),
    ],
)
def test_business_days_are_counted_where_the_seller_works(begins: str, days: int, ends: str, because: str) -> None:
    assert DUBLIN.after(moment(begins), days) == moment(ends), because


def test_a_refund_keeps_the_plan_and_the_country_it_began_with() -> None:
    away = {"country": "BG", "time_zone": "Europe/Sofia"}  # where the 3rd of March is a holiday
    policy = Policy.model_validate({"countries": {"BG": away}, "plans": {"pro": {"approve_up_to": {"EUR": 0}}}})
    desk = Desk.with_a_payment(policy=policy, country="BG")
    desk.hear(requested())
    assert desk.refund.promise_due_at == MONDAY + 3 * DAY
    assert desk.refund.state == "pending_review"
    desk.hear(started(plan="other", country="DE"))
    desk.hear(RefundDecided(decision="reject", decided_by="grace"))
    desk.hear(RefundAppealed())
    assert desk.refund.promise_due_at == MONDAY + 3 * DAY
    desk.hear(paid("pay_2"))
    desk.hear(requested("CAN-2", payment_id="pay_2"))
    assert desk.refund.promise_due_at == MONDAY + 2 * DAY
    assert desk.refund.state == "submitting"


def test_whose_consumers_can_withdraw_is_said_by_the_policy() -> None:
    policy = Policy.model_validate({"withdrawal_countries": ["NO"], "guarantee_window": "1d"})
    rejected = {}
    for country in ("NO", "DE"):
        desk = Desk.with_a_payment(policy=policy, country=country)
        desk.now += 10 * DAY
        desk.hear(requested())
        rejected[country] = desk.refund.state == "rejected"
    assert rejected == {"NO": False, "DE": True}


def test_a_refund_that_began_before_plans_were_kept_goes_on_by_the_general_numbers() -> None:
    desk = Desk.with_a_payment(policy=Policy.model_validate({"plans": {"pro": {"appeal_within": "1d"}}}))
    desk.hear(requested())
    assert desk.account is not None
    stored = json.loads(encode(desk.account))
    for each in (stored["customer"], *stored["refunds"].values()):
        del each["plan"]
    desk.account = decode(json.dumps(stored))
    assert desk.rules.policies.begun(desk.refund).appeal_within == 30 * DAY
