"""A policy file is judged before it is deployed: what is wrong, what is odd, and what it would change."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from offramp_schemas import Contact, Envelope, Event
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.request import CancellationRequested, Requester
from services.console import policy
from services.console.policy_diff import Difference, differences, said
from services.runtime.policies import DEFAULT_FILE
from tests.console.conftest import Offramp

START = datetime(2026, 5, 4, 9, tzinfo=UTC)
DAY = timedelta(days=1)
VARIANTS = "plans: {}\n  countries: {}\n\n"  # of lifecycle


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def changed(file: Path, *changes: tuple[str, str]) -> Path:
    """Our own policy with other numbers."""
    text = DEFAULT_FILE.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)
    return file


async def test_the_policy_that_comes_along_can_be_used_and_its_placeholders_are_named(offramp: Offramp) -> None:
    said = await offramp("policy", "check", str(DEFAULT_FILE))
    assert (said.status, "can be used" in said.out) == (0, True)
    assert "notifier.sender.address: mails leave in the name of example.com" in said.out


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("lifecycle:\n  dunning:\n    steps: [3d, 1d]\n", [":2: lifecycle.dunning: Value error, the steps must be in order"]),
        ("lifecycle:\n  data:\n    grace: -5d\n", [":3: lifecycle.data.grace"]),
        ("lifecycle:\n  plans:\n    pro:\n      dunning: {stepps: [1d]}\n", [":4: lifecycle.plans.pro.dunning.stepps: Extra inputs"]),
        ("refunds:\n  countri: IE\n", [":2: refunds.countri: Extra inputs"]),
        ("refunds:\n  attempts: 0\nnotifier:\n  hold_status: 5\n", [":2: refunds.attempts", ":4: notifier.hold_status"]),
        ("refunds:\n  watch: 1d\n  watch: 2d\n", [":3: 'watch' stands here a second time"]),
        ("refuds: {}\nnotifer: {}\n", [":1: unknown section 'refuds'", ":2: unknown section 'notifer'"]),
        ("lifecycle: [\n", ["not YAML"]),
    ],
)
def test_every_mistake_of_every_section_is_told_with_line_and_key(
    file: Path, capsys: pytest.CaptureFixture[str], text: str, complaints: list[str]
) -> None:
    file.write_text(text)
    assert policy.check(file) == 1
    told = capsys.readouterr().err
    for complaint in complaints:
        assert f"{file.name}{complaint}" in told or complaint in told, told


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert policy.check(tmp_path / "none.yaml") == 1
    assert "can't be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "odd"),
    [
        ("withdrawal_window: *withdrawal ", "withdrawal_window: 7d ", "refunds.withdrawal_window: consumers in the EU have 14 days by law"),
        ("withdrawal_window: *withdrawal ", "withdrawal_window: 20d ", "lifecycle.withdrawal.window: refunds.withdrawal_window is 20d"),
        ("withdrawal_pays_within: 14d", "withdrawal_pays_within: 15d", "refunds.withdrawal_pays_within: by law"),
        ("steps: [1d, 3d, 5d, 7d]   #", "steps: [1d, 30d]   #", "lifecycle.dunning.steps: it goes on until the next monthly charge"),
        (VARIANTS, "plans: {pro: {dunning: {steps: [1d, 40d]}}}\n\n", "lifecycle.plans.pro.dunning.steps: it goes on until"),
        (VARIANTS, "plans: {pro: {trial: {settle_margin: 1h}}}\n\n", "lifecycle.plans.pro: it says nothing that does not hold"),
        (VARIANTS, "countries:\n    DE: {cancellation: {notice: 90d}}\n\n", "lifecycle.countries.DE.cancellation.notice: more"),
        (VARIANTS, "countries:\n    DE: {withdrawal: {window: 30d}}\n\n", "lifecycle.countries.DE.withdrawal.window: refunds"),
        (VARIANTS, "countries:\n    DE: {trial: {settle_margin: 1h}}\n\n", "lifecycle.countries.DE: it says nothing"),
        ("  withdrawal_countries: *withdrawal_countries", "  withdrawal_countries: [DE]", "lifecycle.withdrawal.countries: refunds.withd"),
        ("discount_percent: 30", "discount_percent: 100", "lifecycle.offers.discount_percent: whoever accepts pays nothing"),
        ("guarantee_window: 30d", "guarantee_window: 7d", "refunds.guarantee_window: it is shorter than the right of withdrawal"),
        ("    EUR: 20000\n", "    EUR: 0\n", "refunds.approve_up_to.EUR: a person decides about every refund"),
        ("    EUR: 100000\n", "    EUR: 10000\n", "refunds.approve_up_to.EUR: one_person_up_to has 100.00 EUR"),
        ("key_lifetime: 24h", "key_lifetime: 3d", "refunds.key_lifetime: payment providers forget"),
        ("charge_awaited: 5m", "charge_awaited: 10m", "refunds.charge_awaited: lifecycle.refunds.acknowledged_within is over"),
    ],
)  # fmt: skip
def test_what_is_allowed_but_seldom_meant_is_a_warning_at_its_line(
    file: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, odd: str
) -> None:
    assert policy.check(changed(file, (old, new))) == 0
    told = capsys.readouterr().out
    assert odd in told
    line = next(line for line in told.splitlines() if odd in line).split(":")[1]
    key = odd.partition(":")[0].rpartition(".")[2]
    assert key in file.read_text().splitlines()[int(line) - 1]


def test_the_page_s_example_means_what_it_says(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[2].joinpath("docs", "policy.md").read_text(encoding="utf-8")
    file.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    assert policy.check(file) == 0
    assert "refunds.countries" not in capsys.readouterr().out  # what is odd of the plan is not said again of it in each country
    rules = policy.read(file)[1]
    customers = (("enterprise-yearly", "DE"), ("enterprise-yearly", "FR"), ("pro", "DE"))
    notice = {who: rules.lifecycle.of(*who).cancellation.notice.days for who in customers}
    assert list(notice.values()) == [28, 90, 0]
    of_the_plan = rules.refunds.of("enterprise-yearly", "DE")
    assert (of_the_plan.approve_up_to["EUR"], of_the_plan.approve_up_to["USD"], of_the_plan.calendar.country) == (0, 20_000, "DE")


def test_numbers_that_differ_are_told_as_the_file_has_them(file: Path) -> None:
    own = """plans:
    pro: {trial: {settle_margin: 2h}, cancellation: {notice: 60d}}
    max: {trial: {settle_margin: 2h}}
  countries:
    DE: {cancellation: {notice: {at_most: 28d}}}

