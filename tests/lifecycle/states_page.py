"""`docs/states.md`: how a subscription in each state answers each event and timer. Nobody writes it by hand: the rules are asked.

`python -m tests.lifecycle.states_page` writes it anew; `--check` fails when it is stale.
Asked are the subscriptions of `states.py`, with the events below and the contract's examples, on time and a hundred days late.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from offramp_schemas import Event, examples
from services.lifecycle.decide import EVENTS, TIMERS
from services.lifecycle.states import Subscription
from services.runtime.decision import Decision, Ignored, Input, NotSeenYet, Outcome, TimerDue, When
from tests.lifecycle import given
from tests.lifecycle.given import DAY, LIFECYCLE, NOW, PERIOD_END, STRANGER
from tests.lifecycle.states import STORIES

PAGE = Path(__file__).parent.parent.parent / "docs" / "states.md"
STATES = ("trialing", "active", "past_due", "non_renewing", "paused", "ended")
SAYS_WHICH = ("rule", "end_reason", "purpose", "kind", "cause")  # the field of a fact that tells its cases apart
INTRODUCTION = """\
# States and events

How a subscription in each state answers whatever it may hear. `python -m tests.lifecycle.states_page` asks the rules and writes this page,
so it says what they do. The words beside an event or a timer are those of its rule in `services/lifecycle/`.

- → the state it leads to
- `in code`: what the world is told
- *noted*: what is known of the subscription changes, and no more
- *nothing*: and why

