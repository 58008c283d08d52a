"""A call to the outside always ends in an outcome that its entity hears, once, whoever dies in between."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from offramp_schemas.payment import PaymentMethodUpdated
from services.runtime import calls as calls_module
from services.runtime.apply import Shell
from services.runtime.calls import Calls, Unknown, Unreachable
from services.runtime.stored import Pool
from tests.runtime.toy import NOW, Publisher, Purse, started

GROUP = "offramp.lifecycle.test"


class Bank:
    """The outside, misbehaving on request."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.trouble: list[Exception] = []
        self.says = {"yes": True}

    async def __call__(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(request)
        if self.trouble:
            raise self.trouble.pop(0)
        return self.says


@pytest.fixture
async def asked(shell: Shell[Purse]) -> None:
    """An entity has asked the bank."""
    account, payments = Publisher("subscription.account.v1"), Publisher("subscription.payment.v1")
    await shell.hear([account.record(started()), payments.record(PaymentMethodUpdated(card_brand="call"))], GROUP)


async def answers(pool: Pool) -> list[str]:
    told: list[str] = await pool.fetchval("select array(select jsonb_array_elements_text(details->'answers')) from purses")
    return told


@pytest.mark.usefixtures("asked")
async def test_the_entity_hears_the_answer_once(shell: Shell[Purse], pool: Pool) -> None:
    bank = Bank()
    calls = Calls(shell, {"bank": bank})
    assert await calls.run_once() == 1
    assert await calls.run_once() == 0
    assert (bank.asked, await answers(pool)) == ([{"who": "sub_1"}], ["answered"])
    assert await pool.fetchval("select outcome from calls") == "answered"


@pytest.mark.usefixtures("asked")
async def test_what_did_not_get_through_is_tried_three_times_and_then_the_entity_is_told(shell: Shell[Purse], pool: Pool) -> None:
    bank = Bank()
    bank.trouble = [Unreachable(), Unreachable(), Unreachable()]
    calls = Calls(shell, {"bank": bank}, retry_pause=0.0)
    for _ in range(4):
        await calls.run_once()
    assert (len(bank.asked), await answers(pool)) == (3, ["unreachable"])


@pytest.mark.usefixtures("asked")
async def test_what_may_have_been_done_is_never_repeated_blindly(shell: Shell[Purse], pool: Pool) -> None:
    bank = Bank()
    bank.trouble = [Unknown()]
    calls = Calls(shell, {"bank": bank}, retry_pause=0.0)
    await calls.run_once()
    await calls.run_once()
    assert (len(bank.asked), await answers(pool)) == (1, ["unknown"])


@pytest.mark.usefixtures("asked")
async def test_a_caller_with_a_bug_leaves_no_call_open(shell: Shell[Purse], pool: Pool) -> None:
    bank = Bank()
    bank.trouble = [ZeroDivisionError()]
    await Calls(shell, {"bank": bank}).run_once()
    assert await answers(pool) == ["unknown"]


@pytest.mark.usefixtures("asked")
async def test_the_call_of_a_worker_that_died_is_taken_over_and_its_late_answer_dropped(
    shell: Shell[Purse], pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(Bank):
        async def __call__(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
            self.asked.append(request)
            await released.wait()
            return {"late": True}

    released = asyncio.Event()
    monkeypatch.setattr(calls_module, "LEASE", timedelta(0))
    hanging, bank = Hanging(), Bank()
    first = Calls(shell, {"bank": hanging})
    await first.run_once()
    assert hanging.asked
    await Calls(shell, {"bank": bank}).run_once()
    released.set()
    await first.drain()
    assert await answers(pool) == ["answered"]


@pytest.mark.usefixtures("asked")
async def test_a_call_is_over_even_when_what_its_answer_leads_to_is_refused(shell: Shell[Purse], pool: Pool) -> None:
    bank = Bank()
    bank.says = {"burst": True}
    calls = Calls(shell, {"bank": bank})
    await calls.run_once()
    assert await calls.run_once() == 0
    assert await pool.fetchval("select outcome from calls") == "answered"
    assert await pool.fetchval("select failed from purses") == 0
    assert await pool.fetchval("select count(*) from dead_letters") == 1


async def test_calls_of_one_entity_are_made_in_their_order_and_a_slow_one_holds_up_nobody_else(shell: Shell[Purse], pool: Pool) -> None:
    account, payments = Publisher("subscription.account.v1"), Publisher("subscription.payment.v1")
    for subject in ("sub_slow", "sub_quick"):
        asks = [payments.record(PaymentMethodUpdated(card_brand="call"), subject, time=NOW - timedelta(hours=2 - n)) for n in range(2)]
        await shell.hear([account.record(started(), subject), *asks], GROUP)
    made: list[str] = []
    released = asyncio.Event()

    async def bank(request: Mapping[str, Any]) -> Mapping[str, Any]:
        made.append(request["who"])
        if request["who"] == "sub_slow":
            await released.wait()
        return {}

    calls = Calls(shell, {"bank": bank})
    for _ in range(3):
        await calls.run_once()
    assert (made.count("sub_slow"), made.count("sub_quick")) == (1, 2)
    released.set()
    while await calls.run_once():
        pass
    assert made.count("sub_slow") == 2
