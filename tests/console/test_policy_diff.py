"""Another policy is tried on what Kafka still has and the tables know: real topics, real tables, and nothing is written."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from offramp_schemas import TOPIC_OF, Contact, Envelope, Event
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.request import CancellationRequested, Requester
from services.console import kafka
from services.lifecycle.service import build as lifecycle
from services.refunds.service import build as refunds
from services.runtime import postgres
from services.runtime.apply import Shell
from services.runtime.clock import SystemClock
from services.runtime.policies import DEFAULT_FILE
from services.runtime.settings import Settings
from tests.console.conftest import Offramp
from tests.console.test_policy import changed
from tests.runtime.toy import Publisher

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
BUILDS: dict[str, Any] = {"lifecycle": lifecycle, "refunds": refunds}


def started(country: str = "US") -> SubscriptionStarted:
    return SubscriptionStarted(
        customer_id="cus_1", owner_id="usr_1", contact=Contact(email="ada@example.com", name="Ada"), plan="pro", plan_name="Pro",
        price_minor=4900, currency="EUR", country=country, consumer=True, current_period_end=NOW + 20 * DAY,
    )  # fmt: skip


def paid(number: str) -> PaymentSucceeded:
    return PaymentSucceeded(payment_id=f"pay_{number}", invoice_id=f"in_{number}", amount_minor=4900, currency="EUR")


def failed() -> PaymentFailed:
    return PaymentFailed(payment_id="pay_2", invoice_id="in_2", amount_minor=4900, currency="EUR", decline_code="x", kind="soft")


async def happened(stack: Settings, subscription: str, *told: tuple[timedelta, Event], on_kafka: bool = True) -> None:
    """The services have heard these, so long ago; Kafka may have forgotten them since."""
    for service in ("lifecycle", "refunds"):
        pool = await postgres.pool(stack, service)
        async with pool.acquire() as connection:
            built = await BUILDS[service](stack, connection)
        shell: Shell[Any] = Shell(service, built.decider, built.tables, SystemClock(), pool)
        for n, (ago, event) in enumerate(told):
            if TOPIC_OF[type(event)] in built.inputs:
                record = Publisher(TOPIC_OF[type(event)].name).record(event, subscription, f"{subscription}-{n}", NOW - ago)
                await shell.hear([record._replace(appended_at=NOW)], "offramp.test")
        await pool.close()
    for n, (ago, event) in enumerate(told if on_kafka else ()):
        await kafka.send(stack, Envelope(f"{subscription}-{n}", "//test", NOW - ago, subscription, event))


async def of(offramp: Offramp, subscription: str, new: Path, *options: str) -> tuple[dict[str, Any], list[Any]]:
    """What `policy diff` says, and its decisions about one subscription."""
    said = await offramp("policy", "diff", str(DEFAULT_FILE), str(new), "--json", *options)
    document = json.loads(said.out)
    return document, [each for each in document["decisions"] if each["subscription"] == subscription]


@pytest.fixture
def sooner(tmp_path: Path) -> Path:
    return changed(tmp_path / "new.yaml", ("steps: [1d, 3d, 5d, 7d]   #", "steps: [1d, 2d]   #"))


async def test_a_subscription_whose_start_is_on_kafka_is_decided_from_there(stack: Settings, offramp: Offramp, sooner: Path) -> None:
    await happened(stack, "sub_from_start", (6 * DAY, started()), (5 * DAY, failed()))
    document, found = await of(offramp, "sub_from_start", sooner)
    assert document["numbers"] == [{"key": "lifecycle.dunning.steps", "old": "[1d, 3d, 5d, 7d]", "new": "[1d, 2d]"}]
    assert {"payment-failed", "timer give-up:in_2"} <= {each["event"] for each in found}


async def test_one_that_began_before_stands_as_it_is_known_today(
    stack: Settings, offramp: Offramp, tables: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    longer = changed(tmp_path / "new.yaml", ("guarantee_window: 30d", "guarantee_window: 10d"))
    await happened(stack, "sub_older", (20 * DAY, started()), (20 * DAY, paid("older")), on_kafka=False)
    await tables.execute("update lifecycle.transitions set at = $1 where entity_id = 'sub_older'", NOW - 20 * DAY)
    request = RefundRequested(request_ref="REF-1")
    await kafka.send(stack, Envelope("older-1", "//test", NOW - 3 * DAY, "sub_older", request))
    document, found = await of(offramp, "sub_older", longer)
    assert document["as_known_today"] >= 1
    assert [(each["event"], each["new"]) for each in found if each["event"] == "refund-requested"] == [
        ("refund-requested", "refund-rejected → rejected")
    ]


async def test_an_event_that_says_it_is_old_does_not_make_others_forgotten(
    stack: Settings, offramp: Offramp, tables: "asyncpg.Connection[Any]", tmp_path: Path
) -> None:
    longer = changed(tmp_path / "new.yaml", ("guarantee_window: 30d", "guarantee_window: 10d"))
    await happened(stack, "sub_ancient", (400 * DAY, started()))
    await happened(stack, "sub_among_old", (20 * DAY, started()), (20 * DAY, paid("among_old")), on_kafka=False)
    await tables.execute("update lifecycle.transitions set at = $1 where entity_id = 'sub_among_old'", NOW - 20 * DAY)
    await kafka.send(stack, Envelope("among-1", "//test", NOW - 3 * DAY, "sub_among_old", RefundRequested(request_ref="REF-2")))
    _, found = await of(offramp, "sub_among_old", longer)
    assert "refund-requested" in {each["event"] for each in found}


async def test_one_in_the_midst_of_something_is_left_out_and_counted(
    stack: Settings, offramp: Offramp, tables: "asyncpg.Connection[Any]", sooner: Path
) -> None:
    cancel = CancellationRequested(reference="CAN-1", requested_by=Requester(user_id="usr_1"))
    await happened(stack, "sub_leaving", (20 * DAY, started()), (10 * DAY, cancel), on_kafka=False)
    await tables.execute("update lifecycle.transitions set at = $1 where entity_id = 'sub_leaving'", NOW - 10 * DAY)
    await kafka.send(stack, Envelope("leaving-1", "//test", NOW - 3 * DAY, "sub_leaving", failed()))
    document, found = await of(offramp, "sub_leaving", sooner)
    assert document["left_out"]["non renewing at the beginning"] == 1
    assert found == []


async def test_nothing_is_written_and_the_exit_status_tells_whether_anything_differs(
    stack: Settings, offramp: Offramp, tables: "asyncpg.Connection[Any]", sooner: Path
) -> None:
    await happened(stack, "sub_unwritten", (6 * DAY, started()), (5 * DAY, failed()))
    before = await tables.fetch("select * from lifecycle.subscriptions"), await tables.fetch("select * from lifecycle.transitions")
    assert (await offramp("policy", "diff", str(DEFAULT_FILE), str(sooner))).status == 1
    assert (await offramp("policy", "diff", str(DEFAULT_FILE), str(DEFAULT_FILE))).status == 0
    assert (
        await tables.fetch("select * from lifecycle.subscriptions"),
        await tables.fetch("select * from lifecycle.transitions"),
    ) == before


async def test_people_see_the_numbers_the_reach_and_the_decisions(stack: Settings, offramp: Offramp, sooner: Path) -> None:
    await happened(stack, "sub_seen", (6 * DAY, started()), (5 * DAY, failed()))
    said = (await offramp("policy", "diff", str(DEFAULT_FILE), str(sooner), "--days", "7")).out
    for expected in ("lifecycle.dunning.steps", "subscriptions from their start", "nobody asks the payment provider", "timer give-up:in_2"):
        assert expected in said


async def test_what_repeats_itself_is_shown_once_and_counted(stack: Settings, offramp: Offramp, tmp_path: Path) -> None:
    longer = changed(tmp_path / "new.yaml", ("    grace: 5d ", "    grace: 15d "))
    cancel = CancellationRequested(reference="CAN-1", requested_by=Requester(user_id="usr_1"), mode="immediately")
    await happened(stack, "sub_repeats", (12 * DAY, started()), (11 * DAY, cancel))
    said = (await offramp("policy", "diff", str(DEFAULT_FILE), str(longer))).out
    assert [line for line in said.splitlines() if line.startswith("sub_repeats") and "data-deletion (7 times)" in line]
