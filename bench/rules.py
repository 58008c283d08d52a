"""What the rules cost by themselves: the slowest decision of each service, and a mail's words. No Kafka, no Postgres.

What is slow is searched for, in states as heavy as they get and over everything that can be heard in them: nobody has to guess it.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from time import process_time
from typing import Any, NamedTuple

from msgspec.structs import replace

from bench.figures import Figure, at_least, at_most
from bench.scale import Scale
from offramp_schemas import Contact
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.examples import load
from offramp_schemas.lifecycle_events import LifecycleFact
from offramp_schemas.payment import PaymentSucceeded
from offramp_schemas.refund_request import RefundChased, RefundRequested
from services.lifecycle.decide import EVENTS
from services.notifier.decide import Notifier
from services.notifier.mails import MAILS, Tell, choose
from services.notifier.policy import NotifierPolicy
from services.notifier.render import Renderer
from services.refunds.decide import Refunds
from services.refunds.policy import Policy as RefundsPolicy
from services.runtime.decision import CallAnswered, Decider, Decision, Input, TimerDue, When
from services.runtime.policies import single
from tests.lifecycle.given import LIFECYCLE, failure, paid_plan
from tests.lifecycle.states import STORIES, after

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
ROUNDS, REPEATS, SUSPECTS, MOST_MICROSECONDS, MAILS_A_SECOND = 25, 400, 5, 20, 1000
REFUNDS, NOTIFIER = Refunds(single(RefundsPolicy())), Notifier(single(NotifierPolicy()))
PERSON = Contact(email="ada@example.org", name="Ada Lovelace")
STARTED = SubscriptionStarted(
    customer_id="cus_1", owner_id="usr_1", contact=PERSON, plan="pro", plan_name="Pro", price_minor=4900, currency="EUR",
    current_period_start=NOW, current_period_end=NOW + timedelta(days=30), country="DE", consumer=True,
)  # fmt: skip


def state_after(decider: Decider[Any], *events: Input, state: Any = None, now: datetime = NOW) -> Any:
    """What the service knows once it has heard all that."""
    for event in events:
        outcome = decider.decide("sub_1", state, event, When(now, now))
        state = outcome.state if isinstance(outcome, Decision) else state
    return state


def microseconds(work: Callable[[], object], repeats: int = REPEATS, rounds: int = ROUNDS) -> list[float]:
    """Of processor time each, in the fastest fifth of the rounds: what is more than that is the neighbours', who share caches and cores.

    The collector of garbage rests meanwhile.
    """
    work()
    measured = []
    gc.disable()
    for _ in range(rounds):
        begin = process_time()
        for _ in range(repeats):
            work()
        measured.append((process_time() - begin) / repeats * 1_000_000)
    gc.enable()
    return sorted(measured)[: max(1, rounds // 5)]


class Row(NamedTuple):
    """One decision: what is heard in which state, and when."""

    name: str
    state: Any
    event: Input
    when: When


def decisions() -> list[Figure]:
    """Of each service, the slowest row there is: all of it, and for each event that it hears or says."""
    figures = []
    for service, decider, rows in (
        ("lifecycle", LIFECYCLE, list(rows_of_lifecycle())),
        ("refunds", REFUNDS, list(rows_of_refunds())),
        ("notifier", NOTIFIER, list(rows_of_notifier())),
    ):
        gc.collect()
        few = [min(_decided(decider, row, rounds=3, repeats=60)) for row in rows]
        slowest, values = _slowest(decider, rows, few, lambda _: 1)
        busiest, of_each = _slowest(decider, rows, few, partial(_events, decider))
        figures += [
            Figure(f"decide, {service}: the median of {len(rows):,} rows", "µs", [median(few)]),
            Figure(f"decide, {service}: the slowest ({slowest.name}), which says {_events(decider, slowest) - 1}", "µs", values),
            at_most(
                f"decide, {service}: most for each event heard or said ({busiest.name})",
                "µs",
                of_each,
                MOST_MICROSECONDS,
            ),
        ]
    return figures


def _slowest(decider: Decider[Any], rows: Sequence[Row], guesses: Sequence[float], share: Callable[[Row], int]) -> tuple[Row, list[float]]:
    """By what falls to each of its shares. Whatever looked slow for a moment is measured again, for longer."""
    suspects = sorted(zip(guesses, rows, strict=True), key=lambda each: -each[0] / share(each[1]))[:SUSPECTS]
    measured = [(row, [all_of_it / share(row) for all_of_it in _decided(decider, row)]) for _, row in suspects]
    return max(measured, key=lambda each: median(each[1]))


def _events(decider: Decider[Any], row: Row) -> int:
    outcome = decider.decide("sub_1", row.state, row.event, row.when)
    return 1 + (len(outcome.events) if isinstance(outcome, Decision) else 0)


def _decided(decider: Decider[Any], row: Row, rounds: int = ROUNDS, repeats: int = REPEATS) -> list[float]:
    _, state, event, when = row
    return microseconds(lambda: decider.decide("sub_1", state, event, when), repeats, rounds)


def rows_of_lifecycle() -> Iterator[Row]:
    """Every event and every timer, in every state and condition that the tests tell apart, and with a dozen unpaid invoices."""
    stories = {name: story() for name, story in STORIES.items()}
    stories["past due, 12 invoices"] = after(paid_plan(), *(failure(f"in_{number}") for number in range(12)))
    for name, story in stories.items():
        yield from _timers(LIFECYCLE, name, story.state)
        for kind in EVENTS:
            yield Row(f"{name}: {kind.kebab()}", story.state, load(kind), When(story.now, story.now))


def rows_of_refunds() -> Iterator[Row]:
    """A dozen open refunds of one payment, on the day and when nobody has done anything for a week."""
    asked = [RefundRequested(request_ref=f"web-{number}", amount_minor=100, payment_id="pay_1") for number in range(12)]
    paid = PaymentSucceeded(payment_id="pay_1", invoice_id="in_1", amount_minor=4900, currency="EUR")
    state = state_after(REFUNDS, STARTED, paid, *asked)
    heard = (
        paid.model_copy(update={"payment_id": "pay_2"}),
        RefundChased(),
        asked[0].model_copy(update={"request_ref": "web-12"}),
        STARTED,
    )
    for days in range(8):
        now = NOW + timedelta(days=days)
        name = f"12 open refunds, day {days}"
        yield from (Row(f"{name}: {event.kebab()}", state, event, When(now, now)) for event in heard)
        first = next(iter(state.refunds.values()))
        answer = CallAnswered("refund.create", first.attempt.waiting_for, {"id": "re_1", "status": "pending"})
        yield Row(f"{name}: the provider's answer", state, answer, When(now, now))
        yield from _timers(REFUNDS, name, state)
        for timer in sorted(each for each in REFUNDS.timers(state) if each.due_at <= now):
            state = state_after(REFUNDS, TimerDue(timer.name, timer.due_at), state=state, now=now)


def rows_of_notifier() -> Iterator[Row]:
    """Every fact, where a mail of every kind is still open."""
    facts = [load(kind).model_copy(update={"contact": PERSON}) for kind in MAILS if issubclass(kind, LifecycleFact)]
    told = [fact for fact in facts if isinstance(choose(fact), Tell)]
    state = state_after(NOTIFIER, *(fact.model_copy(update={"version": n}) for n, fact in enumerate(told, 1)))
    full = replace(state, closed=())
    name = f"{len(full.mails)} open mails"
    for fact in (*facts, *(load(kind) for kind in MAILS if not issubclass(kind, LifecycleFact))):
        news = fact.model_copy(update={"version": 1000} if isinstance(fact, LifecycleFact) else {})
        yield Row(f"{name}: {type(fact).kebab()}", full, news, When(NOW, NOW))
    yield from _timers(NOTIFIER, name, full)


def _timers(decider: Decider[Any], name: str, state: Any) -> Iterator[Row]:
    for timer in sorted(decider.timers(state)):
        yield Row(f"{name}: {timer.name}", state, TimerDue(timer.name, timer.due_at), When(timer.due_at, timer.due_at))


def words() -> list[Figure]:
    """Every mail of the golden examples, in English and in French, both parts each."""
    renderer = Renderer(NotifierPolicy())
    letters = []
    for kind in MAILS:
        fact = load(kind)
        if isinstance(tell := choose(fact), Tell):
            letters.append((tell.template, {"fact": kind.__name__, "data": fact.model_dump(mode="json")}))
    for locale in ("en", "fr"):  # compiled before it counts
        for template, context in letters:
            renderer.render(template, locale, context, "sub_1", "mail_1")

    def work() -> None:
        for locale in ("en", "fr"):
            for template, context in letters:
                renderer.render(template, locale, context, "sub_1", "mail_1")

    a_second = [2 * len(letters) / each * 1_000_000 for each in microseconds(work, 3)]
    return [at_least(f"mails rendered on a core, {len(letters)} kinds", "mails/s", a_second, MAILS_A_SECOND)]


async def measure(scale: Scale) -> list[Figure]:
    """The same at any scale: it takes less than a minute."""
    return [*decisions(), *words()]
