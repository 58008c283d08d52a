"""What the notifier's tests begin with: the contract's golden examples, a policy, and a shell in miniature."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from offramp_schemas import Event, FollowUp
from offramp_schemas.examples import load
from offramp_schemas.topics import LIFECYCLE_EVENTS, REFUND_EVENTS
from services.notifier.decide import Notifier
from services.notifier.policy import NotifierPolicy
from services.notifier.states import Correspondence, Letters, Mail
from services.runtime.decision import Call, CallAnswered, Decision, Ignored, Input, TimerDue, When
from services.runtime.policies import single

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SUBSCRIPTION = "sub_1"
POLICY = NotifierPolicy()
NOTIFIER = Notifier(single(POLICY))
FACTS = [kind for kind in (*LIFECYCLE_EVENTS.events, *REFUND_EVENTS.events) if issubclass(kind, FollowUp)]
"""Every follow-up that the notifier reads about."""

E = TypeVar("E", bound=Event)


def example(kind: type[E], /, **changes: Any) -> E:
    """The golden example of an event, with some fields changed."""
    return load(kind).model_copy(update=changes)


@dataclass
class Desk:
    """One entity of the notifier, without database and Kafka. Proof of order: `version` of facts rises as they are heard."""

    entity_id: str = SUBSCRIPTION
    now: datetime = NOW
    state: Letters | None = None
    events: list[Event] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def hear(self, event: Input, at: datetime | None = None) -> Decision[Letters] | Ignored:
        """Decides it now, whenever it happened, and keeps what came of it."""
        outcome = NOTIFIER.decide(self.entity_id, self.state, event, When(self.now, at or self.now))
        if isinstance(outcome, Decision):
            self.state = outcome.state
            self.events += outcome.events
            asked = {call.key for call in self.calls}
            self.calls += [call for call in outcome.calls if call.key not in asked]  # as the shell: the same key is never asked twice
        assert isinstance(outcome, Decision | Ignored)
        return outcome

    def answer(self, call: Call, answer: dict[str, Any] | None = None, trouble: str | None = None) -> Decision[Letters] | Ignored:
        """The mail server answers a call; without an answer or trouble: it accepts the mail."""
        accepted = {"accepted": True, "rendered": "Subject: Hello"}
        return self.hear(CallAnswered(call.kind, call.key, answer or (None if trouble else accepted), trouble))

    def wait(self, until: timedelta) -> None:
        """Time goes by, and every timer that comes due fires in order."""
        end = self.now + until
        while self.state is not None and (due := [each for each in NOTIFIER.timers(self.state) if each.due_at <= end]):
            timer = min(due, key=lambda each: (each.due_at, each.name))
            self.now = max(self.now, timer.due_at)
            self.hear(TimerDue(timer.name, timer.due_at))
            assert timer not in NOTIFIER.timers(self.state)
        self.now = end

    @property
    def mails(self) -> tuple[Mail, ...]:
        """Open and closed ones, as the tables would show them."""
        return (*self.state.closed, *self.state.mails) if self.state else ()

    def mail(self, template: str) -> Mail:
        """The newest mail of that template."""
        return [each for each in self.mails if each.template == template][-1]

    def heard(self, kind: type[E]) -> list[E]:
        """What was told, of one kind."""
        return [each for each in self.events if isinstance(each, kind)]

    @property
    def facts(self) -> Correspondence:
        """The state, when it is a correspondence."""
        assert isinstance(self.state, Correspondence)
        return self.state
