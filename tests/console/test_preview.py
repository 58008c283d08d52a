"""What an event would lead to, asked of the real rules of all three services over their pages: shown, and not done."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from offramp_schemas import TOPIC_OF, FollowUp, examples
from services.console import outlook, settings
from services.console.preview import Page
from services.console.samples import SAMPLES
from services.console.serve import Front
from services.lifecycle.service import build as lifecycle
from services.notifier.service import build as notifier
from services.refunds.service import build as refunds
from services.runtime import postgres
from services.runtime.apply import Shell
from services.runtime.clock import TestClock
from services.runtime.pages import Pages
from services.runtime.prepare import SERVICES, prepare_database
from services.runtime.settings import Settings
from tests.console.conftest import Offramp
from tests.runtime.toy import Publisher

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
BUILDS = {"lifecycle": lifecycle, "refunds": refunds, "notifier": notifier}
CANCEL = ("preview", "cancellation-requested", "--subscription")


@pytest.fixture
async def urls(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, str]]:
    """The pages of the three services, which have heard of the samples; nothing is read from Kafka and no mail is sent."""
    monkeypatch.setenv("OFFRAMP_POSTGRES", database)
    chosen = settings.load()
    connection = await asyncpg.connect(database)
    await prepare_database(connection, {}, test_clock=True)
    for service in SERVICES:
        await connection.execute(f"update {service}.test_clock set now = $1", NOW)
    await connection.close()
    async with AsyncExitStack() as opened:
        found = {service: await _pages(opened, chosen, service) for service in SERVICES}
        for service, url in found.items():
            monkeypatch.setenv(f"OFFRAMP_{service.upper()}_URL", url)
        yield found


async def _pages(opened: AsyncExitStack, chosen: Settings, name: str) -> str:
    pool = await postgres.pool(chosen, name)
    opened.push_async_callback(pool.close)
    async with pool.acquire() as connection:
        service: Any = await BUILDS[name](chosen, connection)
    shell = Shell(name, service.decider, service.tables, TestClock(), pool)
    for topic in service.inputs:
        publisher = Publisher(topic.name)
        told = [(sample.subscription_id, at, event) for sample in SAMPLES for at, event in sample.events(NOW)]
        batch = [publisher.record(event, subject, time=at) for subject, at, event in told if TOPIC_OF[type(event)] == topic]
        if batch:
            await shell.hear(batch, "offramp.test")
    app = web.Application()
    engine: Any = SimpleNamespace(ready=True, shell=shell, service=service)
    app.add_routes(Pages(lambda: engine).routes())
    server = await opened.enter_async_context(TestServer(app))
    return str(server.make_url("")).rstrip("/")


async def rows(database: str) -> dict[str, list[Any]]:
    """Everything there is in the services' tables."""
    connection = await asyncpg.connect(database)
    tables = await connection.fetch("select schemaname, tablename from pg_tables where schemaname = any($1)", list(SERVICES))
    found = {f"{s}.{t}": sorted(map(str, await connection.fetch(f'select * from {s}."{t}"'))) for s, t in tables}
    await connection.close()
    return found


async def test_a_withdrawal_is_foreseen_through_all_services(offramp: Offramp, urls: dict[str, str]) -> None:
    said = await offramp(*CANCEL, "sub_ben", "--mode", "immediately", "--wants-refund")
    assert said.status == 0
    for expected in (
        "lifecycle: applied: active → ended",
        "ends 2026-05-01 09:00: withdrawal",
        "49.00 EUR comes back by the right of withdrawal, issued by 2026-05-06 09:00",  # the 4th is a holiday in Ireland
        "can be exported until 2026-05-06 09:00",
        "ended at once (proof), at once",
        "refund approved (proof), at once",
    ):
        assert expected in said.out


async def test_who_has_paid_nothing_sees_that_nothing_comes_back(offramp: Offramp, urls: dict[str, str]) -> None:
    said = (await offramp(*CANCEL, "sub_gina", "--mode", "immediately", "--wants-refund")).out
    assert "no payment is known: unless one is heard of until 2026-05-01 09:05, nothing comes back" in said


async def test_a_scheduled_end_names_its_date_and_what_will_happen_by_itself(offramp: Offramp, urls: dict[str, str]) -> None:
    said = (await offramp(*CANCEL, "sub_anna", "--feedback", "other")).out
    for expected in (
        "goes on until 2026-05-11 09:00; nothing is charged again",
        "cancellation scheduled (proof), at once",
        "lifecycle  end\n",
    ):
        assert expected in said


async def test_a_rejection_is_told_with_its_rule(offramp: Offramp, urls: dict[str, str]) -> None:
    assert "cancellation-rejected: managed by reseller" in (await offramp(*CANCEL, "sub_hugo")).out
    late = (await offramp("preview", "refund-requested", "--subscription", "sub_dan")).out
    assert "99.00 EUR does not come back: outside refund window; its 30 days ended 2026-04-28" in late


async def test_above_the_limit_a_person_decides_and_the_date_is_told(offramp: Offramp, urls: dict[str, str]) -> None:
    said = (await offramp("preview", "refund-requested", "--subscription", "sub_cara")).out
    assert "480.00 EUR by the money-back guarantee: a person decides by 2026-05-05" in said


async def test_a_held_mail_is_told_with_its_time(offramp: Offramp, urls: dict[str, str]) -> None:
    said = (await offramp("preview", "inactivity-detected", "--subscription", "sub_eve", "--inactive-days", "60")).out
    assert "inactivity warning (status), 2026-05-01 09:03" in said


