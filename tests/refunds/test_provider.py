"""The rules' calls against a real sandbox over HTTP, behaving and misbehaving: by our own client, and by Stripe's library."""

import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from dev.sandbox import Sandbox
from dev.sandbox.behaviour import Behaviour
from services.refunds.providers.port import callers
from services.refunds.providers.sandbox import SandboxProvider
from services.refunds.providers.stripe import StripeProvider, _named
from services.refunds.service import _provider
from services.runtime.calls import Caller, Unknown, Unreachable
from services.runtime.settings import Settings

Speaks = type[SandboxProvider] | type[StripeProvider]
KEY = "sk_of_these_tests"
REQUEST = {
    "payment": "pay_1", "amount_minor": 400, "currency": "EUR", "idempotency_key": "refund:r:1",
    "metadata": {"refund_id": "r", "attempt": "1"},
}  # fmt: skip
FIND = {"payment": "pay_1", "metadata": REQUEST["metadata"]}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox.start(key=KEY) as sandbox:
        sandbox.ledger.register("pay_1", 1000, "eur")
        yield sandbox


@pytest.fixture(params=[SandboxProvider, StripeProvider])
def speaks(request: pytest.FixtureRequest) -> Speaks:
    """Both speak the same language; either must hear the same in it."""
    kind: Speaks = request.param
    return kind


@pytest.fixture
async def call(sandbox: Sandbox, speaks: Speaks) -> AsyncIterator[Mapping[str, Caller]]:
    async with speaks(sandbox.url, KEY, timeout=2.0) as provider:  # a silent one is waited for, a slow machine forgiven
        yield callers(provider)


def refunds(sandbox: Sandbox) -> list[Any]:
    return sandbox.ledger.all()


async def test_money_goes_back_and_is_found_by_what_was_written_on_it(sandbox: Sandbox, call: Mapping[str, Caller]) -> None:
    created = await call["refund.create"](REQUEST)
    assert created["status"] == "succeeded"
    assert await call["refund.find"](FIND) == created
    assert await call["refund.read"]({"provider_refund_id": created["id"]}) == created
    (refund,) = refunds(sandbox)
    assert (refund["idempotency_key"], refund["reason"]) == ("refund:r:1", "requested_by_customer")


async def test_another_attempt_or_refund_of_the_payment_is_not_mistaken_for_it(call: Mapping[str, Caller]) -> None:
    await call["refund.create"](REQUEST)
    for metadata in ({"refund_id": "r", "attempt": "2"}, {"refund_id": "other", "attempt": "1"}):
        assert await call["refund.find"]({"payment": "pay_1", "metadata": metadata}) == {"error": "not_found"}


async def test_all_refunds_of_a_payment_are_shown_whoever_made_them(sandbox: Sandbox, call: Mapping[str, Caller]) -> None:
    created = await call["refund.create"](REQUEST)
    sandbox.ledger.refund({"payment_intent": "pay_1", "amount": "150"}, key=None, status="pending", extra={})
    shown = (await call["payment.survey"]({"payment": "pay_1"}))["refunds"]
    assert [(each["status"], each["amount_minor"], each["metadata"]) for each in shown] == [
        ("pending", 150, {}),
        ("succeeded", 400, REQUEST["metadata"]),
    ]
    assert shown[1] == created


async def test_it_is_found_behind_a_hundred_others(sandbox: Sandbox, call: Mapping[str, Caller]) -> None:
    created = await call["refund.create"](REQUEST)
    for _ in range(120):
        sandbox.ledger.refund({"payment_intent": "pay_1", "amount": "1"}, key=None, status="succeeded", extra={})
    assert await call["refund.find"](FIND) == created


async def test_a_call_made_again_after_a_crash_pays_once_even_when_the_key_is_forgotten(
    sandbox: Sandbox, call: Mapping[str, Caller]
) -> None:
    first = await call["refund.create"](REQUEST)
    sandbox.ledger.forget_keys()
    assert await call["refund.create"](REQUEST) == first
    assert len(refunds(sandbox)) == 1


@pytest.mark.parametrize("do", ["timeout_after_doing", "cut_after_doing", "error_500_after_doing"])
async def test_what_may_have_been_done_is_unknown_and_can_be_found(sandbox: Sandbox, call: Mapping[str, Caller], do: Any) -> None:
    sandbox.behaviours.tell(Behaviour(do=do))
    with pytest.raises(Unknown):
        await call["refund.create"](REQUEST)
    assert (await call["refund.find"](FIND))["id"] == refunds(sandbox)[0]["id"]


