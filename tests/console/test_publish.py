"""Publishing for real: exactly that record is on Kafka."""

import json
from typing import Any

import asyncpg
import pytest
from cyclopts import CycloptsError

from offramp_schemas import TOPIC_OF, FollowUp
from services.console import kafka, settings
from services.console.composing import SOURCE
from services.console.kafka import Place, Reader, Seen
from services.console.trouble import Trouble
from services.runtime.settings import Settings
from tests.console.conftest import Offramp


async def written(stack: Settings, place: str) -> Seen:
    """The record at the place that was printed."""
    wanted = Place.parse(place)
    async with Reader.open(stack, [wanted.topic], from_beginning=True) as reader:
        while True:
            for seen in await reader.read(5):
                if seen.place == wanted:
                    return seen


async def test_what_is_said_is_what_kafka_gets(stack: Settings, offramp: Offramp) -> None:
    said = await offramp(
        *("publish", "cancellation-requested", "--subscription", "sub_anna", "--user", "usr_anna", "--reference", "CAN-1"),
        *("--feedback", "too_expensive", "--feedback", "unused", "--mode", "immediately", "--wants-refund"),
        *("--time", "2026-05-01T09:14:00+02:00", "--id", "evt-1"),
    )
    assert said.status == 0
    seen = await written(stack, said.out.splitlines()[0])
    assert (seen.place.topic, seen.key) == ("subscription.request.v1", "sub_anna")
    assert dict(seen.headers) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": b"evt-1",
        "ce_source": SOURCE.encode(),
        "ce_type": b"offramp.subscription.cancellation-requested.v1",
        "ce_time": b"2026-05-01T07:14:00+00:00",
        "ce_subject": b"sub_anna",
    }
    assert json.loads(seen.value or b"") == {
        "reference": "CAN-1", "requested_by": {"user_id": "usr_anna", "role": "user", "name": None}, "mode": "immediately",
        "feedback": ["too_expensive", "unused"], "comment": None, "switching_to": None, "wants_refund": True, "payment_id": None,
        "keep_data": False,
    }  # fmt: skip


async def test_data_may_come_as_json_and_options_go_over_it(stack: Settings, offramp: Offramp) -> None:
    data = (
        '{"payment_id": "pay_1", "invoice_id": "in_1", "amount_minor": 500, "currency": "EUR", "decline_code": "expired", "kind": "soft"}'
    )
    said = await offramp(
        "publish", "payment-failed", "--subscription", "sub_anna", "--data", data, "--kind", "hard", "--time", "2026-05-01"
    )
    seen = await written(stack, said.out.splitlines()[0])
    assert json.loads(seen.value or b"") == json.loads(data) | {"kind": "hard", "card_brand": None, "card_last4": None, "attempt": 1}


async def test_the_golden_example_is_a_beginning(stack: Settings, offramp: Offramp) -> None:
    said = await offramp("publish", "subscription-started", "--subscription", "sub_new", "--example", "--email", "ben@example.com")
    seen = await written(stack, said.out.splitlines()[0])
    assert json.loads(seen.value or b"")["contact"] == {"email": "ben@example.com", "name": "Aoife Byrne", "locale": "en"}


async def test_the_test_clock_says_when_it_happened(stack: Settings, offramp: Offramp, tables: "asyncpg.Connection[Any]") -> None:
    await tables.execute("insert into lifecycle.test_clock(now) values('2026-08-01 12:00Z')")
    said = await offramp("publish", "data-deleted", "--subscription", "sub_anna")
    seen = await written(stack, said.out.splitlines()[0])
    assert seen.envelope is not None
    assert seen.envelope.time.isoformat() == "2026-08-01T12:00:00+00:00"


async def test_an_unknown_subscription_is_told_when_something_has_to_be_looked_up(stack: Settings, offramp: Offramp) -> None:
    said = await offramp("publish", "cancellation-requested", "--subscription", "sub_nobody")
    assert said.status == 1
    assert "lifecycle knows no subscription 'sub_nobody', so --user can't be looked up" in said.out


async def test_what_does_not_fit_is_not_sent(offramp: Offramp) -> None:
    said = await offramp("publish", "data-deleted", "--subscription", "a b", "--time", "yesterday")
    assert (said.status, "'yesterday' is not a moment" in said.out) == (1, True)


async def test_a_subscription_that_cannot_be_a_subject_is_refused(stack: Settings, offramp: Offramp) -> None:
    said = await offramp("publish", "data-deleted", "--subscription", "a b")
    assert said.status == 1
    assert "--subscription" in said.out


async def test_an_event_that_is_misspelt_is_guessed(offramp: Offramp) -> None:
    with pytest.raises(CycloptsError, match='Did you mean "payment-failed"'):
        await offramp("publish", "payment-fail", "--subscription", "sub_anna")


async def test_the_help_names_every_event_that_others_publish_and_none_of_ours(offramp: Offramp) -> None:
    listed = (await offramp("publish", "--help")).out
    for event in TOPIC_OF:
        assert (f" {event.kebab()} " in listed) is not issubclass(event, FollowUp)


async def test_a_broker_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, offramp: Offramp) -> None:
    monkeypatch.setenv("OFFRAMP_KAFKA", "127.0.0.1:1")
    said = await offramp("publish", "data-deleted", "--subscription", "sub_anna", "--time", "2026-05-01")
    assert (said.status, "Kafka does not answer at 127.0.0.1:1" in said.out) == (1, True)


async def test_a_database_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, offramp: Offramp) -> None:
    monkeypatch.setenv("OFFRAMP_POSTGRES", "postgresql://offramp@127.0.0.1:1/offramp")
    said = await offramp("show", "sub_anna")
    assert (said.status, "Postgres does not answer" in said.out) == (1, True)


async def test_a_topic_that_is_not_there_is_told(stack: Settings) -> None:
    with pytest.raises(Trouble, match=r"Kafka has no topic nothing\.v1: run"):
        async with kafka.Reader.open(settings.load(), ["nothing.v1"]):
            pass


def test_a_place_reads_back_and_anything_else_is_told() -> None:
    assert Place.parse("refund.request.v1[3]@17") == Place("refund.request.v1", 3, 17)
    with pytest.raises(Trouble, match="in quotes"):
        Place.parse("refund.request.v13@17")