`paused` and `ended` carry a data stage, which decides what is possible: grace → retained (if asked for) → deletion due → deleted.
"""
VARIANTS: tuple[Event, ...] = (
    given.cancellation("CAN-5"),
    given.cancellation("CAN-6", mode="immediately"),
    given.cancellation("CAN-7", mode="immediately", wants_refund=True),
    given.cancellation("CAN-8", by=STRANGER),
    given.cancellation("CAN-9", keep_data=True, feedback=("unused",)),
    given.withdrawal("WDR-5"),
    given.withdrawal("WDR-6", by=STRANGER),
    given.answer("accepted", "ANS-5"),
    given.answer("declined", "ANS-6"),
    given.feedback("technical_issues"),
    given.pause("PAU-5"),
    given.pause("PAU-6", days=400),
    given.pause("PAU-7", by=STRANGER),
    given.resume("RES-5"),
    given.resume("RES-6", by=STRANGER),
    given.reactivation("REA-5"),
    given.reactivation("REA-6", by=STRANGER),
    given.failure(),
    given.failure("in_9", kind="hard"),
    given.payment(),
    given.payment("in_9", "pay_8", NOW, PERIOD_END),
    given.payment("in_9", "pay_9", PERIOD_END, PERIOD_END + 30 * DAY),
    given.new_card(),
    given.changed(),
    given.changed(payment_method_on_file=True),
    given.renewed(payment_id="pay_8"),
    given.refund_received("CAN-1"),
    given.refund_rejected("CAN-1"),
    given.nothing_to_refund("CAN-1"),
    given.refund_approved(),
    given.used(NOW),
    given.data_deleted(),
    given.erased(),
)


@cache
def subscriptions() -> Mapping[str, list[tuple[Subscription, When]]]:
    """Those of every state, as they are when their story is told."""
    found: dict[str, list[tuple[Subscription, When]]] = {name: [] for name in STATES}
    for tell in STORIES.values():
        story = tell()
        found[story.name].append((story.state, When(story.now, story.now)))
    return found


def events(kind: type[Event]) -> tuple[Event, ...]:
    """What is asked about one kind of event."""
    return (*(each for each in VARIANTS if type(each) is kind), examples.load(kind))


def page() -> str:
    """The whole of it."""
    return "\n".join([INTRODUCTION, *_matrix(), *_events(), *_timers()])


def answers(state: str, kind: type[Event]) -> list[str]:
    """Every way in which a subscription in that state answers such an event, each once."""
    said = {
        _said(entity, _ask(entity, event, When(when.now, when.now - late * DAY)))
        for entity, when in subscriptions()[state]
        for event in events(kind)
        for late in (0, 100)
    }
    return _in_order(said)


def _in_order(said: Iterable[str]) -> list[str]:
    """Where it leads, what is told, what happens not."""
    return sorted(said, key=lambda each: ("→`*".index(each[0]), each))


def _ask(entity: Subscription, event: Input, when: When) -> Outcome[Subscription]:
    return LIFECYCLE.decide("sub_1", entity, event, when)


def _said(before: Subscription, outcome: Outcome[Subscription]) -> str:
    if isinstance(outcome, Ignored):
        return f"*nothing: {outcome.reason}*"
    if isinstance(outcome, NotSeenYet):
        return f"*waits for the {outcome.waits_for.partition(':')[0]}*"
    if not isinstance(outcome, Decision):
        raise TypeError(f"the page has no words for {type(outcome).__name__}")
    after = LIFECYCLE.name(outcome.state)
    told = ", ".join(f"`{_name(event)}`" for event in outcome.events)
    arrow = f"→ **{after}**" if after != LIFECYCLE.name(before) else ""
    return f"{arrow} {told}".strip() or ("*noted*" if outcome.state != before else "*nothing new*")


def _name(event: Event) -> str:
    which = next((getattr(event, field) for field in SAYS_WHICH if hasattr(event, field)), None)
    return f"{type(event).__name__}({which})" if which else type(event).__name__


def _matrix() -> Iterator[str]:
    yield "## At a glance\n\nWhere it may lead; else whether the world is told, or something is noted.\n"
    yield from _table(("event", *STATES), ((_link(kind), *(_glance(answers(state, kind)) for state in STATES)) for kind in EVENTS))
    yield ""


def _glance(said: Iterable[str]) -> str:
    said = list(said)
    if leads := sorted({each.split("**")[1] for each in said if each.startswith("→")}):
        return "→ " + ", ".join(leads)
    if any(each.startswith("`") for each in said):
        return "told"
    if "*noted*" in said:
        return "noted"
    return "waits" if any(each.startswith("*waits") for each in said) else "nothing"


def _link(kind: type[Event]) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def _events() -> Iterator[str]:
    for kind, rule in EVENTS.items():
        yield f"## {kind.__name__}\n\n{_words(rule)}\n"
        yield from _table(("state", "what happens"), ((state, "<br>".join(answers(state, kind))) for state in STATES))
        yield ""


def _timers() -> Iterator[str]:
    """Those that take something away wait until every input has been read past their moment."""
    yield "## Timers\n\nWhat takes something away (⏳) waits until every input has been read past its moment.\n"
    rows = []
    for name, rule in TIMERS.items():
        fired = _fired(name)
        guarded = " ⏳" if any(takes_away for _, takes_away, _ in fired) else ""
        states = ", ".join(sorted({state for state, _, _ in fired}, key=STATES.index))
        rows.append((f"{name}{guarded}", states, _words(rule), "<br>".join(_in_order({said for _, _, said in fired}))))
    yield from _table(("timer", "in", "", "what happens"), rows)
    yield ""


def _fired(name: str) -> list[tuple[str, bool, str]]:
    """Every such timer of every subscription: the state, whether it takes away, what happens on time and a hundred days late."""
    return [
        (state, timer.takes_away, _said(entity, _ask(entity, TimerDue(timer.name, timer.due_at), When(timer.due_at + late, timer.due_at))))
        for state in STATES
        for entity, _ in subscriptions()[state]
        for timer in LIFECYCLE.timers(entity)
        if name in (timer.name, "" if timer.name in TIMERS else timer.name.partition(":")[0])
        for late in (0 * DAY, 100 * DAY)
    ]


def _words(rule: object) -> str:
    """The first paragraph of the rule's own docstring."""
    return " ".join((rule.__doc__ or "").partition("\n\n")[0].split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def main() -> str | None:
    """What is wrong, when it was only to be checked."""
    wanted = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        return "docs/states.md is stale. `python -m tests.lifecycle.states_page` writes it anew."
    return None


if __name__ == "__main__":
    sys.exit(main())