async def test_nothing_is_stored(offramp: Offramp, urls: dict[str, str], database: str) -> None:
    before = await rows(database)
    await offramp(*CANCEL, "sub_ben", "--mode", "immediately", "--wants-refund")
    assert await rows(database) == before


async def test_what_would_die_is_told_with_an_exit_status(offramp: Offramp, urls: dict[str, str]) -> None:
    said = await offramp("preview", "refund-chased", "--subscription", "sub_anna")
    assert (said.status, "refunds: dead (wrong_state: there is no refund to speak of)" in said.out) == (1, True)


async def test_a_service_that_is_away_is_told(offramp: Offramp, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFRAMP_REFUNDS_URL", "http://127.0.0.1:1")
    said = await offramp(*CANCEL, "sub_ben", "--mode", "immediately", "--wants-refund")
    assert (said.status, "no service answers at http://127.0.0.1:1/preview" in said.out) == (1, True)


@pytest.fixture
def of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy file in which a plan and a country have numbers of their own."""
    file = tmp_path / "policy.yaml"
    file.write_text("""
lifecycle:
  plans:
    pro-monthly: {cancellation: {notice: 60d}}
  countries:
    FR: {cancellation: {notice: {at_most: 28d}}, data: {grace: 9d}}
refunds:
  countries:
    FR: {country: FR, time_zone: Europe/Paris, issue_within: 3}
""")
    monkeypatch.setenv("OFFRAMP_POLICY_FILE", str(file))


async def test_what_is_foreseen_is_that_of_the_customer_s_plan_and_country(
    of_its_own: None, offramp: Offramp, urls: dict[str, str]
) -> None:
    assert "goes on until 2026-06-30 09:00" in (await offramp(*CANCEL, "sub_anna")).out
    assert "goes on until 2026-05-29 09:00" in (await offramp(*CANCEL, "sub_ben")).out  # as long as France lets it
    at_once = (await offramp(*CANCEL, "sub_ben", "--mode", "immediately", "--wants-refund")).out
    assert "can be exported until 2026-05-10 09:00" in at_once
    assert "issued by 2026-05-06 22:00" in at_once  # the 7th begins in Paris; the 1st is a holiday there


async def test_programs_get_json(offramp: Offramp, urls: dict[str, str]) -> None:
    said = json.loads((await offramp(*CANCEL, "sub_anna", "--json")).out)
    assert (said["event"], said["subscription"], said["applied"]) == ("cancellation-requested", "sub_anna", True)


@pytest.mark.parametrize("fact", [event for event in TOPIC_OF if issubclass(event, FollowUp)], ids=lambda event: event.kebab())
def test_every_fact_can_be_said_in_a_sentence(fact: type[FollowUp]) -> None:
    example = fact.model_validate_json(examples.path(fact).read_text(encoding="utf-8"))
    for about, sentence in outlook.sentences(example):
        assert about
        assert "None" not in sentence


@pytest.fixture
async def front(urls: dict[str, str]) -> AsyncIterator[TestClient[Any, Any]]:
    """`offramp serve`."""
    async with TestClient(TestServer(Front(urls, Page(settings.load(), urls)).app())) as client:
        yield client


async def test_a_site_gets_the_same_as_json_and_nothing_of_who_the_customer_is(front: TestClient[Any, Any]) -> None:
    asked = {"event": "cancellation-requested", "subscription": "sub_ben", "data": {"mode": "immediately", "wants_refund": True}}
    async with front.post("/preview", json=asked) as answer:
        said, text = await answer.json(), await answer.text()
    assert (answer.status, said["applied"], said["services"]["lifecycle"]["states"]) == (200, True, ["active", "ended"])
    assert [told["event"] for told in said["told"]] == ["subscription-ended", "refund-requested", "refund-received", "refund-approved"]
    assert {"template": "refund_approved", "class": "proof", "send_at": None, "suppressed": None} in said["mails"]
    assert {"about": "access", "sentence": "ends 2026-05-01 09:00: withdrawal"} in said["says"]
    assert "@" not in text


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"[", "send {"),
        (b"[" * 4000, "send {"),
        ({"event": "cancellation-requested"}, "send {"),
        ({"event": "cancellation-requested", "subscription": "sub_ben", "force": True}, "send {"),
        ({"event": "subscription-ended", "subscription": "sub_ben"}, "there is no event 'subscription-ended' that others publish"),
        (
            {"event": "cancellation-requested", "subscription": "sub_no"},
            "knows no subscription 'sub_no', and the data do not say requested_by.user_id",
        ),
        ({"event": "cancellation-requested", "subscription": "sub_ben", "data": {"mod": 1}}, "did you mean 'mode'?"),
        ({"event": "cancellation-requested", "subscription": "sub_ben", "data": {"mode": "x"}}, "mode: Input should be 'at_period_end'"),
        ({"event": "data-deleted", "subscription": "a b"}, "subject must be the subscription id"),
    ],
)
async def test_what_can_not_be_meant_is_one_clear_error(front: TestClient[Any, Any], body: object, complaint: str) -> None:
    how = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with front.post("/preview", **how) as answer:
        said = await answer.json()
    assert (answer.status, complaint in said["error"]) == (400, True), said


async def test_a_service_itself_refuses_what_it_does_not_read(urls: dict[str, str]) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timedelta(seconds=5).total_seconds())) as session:
        for body in (b"rubbish", b"null", b'{"type": "offramp.refund.refund-chased.v1", "subject": "sub_ben", "data": {}}'):
            async with session.post(f"{urls['lifecycle']}/preview", data=body) as answer:
                assert (answer.status, list(await answer.json())) == (400, ["error"])