"""
    new = policy.read(changed(file, ("grace: 5d ", "grace: 10d "), (VARIANTS, own)))[1]
    assert policy.changes(policy.read(DEFAULT_FILE)[1], new) == [
        ("lifecycle.data.grace", "5d", "10d"),
        ("lifecycle.cancellation.notice (pro)", "0s", "60d"),
        ("lifecycle.trial.settle_margin (pro)", "1h", "2h"),
        ("lifecycle.cancellation.notice (pro, DE)", "0s", "28d"),
        ("lifecycle.trial.settle_margin (max)", "1h", "2h"),
    ]


def started(price_minor: int = 4900, **more: Any) -> SubscriptionStarted:
    return SubscriptionStarted(
        customer_id="cus_1", owner_id="usr_1", contact=Contact(email="ada@example.com", name="Ada"), plan="pro", plan_name="Pro",
        price_minor=price_minor, currency="EUR", consumer=True, current_period_start=START, current_period_end=START + 30 * DAY,
        **{"country": "US"} | more,
    )  # fmt: skip


def paid(amount_minor: int = 4900) -> PaymentSucceeded:
    return PaymentSucceeded(payment_id="pay_1", invoice_id="in_1", amount_minor=amount_minor, currency="EUR")


def failed() -> PaymentFailed:
    return PaymentFailed(payment_id="pay_2", invoice_id="in_2", amount_minor=4900, currency="EUR", decline_code="x", kind="soft")


def replayed(new: Path, *told: tuple[timedelta, Event], until: timedelta = 12 * DAY, begin: timedelta = timedelta()) -> list[Difference]:
    envelopes = [Envelope(f"evt-{n}", "//test", START + after, "sub_1", event) for n, (after, event) in enumerate(told)]
    return differences(policy.read(DEFAULT_FILE)[1], policy.read(new)[1], envelopes, START + begin, START + until)


def test_the_same_numbers_decide_alike(file: Path) -> None:
    assert replayed(changed(file), (0 * DAY, started()), (DAY, paid()), (2 * DAY, failed())) == []


def test_a_longer_guarantee_would_have_paid_back_what_was_rejected_and_ended_what_it_paid_for(file: Path) -> None:
    request = RefundRequested(request_ref="REF-1")
    longer = changed(file, ("guarantee_window: 30d", "guarantee_window: 60d"))
    found = replayed(longer, (0 * DAY, started()), (0 * DAY, paid()), (40 * DAY, request), until=41 * DAY)
    decision = next(each for each in found if each.key.what == "refund-requested")
    assert (decision.key.service, said(decision.old, decision.new)) == ("refunds", "refund-rejected → rejected")
    assert said(decision.new, decision.old) == "refund-received, refund-approved → submitting"


def test_what_holds_in_one_country_alone_is_decided_otherwise_there_alone(file: Path) -> None:
    there = changed(file, (VARIANTS, "countries:\n    US: {cancellation: {notice: 60d}}\n\n"))
    leave = CancellationRequested(reference="CAN-1", requested_by=Requester(user_id="usr_1"))
    assert replayed(there, (0 * DAY, started()), (DAY, leave))
    assert replayed(there, (0 * DAY, started(country="CA")), (DAY, leave)) == []


def test_other_dunning_steps_fire_at_their_own_times(file: Path) -> None:
    sooner = changed(file, ("steps: [1d, 3d, 5d, 7d]   #", "steps: [1d, 2d]   #"))
    found = {each.key.what: each for each in replayed(sooner, (0 * DAY, started()), (2 * DAY, failed()))}
    gone = found["timer give-up:in_2"]
    assert gone.old is not None
    assert gone.new is not None
    assert (gone.old.at, gone.new.at) == (START + 10 * DAY, START + 5 * DAY)
    assert found["timer dunning:in_2:3"].new is None


def test_what_was_decided_before_the_beginning_is_not_compared_but_its_consequences_are(file: Path) -> None:
    sooner = changed(file, ("steps: [1d, 3d, 5d, 7d]   #", "steps: [1d, 2d]   #"))
    found = replayed(sooner, (0 * DAY, started()), (2 * DAY, failed()), begin=6 * DAY)
    assert "payment-failed" not in {each.key.what for each in found}
    assert "timer give-up:in_2" in {each.key.what for each in found}


def test_a_refund_that_lifecycle_asks_for_is_heard_by_refunds(file: Path) -> None:
    leave = CancellationRequested(reference="CAN-1", requested_by=Requester(user_id="usr_1"), mode="immediately", wants_refund=True)
    stricter = changed(file, ("    EUR: 20000\n", "    EUR: 100\n"))
    found = replayed(stricter, (0 * DAY, started()), (0 * DAY, paid()), (3 * DAY, leave))
    assert [each.key.service for each in found if each.key.what == "refund-requested"] == ["refunds"]
