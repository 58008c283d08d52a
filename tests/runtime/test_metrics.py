"""What `/metrics` says of the tables: what is there now, every input included, and nothing at all while Postgres is away."""

from datetime import timedelta
from math import inf

import pytest
from aiohttp.test_utils import make_mocked_request
from prometheus_client import CollectorRegistry, Gauge

from services.runtime import telemetry
from services.runtime.apply import Shell
from services.runtime.engine import Engine
from services.runtime.pages import Pages
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.telemetry import TableGauge
from tests.runtime.toy import NOW, Publisher, Purse, Purses, Toy, failed, started

PAYMENT = "subscription.payment.v1"
PURSES = Gauge("offramp_toy_purses", "By how full", ["failed", "wakes"], registry=CollectorRegistry())
BY_FAILURES = TableGauge(PURSES, "select failed, case when wake_at < $1 then 'late' else 'no' end, count(*) from purses group by 1, 2")


@pytest.fixture
async def engine(shell: Shell[Purse]) -> Engine:
    """Over the toy's tables, without Kafka."""
    engine = Engine(Service("lifecycle", Toy(), Purses(), gauges=(BY_FAILURES,)), Settings())
    engine.shell, engine.ready = shell, True
    return engine


async def scraped(engine: Engine) -> str:
    answer = await Pages(lambda: engine).metrics(make_mocked_request("GET", "/metrics"))
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


def now(name: str, **labels: str) -> float | None:
    return telemetry.REGISTRY.get_sample_value(name, {"service": "lifecycle", **labels})


async def test_a_services_own_gauge_is_a_series_for_each_row_and_forgets_what_is_gone(engine: Engine, shell: Shell[Purse]) -> None:
    publisher = Publisher(PAYMENT)
    account = Publisher("subscription.account.v1")
    await shell.hear([account.record(started(), each) for each in ("sub_1", "sub_2", "sub_3")], "group")
    await shell.hear([publisher.record(failed(), "sub_3")], "group")
    await scraped(engine)
    assert _purses() == {("0", "no"): 2, ("1", "no"): 1}
    await shell.hear([publisher.record(failed(each), f"sub_{each}") for each in (1, 2)], "group")
    await scraped(engine)
    assert _purses() == {("1", "no"): 3}


def _purses() -> dict[tuple[str, str], float]:
    return {(each.labels["failed"], each.labels["wakes"]): each.value for each in next(iter(PURSES.collect())).samples}


async def test_an_input_is_unread_since_the_partition_that_was_read_longest_ago(engine: Engine, shell: Shell[Purse]) -> None:
    async def seen(partition: int, ago: timedelta) -> None:
        await shell.pool.execute(
            "insert into watermarks(topic, part, next_off, seen_through) values($1, $2, 0, $3)", PAYMENT, partition, NOW - ago
        )

    for partition in range(5):
        await seen(partition, timedelta(seconds=1))
    await scraped(engine)
    assert now("offramp_unread_seconds", topic=PAYMENT) == inf, "nobody has ever read the sixth"
    await seen(5, timedelta(minutes=7))
    await scraped(engine)
    assert now("offramp_unread_seconds", topic=PAYMENT) == 7 * 60
    await shell.pool.execute("update watermarks set seen_through = 'epoch' where part = 3")
    await scraped(engine)
    assert now("offramp_unread_seconds", topic=PAYMENT) == inf, "read, but never to its end"


async def test_while_postgres_is_away_the_page_says_so_and_shows_no_old_number(engine: Engine, shell: Shell[Purse]) -> None:
    await shell.hear([Publisher(PAYMENT).raw(b"sub_1", b"")], "group")
    await scraped(engine)
    assert (now("offramp_postgres_answers"), now("offramp_dead_letters_open", reason="empty")) == (1, 1)
    await shell.pool.close()
    text = await scraped(engine)
    assert (now("offramp_postgres_answers"), now("offramp_dead_letters_open", reason="empty")) == (0, None)
    assert "offramp_process_start_time_seconds" in text


async def test_a_statement_that_is_wrong_is_not_taken_for_an_outage(shell: Shell[Purse]) -> None:
    wrong = TableGauge(PURSES, "select nothing from nowhere where $1::timestamptz is null")
    engine = Engine(Service("lifecycle", Toy(), Purses(), gauges=(wrong,)), Settings())
    engine.shell, engine.ready = shell, True
    with pytest.raises(Exception, match="nowhere"):
        await scraped(engine)


async def test_what_runs_and_by_which_clock_is_told(engine: Engine) -> None:
    assert 'offramp_info{clock="system",service="lifecycle"} 1.0' in await scraped(engine)
