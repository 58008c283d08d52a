"""Random stories, each step a sentence: what customers, billing, staff, the provider and the mail server do, and how time goes by."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, get_args

from hypothesis import strategies as st
from pydantic import BaseModel

from offramp_schemas.account import PersonErased, PriceChange
from offramp_schemas.activity import ActivityResumed, InactivityDetected
from offramp_schemas.email_feedback import EmailBounced, EmailComplained, Unsubscribed
from offramp_schemas.refund_request import (
    RefundAppealed,
    RefundChased,
    RefundDecided,
    RefundRequested,
    RefundRetried,
    RefundSettledManually,
)
from offramp_schemas.request import (
    CancellationRequested,
    CancellationWithdrawn,
    FeedbackSubmitted,
    PauseRequested,
    ReactivationRequested,
    Requester,
    ResumeRequested,
    RetentionOfferAnswered,
)
from services.lifecycle.policy import DataRules, DunningRules, InactivityRules, PauseRules, RefundRules
from services.lifecycle.policy import Policy as LifecyclePolicy
from services.notifier.policy import NotifierPolicy
from services.refunds.policy import Policy as RefundsPolicy
from tests.domain.billing import OWNER, Plan
from tests.domain.outside import DAY, BankMood, Broken, ProviderMood, ServerMood
from tests.domain.world import Rules, World

HOUR = timedelta(hours=1)
USUAL = Rules(LifecyclePolicy(refunds=RefundRules(remind_every=8 * DAY)))  # hourly would fill the stories with alarms


@dataclass(frozen=True)
class Step:
    """One sentence of a story, and what it does."""

    sentence: str
    act: Callable[[World], Any] = field(compare=False)

    def __repr__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Story:
    """What is told, of which plan, under which rules. `order`: who reads what first."""

    plan: Plan
    rules: Rules
    order: int
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        numbers = "; ".join(_changed(self.rules, USUAL))
        lines = [f"Given {self.plan!r}{f' ({numbers})' if numbers else ''}", *(f"  {step}" for step in self.steps)]
        return "\n".join(lines)

    def play(self) -> World:
        """Tells it. Raises Broken where a law does not hold."""
        try:
            world = World(self.plan, self.rules, self.order)
            for step in self.steps:
                step.act(world)
                world.settle()
        except Broken as broken:
            raise Broken(f"{broken}\n{self!r}") from None
        return world


def _changed(ours: Any, usual: Any, name: str = "") -> list[str]:
    """The numbers that are not the usual ones."""
    if isinstance(ours, BaseModel | Rules):
        fields = dict(ours) if isinstance(ours, BaseModel) else ours._asdict()
        return [text for each, value in fields.items() for text in _changed(value, getattr(usual, each), f"{name}.{each}".strip("."))]
    said = ", ".join(map(str, ours)) if isinstance(ours, tuple) else ours
    return [] if ours == usual else [f"{name}: {said}"]


def _new(world: World, kind: str) -> str:
    """A reference that nobody has used."""
    world.references += 1
    return f"{kind}-{world.references}"


def _says(event: Callable[[World], Any], late: timedelta = timedelta()) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.lagging = late
        world.say(event(world))
        world.settle()
        world.lagging = timedelta()

    return act


def _step(sentence: str, event: Callable[[World], Any]) -> Step:
    return Step(sentence, _says(event))


ME = Requester(user_id=OWNER)
STRANGER = Requester(user_id="usr_mallory", name="Mallory")
REASONS = st.sampled_from([(), ("too_expensive",), ("unused",), ("technical_issues",), ("missing_features", "other")])


def _cancels(mode: Any, refund: bool, keep: bool, codes: Any, who: Requester) -> Step:
    when = "at once" if mode == "immediately" else "at the end of the period"
    wishes = (
        f"{', wants the money back' if refund else ''}{', wants the data kept' if keep else ''}{f', because {codes[0]}' if codes else ''}"
    )
    return _step(
        f"{'the owner' if who is ME else 'a stranger'} cancels {when}{wishes}",
        lambda world: CancellationRequested(
            reference=_new(world, "CAN"), requested_by=who, mode=mode, wants_refund=refund, keep_data=keep, feedback=codes
        ),
    )


def _pauses(days: int, keep: bool) -> Step:
    return _step(
        f"the owner pauses for {days} days{', wants the data kept' if keep else ''}",
        lambda world: PauseRequested(reference=_new(world, "PAU"), requested_by=ME, days=days, keep_data=keep),
    )


def _wants_money(part: int | None) -> Step:
    return _step(
        f"the customer asks for {'all of the money' if part is None else f'{part} cents'} back",
        lambda world: RefundRequested(request_ref=_new(world, "web"), amount_minor=part),
    )


def _decides(who: str, decision: Any) -> Step:
    return _step(f"{who} says: {decision}", lambda _: RefundDecided(decision=decision, decided_by=who))


def _hears_nothing(days: int) -> Step:
    return _step(
        f"nobody has used it for {days} days",
        lambda world: InactivityDetected(last_seen_at=world.now - days * DAY, inactive_days=days),
    )


def _bounces(world: World) -> Any:
    taken = world.mail_server.taken
    return EmailBounced(message_id=taken[-1]["message_id"] if taken else "<none@example.com>", kind="hard")


def _complains(world: World) -> Any:
    taken = world.mail_server.taken
    return EmailComplained(message_id=taken[-1]["message_id"] if taken else "<none@example.com>")


def _dearer(world: World) -> None:
    end = world.billing.period_end
    if end and end > world.now:
        world.billing.pictures(price_change=PriceChange(price_minor=world.billing.price + 1000, currency="EUR", effective_at=end))


def _bank(mood: BankMood) -> Step:
    return Step(f"from now on the bank {mood}", lambda world: setattr(world.billing, "mood", mood))


def _charged(mood: BankMood, again: bool) -> Step:
    def act(world: World) -> None:
        world.billing.mood = mood
        for invoice in world.billing.unpaid if again else (None,):
            world.billing.charge(invoice)

    what = "tries the unpaid invoices again" if again else "charges for something else"
    return Step(f"billing {what}, and the bank {mood}", act)


def _provider(mood: ProviderMood) -> Step:
    return Step(f"from now on the provider {mood}", lambda world: setattr(world.provider, "mood", mood))


def _server(mood: ServerMood) -> Step:
    return Step(f"from now on the mail server {mood}", lambda world: setattr(world.mail_server, "mood", mood))


def _down(service: str) -> Step:
    return Step(f"{service} goes down", lambda world: world.goes_down(service))


def _by_hand(world: World) -> None:
    for payment in list(world.provider.captured)[-1:]:
        world.provider.by_hand(payment)


SAYS = [
    _step("the owner stays after all", lambda w: CancellationWithdrawn(reference=_new(w, "WDR"), requested_by=ME)),
    _step("the owner resumes", lambda w: ResumeRequested(reference=_new(w, "RES"), requested_by=ME)),
    _step("the owner wants to return", lambda w: ReactivationRequested(reference=_new(w, "REA"), requested_by=ME)),
    _step("the owner accepts the offer", lambda w: RetentionOfferAnswered(reference=_new(w, "ANS"), requested_by=ME, answer="accepted")),
    _step("the owner declines the offer", lambda w: RetentionOfferAnswered(reference=_new(w, "ANS"), requested_by=ME, answer="declined")),
    _step("the owner says why", lambda _: FeedbackSubmitted(feedback=("technical_issues",), comment="It crashes.")),
    _step("the owner unsubscribes", lambda _: Unsubscribed()),
    _step("the owner asks to be forgotten", lambda _: PersonErased()),
    _step("the owner is back at work", lambda world: ActivityResumed(last_seen_at=world.now)),
    _step("the customer asks where the refund is", lambda _: RefundChased()),
    _step("the customer appeals", lambda _: RefundAppealed()),
    _step("ops send the refund once more", lambda _: RefundRetried(decided_by="usr_ops")),
    _step("ops pay it back another way", lambda _: RefundSettledManually(decided_by="usr_ops", settlement_ref="SEPA-1")),
    _step("the last mail bounces", _bounces),
    _step("the last mail is called spam", _complains),
]
DOES = [
    Step("the owner gives another card", lambda world: world.billing.replaces_card()),
    Step("the price will rise", _dearer),
    Step("the customer takes back the consent to marketing", lambda w: w.billing.pictures(marketing_consent=False)),
    Step("the data's owner deletes nothing any more", lambda world: setattr(world.billing, "deletes_data", False)),
    Step("somebody refunds by hand at the provider", _by_hand),
    Step("the provider's bank has the money", lambda world: world.provider.moves("succeeded")),
    Step("the provider's bank sends it back", lambda world: world.provider.moves("failed")),
    Step("webhooks get lost", lambda world: setattr(world, "webhooks", False)),
    Step("everybody is up again", World.awake),
]
TIMES = {
    "five minutes": HOUR / 12, "an hour": HOUR, "a day": DAY, "three days": 3 * DAY, "eight days": 8 * DAY, "14 days": 14 * DAY,
    "a month": 31 * DAY, "three months": 92 * DAY, "a year": 366 * DAY,
}  # fmt: skip


def _passes(name: str) -> Step:
    return Step(f"{name} {'pass' if name[-1] == 's' else 'passes'}", lambda world: world.passes(TIMES[name]))


SOON = st.sampled_from(list(TIMES)[:6]).map(_passes)
WEEKS = st.sampled_from(["a day", "eight days", "14 days", "a month"]).map(_passes)
PASSES = st.sampled_from([*TIMES, *list(TIMES)[:6]]).map(_passes)
CANCELS = st.builds(
    _cancels,
    st.sampled_from(["at_period_end", "immediately"]),
    st.booleans(),
    st.booleans(),
    REASONS,
    st.sampled_from([ME, ME, ME, STRANGER]),
)
PAUSES = st.builds(_pauses, st.sampled_from([1, 30, 365, 400]), st.booleans())
MONEY = st.sampled_from([None, 1000, 4900]).map(_wants_money)
STAFF = st.builds(_decides, st.sampled_from(["Rosa", "Samir"]), st.sampled_from(["approve", "reject"]))
UNUSED = st.sampled_from([10, 70, 120]).map(_hears_nothing)
CHARGES = st.builds(_charged, st.sampled_from(get_args(BankMood)), st.booleans())
BANK = st.sampled_from(get_args(BankMood)).map(_bank)
PROVIDER = st.sampled_from(get_args(ProviderMood)).map(_provider)
SERVER = st.sampled_from(get_args(ServerMood)).map(_server)
DOWN = st.sampled_from(["lifecycle", "refunds", "notifier"]).map(_down)


def saying(*words: str) -> st.SearchStrategy[Step]:
    """Those sentences of fixed words that have one of these."""
    return st.sampled_from([step for step in (*SAYS, *DOES) if any(word in step.sentence for word in words)])


STEPS: st.SearchStrategy[Step] = st.one_of(
    PASSES,
    CANCELS,
    *[st.sampled_from(SAYS)] * 4,  # of so many sentences none would be said otherwise
    PASSES,
    *[st.sampled_from(DOES)] * 2,
    st.one_of(BANK, CHARGES),
    st.one_of(PAUSES, MONEY, STAFF, UNUSED),
    st.one_of(PROVIDER, SERVER, DOWN),
)
PLANS = st.builds(
    Plan,
    price_minor=st.sampled_from([4900, 30_000, 150_000, 0]),
    interval=st.sampled_from(["month", "year"]),
    trial_days=st.sampled_from([0, 0, 14]),
    country=st.sampled_from(["DE", "US"]),
    consumer=st.booleans(),
    consent=st.booleans(),
    card=st.sampled_from([None, True, False]),
)
RULES = st.builds(
    Rules,
    st.builds(
        LifecyclePolicy,
        dunning=st.sampled_from([DunningRules(), DunningRules(steps=(2 * HOUR,), settle_margin=HOUR)]),
        inactivity=st.sampled_from([InactivityRules(), InactivityRules(warn_after=5 * DAY, deactivate_after=9 * DAY)]),
        pause=st.sampled_from([PauseRules(), PauseRules(removes_card=True, card_within=2 * DAY)]),
        refunds=st.just(USUAL.lifecycle.refunds),
        data=st.sampled_from([DataRules(), DataRules(grace=2 * DAY, retained=40 * DAY)]),
        plans=st.sampled_from([{}, {"pro": {"dunning": {"steps": ["6h", "2d"]}, "pause": {"once_per": "100d"}}}]),
        countries=st.sampled_from([{}, {"US": {"data": {"grace": "3d"}, "pause": {"once_per": {"at_most": "60d"}}}}]),
    ),
    st.builds(
        RefundsPolicy,
        approve_up_to=st.sampled_from([{"EUR": 20_000}, {"EUR": 0}]),
        guarantee_window=st.sampled_from([30 * DAY, 5 * DAY]),
        countries=st.sampled_from([{}, {"US": {"guarantee_window": {"at_least": "20d"}, "country": "US"}}]),
    ),
    st.builds(NotifierPolicy, hold_status=st.sampled_from([HOUR / 20, 2 * HOUR])),
)


# Chance alone seldom tells of somebody who leaves, has second thoughts and is still in time: these beginnings lead there.
ARCS = st.one_of(
    st.tuples(CANCELS, SOON, saying("stays", "accepts", "declines", "says why")),
    st.tuples(CANCELS, SOON, saying("return"), SOON, saying("another card", "return")),
    st.tuples(PAUSES, PASSES, saying("resumes", "another card", "return")),
    st.tuples(CHARGES, SOON, CHARGES, SOON),
    st.tuples(UNUSED, SOON, saying("at work", "forgotten"), PASSES),
    st.tuples(MONEY, SOON, STAFF, SOON, saying("appeals", "where"), STAFF),
    st.tuples(PROVIDER, MONEY, SOON, saying("sends it back", "has the money", "by hand"), SOON, saying("once more", "another way")),
    st.tuples(saying("bounces", "spam", "unsubscribes"), SOON, CANCELS),
)
CHAPTERS = st.one_of(st.lists(STEPS, max_size=8), ARCS.map(list))


@st.composite
def stories(draw: st.DrawFn, chapters: st.SearchStrategy[list[Step]] = CHAPTERS) -> Story:
    """Of some chapters, each of some sentences: a list of lists is longer than a list, and as easily made shorter."""
    told = draw(st.lists(chapters, max_size=5))
    return Story(draw(PLANS), draw(RULES), draw(st.integers(0, 10)), tuple(step for chapter in told for step in chapter))