@pytest.mark.parametrize("do", ["error_500", "silent"])
async def test_a_provider_in_trouble_is_unknown_though_it_did_nothing(sandbox: Sandbox, call: Mapping[str, Caller], do: Any) -> None:
    sandbox.behaviours.tell(Behaviour(do=do, on="create"))
    with pytest.raises(Unknown):
        await call["refund.create"](REQUEST)
    assert await call["refund.find"](FIND) == {"error": "not_found"}


async def test_too_many_requests_were_not_done(sandbox: Sandbox, call: Mapping[str, Caller]) -> None:
    sandbox.behaviours.tell(Behaviour(do="rate_limit_429"))
    with pytest.raises(Unreachable):
        await call["refund.create"](REQUEST)


async def test_a_wrong_key_is_not_let_in_and_nothing_was_done(sandbox: Sandbox, speaks: Speaks) -> None:
    async with speaks(sandbox.url, "sk_of_somebody_else") as provider:
        with pytest.raises(Unreachable, match="answers 401"):
            await callers(provider)["refund.create"](REQUEST)
    assert refunds(sandbox) == []


async def test_where_nobody_listens_nothing_was_done(speaks: Speaks) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with speaks(f"http://127.0.0.1:{unused.getsockname()[1]}", KEY) as provider:
            with pytest.raises(Unreachable):
                await callers(provider)["refund.create"](REQUEST)


@pytest.mark.parametrize(("do", "code"), [("insufficient_funds", "insufficient_funds"), ("disputed", "charge_disputed")])
async def test_a_definite_no_is_an_answer(sandbox: Sandbox, call: Mapping[str, Caller], do: Any, code: str) -> None:
    sandbox.behaviours.tell(Behaviour(do=do))
    assert await call["refund.create"](REQUEST) == {"error": code}


async def test_over_refunds_are_refused_by_the_provider_too(call: Mapping[str, Caller]) -> None:
    assert await call["refund.create"](REQUEST | {"amount_minor": 1001}) == {"error": "amount_too_large"}


async def test_a_key_that_the_provider_knows_by_another_request_proves_nothing(sandbox: Sandbox, call: Mapping[str, Caller]) -> None:
    await call["refund.create"](REQUEST)
    with pytest.raises(Unknown):
        await call["refund.create"](REQUEST | {"metadata": {"refund_id": "other"}})


async def test_an_action_and_its_expiry_are_read(sandbox: Sandbox, call: Mapping[str, Caller]) -> None:
    sandbox.behaviours.tell(Behaviour(do="requires_action", expires_at=1_772_445_600, action_url="https://example.com/iban"))
    answer = await call["refund.create"](REQUEST)
    assert (answer["status"], answer["expires_at"], answer["action_url"]) == (
        "requires_action",
        "2026-03-02T10:00:00Z",
        "https://example.com/iban",
    )


async def test_a_pending_refund_arrives_and_a_late_failure_says_why(sandbox: Sandbox, call: Mapping[str, Caller]) -> None:
    sandbox.behaviours.tell(Behaviour(do="pending"))
    created = await call["refund.create"](REQUEST)
    assert created["status"] == "pending"
    assert (await call["refund.read"]({"provider_refund_id": created["id"]}))["status"] == "succeeded"
    sandbox.ledger.change(created["id"], status="failed", failure_reason="lost_or_stolen_card")
    read = await call["refund.read"]({"provider_refund_id": created["id"]})
    assert (read["status"], read["failure_reason"]) == ("failed", "lost_or_stolen_card")


def test_a_charge_may_be_named_by_itself_or_by_its_intent() -> None:
    assert [_named(each) for each in ("pi_1", "ch_1", "py_1")] == [{"payment_intent": "pi_1"}, {"charge": "ch_1"}, {"charge": "py_1"}]


def test_which_provider_is_a_setting_and_stripe_needs_a_key() -> None:
    assert isinstance(_provider(Settings()), SandboxProvider)
    with pytest.raises(ValidationError, match="OFFRAMP_PROVIDER is stripe, which needs OFFRAMP_PROVIDER_KEY"):
        Settings(provider="stripe")
    chosen = Settings(provider="stripe", provider_key=SecretStr("sk_live"))
    real, mock = _provider(chosen), _provider(chosen.model_copy(update={"provider_url": "http://127.0.0.1:12111"}))
    assert isinstance(real, StripeProvider)
    assert (real.url, mock.url) == ("https://api.stripe.com", "http://127.0.0.1:12111")
