"""The walk from due timer to due timer, over services that only pretend."""

from datetime import timedelta

import pytest

from services.console import clock
from services.console.clock import Step
from services.console.trouble import Trouble
from tests.console.conftest import Offramp
from tests.console.pretended import START, Pretended, Serve, day


async def test_the_walk_stops_at_every_timer_of_every_service(serve: Serve) -> None:
    one, other = Pretended([day(3), day(7)]), Pretended([day(5)])
    steps: list[Step] = []
    reached = await clock.advance([await serve(one), await serve(other)], day(30), steps.append)
    assert reached == steps[-1]
    assert one.set_to == other.set_to == [day(3), day(5), day(7), day(30)]
    assert [step.now for step in steps] == [START, day(3), day(5), day(7), day(30)]
    assert steps[-1].moved == 3


async def test_timers_after_the_end_are_left_alone(serve: Serve) -> None:
    service = Pretended([day(31)])
    await clock.advance([await serve(service)], day(30))
    assert service.set_to == [day(30)]
    assert service.timers == [day(31)]


async def test_the_clock_is_advanced_by_so_much_from_where_it_stands(serve: Serve) -> None:
    service = Pretended([day(2)], now=day(1))
    assert await clock.advance([await serve(service)], timedelta(days=7)) == Step(day(8), day(8), 1)
    assert service.set_to == [day(2), day(8)]


async def test_no_step_is_longer_than_what_the_others_would_take_for_the_future(serve: Serve) -> None:
    service = Pretended()
    await clock.advance([await serve(service)], day(400))
    assert service.set_to == [day(180), day(360), day(400)]


async def test_to_settle_is_to_wait_without_moving_the_clock(serve: Serve) -> None:
    service = Pretended([START], now=START)
    assert (await clock.settle([await serve(service)])).now == START
    assert (service.timers, service.set_to) == ([], [])


async def test_a_clock_never_goes_back(serve: Serve) -> None:
    service = Pretended(now=day(9))
    with pytest.raises(clock.OutOfReach, match=r"it is 2026-05-10T00:00:00\+00:00 already"):
        await clock.advance([await serve(service)], day(3))
    assert service.set_to == []


async def test_what_is_too_far_away_to_be_meant_is_refused_because_there_is_no_way_back(serve: Serve) -> None:
    service = Pretended()
    with pytest.raises(clock.OutOfReach, match="more than ten years at once"):
        await clock.advance([await serve(service)], timedelta(days=30_000))
    assert service.set_to == []


async def test_services_on_different_clocks_are_named(serve: Serve) -> None:
    system, test = await serve(Pretended(test_clock=False)), await serve(Pretended())
    with pytest.raises(clock.NoTestClock, match=f"{system} \\(on the test clock: {test}\\)"):
        await clock.advance([test, system], day(1))


async def test_a_service_on_the_walls_time_is_told(serve: Serve) -> None:
    url = await serve(Pretended(test_clock=False))
    with pytest.raises(clock.NoTestClock, match="Start the services with OFFRAMP_CLOCK=test"):
        await clock.settle([url])


async def test_services_that_never_settle_are_told_with_their_reasons(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_PATIENCE", 0.1)
    url = await serve(Pretended(never_settles=True))
    with pytest.raises(clock.Unsettled, match="timers are due"):
        await clock.advance([url], day(1))


async def test_a_service_that_is_not_there_is_told() -> None:
    with pytest.raises(Trouble, match=r"no service answers at http://127\.0\.0\.1:1/clock"):
        await clock.advance(["http://127.0.0.1:1"], day(1))


async def test_the_words_of_a_service_that_refuses_are_passed_on(serve: Serve) -> None:
    url = await serve(Pretended(refuses=True))
    with pytest.raises(Trouble, match="answers 409: not on a Sunday"):
        await clock.advance([url], day(1))


async def test_the_commands_need_the_services_and_nothing_else(serve: Serve, offramp: Offramp, monkeypatch: pytest.MonkeyPatch) -> None:
    lifecycle, refunds, notifier = Pretended([day(3)]), Pretended(), Pretended()
    for name, service in (("LIFECYCLE", lifecycle), ("REFUNDS", refunds), ("NOTIFIER", notifier)):
        monkeypatch.setenv(f"OFFRAMP_{name}_URL", f"{await serve(service)}/")
    monkeypatch.setenv("OFFRAMP_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("OFFRAMP_POSTGRES", "postgresql://127.0.0.1:1/none")
    assert (await offramp("clock", "settle")).out == "It is 2026-05-01 00:00.   0 records, timers and answers handled\n"
    assert (await offramp("clock", "advance", "7d")).out == "It is 2026-05-08 00:00.   1 records, timers and answers handled\n"
    assert (await offramp("clock", "advance", "2026-05-09T12:00Z")).out.startswith("It is 2026-05-09 12:00.")
    assert (await offramp("clock", "advance", "2026-05-09")).status == 1
    assert notifier.set_to == [day(3), day(7), day(8) + timedelta(hours=12)]
