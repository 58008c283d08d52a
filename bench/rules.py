"""What the rules cost by themselves: a decision in the heaviest states that a service keeps, and a mail's words. No Kafka, no Postgres.

`python -m bench.rules` prints a table; it writes nothing.
"""

import gc
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any

from msgspec.structs import replace
from rich.console import Console

from bench.figures import Figure, as_table, at_most
from bench.machine import described
from offramp_schemas import Contact, Event
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.examples import load
from offramp_schemas.payment import PaymentFailed, PaymentSucceeded
from offramp_schemas.refund_request import RefundChased, RefundRequested
from services.lifecycle.decide import Lifecycle
from services.lifecycle.policy import Policy as LifecyclePolicy
from services.notifier.decide import Notifier
from services.notifier.mails import MAILS, Tell, choose
from services.notifier.policy import NotifierPolicy
from services.notifier.render import Renderer
from services.refunds.decide import Refunds
from services.refunds.policy import Policy as RefundsPolicy
from services.runtime.decision import Decider, Decision, When
from services.runtime.policies import single

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
ROUNDS, REPEATS, MOST_MICROSECONDS, MAILS_A_SECOND = 5, 2000, 20, 1000
PERSON = Contact(email="ada@example.org", name="Ada Lovelace")
STARTED = SubscriptionStarted(
    customer_id="cus_1", owner_id="usr_1", contact=PERSON, plan="pro", plan_name="Pro", price_minor=4900, currency="EUR",
    current_period_start=NOW, current_period_end=NOW + timedelta(days=30), country="DE", consumer=True,
)  # fmt: skip


def state_after(decider: Decider[Any], *events: Event) -> Any:
    """What the service knows once it has heard all that."""
    state: Any = None
    for event in events:
        outcome = decider.decide("sub_1", state, event, When(NOW, NOW))
        state = outcome.state if isinstance(outcome, Decision) else state
    return state


def microseconds(work: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Of processor time each, a round after the other; the collector of garbage rests meanwhile."""
    work()
    measured = []
    for _ in range(ROUNDS):
        gc.collect()
        gc.disable()
        begin = process_time()
        for _ in range(repeats):
            work()
        measured.append((process_time() - begin) / repeats * 1_000_000)
        gc.enable()
    return measured


def decision(what: str, decider: Decider[Any], state: Any, event: Event) -> tuple[Figure, Figure]:
    """One event, decided; and beside it the timers of what it leads to, which the shell asks for once a batch and entity."""
    outcome = decider.decide("sub_1", state, event, When(NOW, NOW))
    after = outcome.state if isinstance(outcome, Decision) else state
    decided = microseconds(lambda: decider.decide("sub_1", state, event, When(NOW, NOW)))
    return at_most(what, "µs", decided, MOST_MICROSECONDS), Figure("its timers", "µs", microseconds(lambda: decider.timers(after)))


def decisions() -> list[Figure]:
    """Of each service, in a state that is as heavy as one gets."""
    subscriptions, refunds = Lifecycle(single(LifecyclePolicy())), Refunds(single(RefundsPolicy()))
    notifier = Notifier(single(NotifierPolicy()))
    chased = state_after(subscriptions, STARTED, *(_failed(number) for number in range(12)))
    asked = [RefundRequested(request_ref=f"web-{number}", amount_minor=100, payment_id="pay_1") for number in range(12)]
    paid = PaymentSucceeded(payment_id="pay_1", invoice_id="in_1", amount_minor=4900, currency="EUR")
    many = state_after(refunds, STARTED, paid, *asked)
    told = [_told(kind) for kind in MAILS if issubclass(kind, lifecycle.LifecycleFact) and isinstance(choose(load(kind)), Tell)]
    full = state_after(notifier, *(fact.model_copy(update={"version": n}) for n, fact in enumerate(told, 1)))
    news = load(lifecycle.PaymentRecovered).model_copy(update={"version": 1000, "contact": PERSON})
    measured = [
        decision("lifecycle: a failed retry, 12 unpaid invoices", subscriptions, chased, _failed(5, attempt=2)),
        decision("lifecycle: a renewal's picture, active", subscriptions, state_after(subscriptions, STARTED), STARTED),
        decision("refunds: a payment, 12 open refunds", refunds, many, paid.model_copy(update={"payment_id": "pay_2"})),
        decision("refunds: where is it?, 12 open refunds", refunds, many, RefundChased()),
        decision(f"notifier: a recovery, {len(full.mails)} open mails", notifier, replace(full, closed=()), news),
    ]
    return [figure for pair in measured for figure in pair]


def _failed(number: int, attempt: int = 1) -> PaymentFailed:
    return PaymentFailed(
        payment_id=f"pay_{number}", invoice_id=f"in_{number}", amount_minor=4900, currency="EUR", decline_code="card_declined",
        kind="soft", attempt=attempt,
    )  # fmt: skip


def _told(kind: type[Any]) -> Any:
    return load(kind).model_copy(update={"contact": PERSON})


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

    a_second = [2 * len(letters) / each * 1_000_000 for each in microseconds(work, 10)]
    least = f"at least {MAILS_A_SECOND:,}/s"
    return [Figure(f"mails rendered on a core, {len(letters)} kinds", "/s", a_second, least, [MAILS_A_SECOND] * ROUNDS, ">= 1")]


def main() -> int:
    """Measures and prints; 1 where something is slower than it should be."""
    figures = [*decisions(), *words()]
    console = Console(width=140)
    console.print(as_table(figures))
    console.print(described())
    return 1 if any(figure.kept is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
