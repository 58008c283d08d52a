"""The three services and the world around them, in memory: what one of them tells is read by whoever reads its topic, in some order.

Time goes from one thing that is due to the next. Nothing here decides: the rules do, and `laws.py` watches.
"""

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from offramp_schemas import TOPIC_OF, Envelope, Event, encode
from offramp_schemas.payment import PaymentSucceeded
from offramp_schemas.refund_provider import ProviderRefundUpdated
from services.lifecycle.decide import Lifecycle
from services.lifecycle.policy import Policy as LifecyclePolicy
from services.notifier.decide import Notifier
from services.notifier.policy import NotifierPolicy
from services.refunds.decide import Refunds
from services.refunds.policy import Policy as RefundsPolicy
from services.runtime.policies import single
from services.runtime.records import Record
from tests.domain.billing import Billing, Plan
from tests.domain.bus import Asked, Happened, Room, event_of
from tests.domain.laws import Laws
from tests.domain.outside import MailServer, Provider, must

BEGIN = datetime(2026, 3, 2, 10, tzinfo=UTC)  # a Monday
SUB = "sub_1"
MOST = 300  # things that may happen at one moment: more is a conversation without end


class Rules(NamedTuple):
    """The three policies."""

    lifecycle: LifecyclePolicy = LifecyclePolicy()
    refunds: RefundsPolicy = RefundsPolicy()
    notifier: NotifierPolicy = NotifierPolicy()

    def of(self, plan: str, country: str) -> "Rules":
        """As they hold for one customer."""
        return Rules(self.lifecycle.of(plan, country), self.refunds.of(plan, country), self.notifier)


class World:
    """One subscription, and everybody who has to do with it. `order` chooses which topic a service reads next, when it has a choice."""

    def __init__(self, plan: Plan, rules: Rules, order: int = 0) -> None:
        self.now = BEGIN
        self.rules, self.order = rules.of("pro", plan.country), order
        deciders = (
            ("lifecycle", Lifecycle(single(rules.lifecycle))),
            ("refunds", Refunds(single(rules.refunds))),
            ("notifier", Notifier(single(rules.notifier))),
        )
        self.rooms = {name: Room(name, decider, self.now) for name, decider in deciders}
        self.provider, self.mail_server = Provider(), MailServer()
        self.webhooks, self.somebody_was_down = True, False
        self.references = 0  # minted so far
        self.lagging = timedelta()  # how old an event is when it is published
        self.laws = Laws(self)
        self._ids = itertools.count(1)
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._calls: list[tuple[Room, Asked]] = []
        self.billing = Billing(plan, self.now, self.say, self.later)
        self.settle()

    def say(self, event: Event) -> None:
        """Somebody publishes something."""
        self._deliver(Envelope(f"ev_{next(self._ids)}", "//outside", self.now - self.lagging, SUB, event))
        if isinstance(event, PaymentSucceeded):
            self.provider.captured[event.payment_id] = event.amount_minor

    def later(self, delay: timedelta, do: Callable[[], None]) -> None:
        """Something happens outside, after a while."""
        heapq.heappush(self._agenda, (self.now + delay, next(self._ids), do))

    def settle(self) -> None:
        """Everything is read and answered, by whoever is not down, until nobody has anything to say."""
        happenings = 0
        while self._one_is_read() or self._one_is_answered() or self._webhook():
            happenings += 1
            must(happenings < MOST, "the services don't talk to each other without end")
        self.laws.at_rest()

    def passes(self, time: timedelta) -> None:
        """Time goes by; what falls due happens when it does."""
        until = self.now + time
        while (due := self._next_due()) and due <= until:
            self._at(max(due, self.now))
            while self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
            self.settle()
            for room in self.rooms.values():
                for entity_id in sorted({entity_id for at, entity_id in room.wakes() if at <= self.now}):
                    self._happened(room, room.wake(entity_id))
            self.settle()
        self._at(until)
        self.settle()

    def goes_down(self, service: str) -> None:
        """What is said to it waits; what it was to do does, too."""
        self.rooms[service].down = self.somebody_was_down = True

    def awake(self) -> None:
        """Nobody is down any longer, and what has waited is dealt with."""
        for room in self.rooms.values():
            room.down = False
        self.settle()
        self.passes(timedelta())

    def _at(self, moment: datetime) -> None:
        self.now = self.billing.now = moment
        for room in self.rooms.values():
            room.fold.now = moment

    def _next_due(self) -> datetime | None:
        wakes = [at for room in self.rooms.values() for at, _ in room.wakes()]
        return min([*wakes, *(at for at, _, _ in self._agenda[:1])], default=None)

    def _deliver(self, envelope: Envelope) -> None:
        key, value, headers = encode(envelope)
        self._append(Record(TOPIC_OF[type(envelope.data)].name, 0, 0, key, value, headers, self.now))

    def _append(self, record: Record) -> None:
        for room in self.rooms.values():
            if record.topic in room.inboxes:
                room.inboxes[record.topic].append(record)

    def _one_is_read(self) -> bool:
        choices = [(room, topic) for room in self.rooms.values() for topic in room.unread()]
        if not choices:
            return False
        self.order = self.order * 31 // 7 % 10_007
        room, topic = choices[self.order % len(choices)]
        if happened := room.read(topic):
            self._happened(room, happened)
        return True

    def _happened(self, room: Room, happened: Happened) -> None:
        self._calls += [(room, asked) for asked in happened.asked]
        for record in happened.told:
            self._append(record)
        told = [event_of(record) for record in happened.told]
        self.laws.happened(happened, told)
        for event in told:
            self.billing.hears(event)

    def _one_is_answered(self) -> bool:
        mine = next((n for n, (room, _) in enumerate(self._calls) if not room.down), None)
        if mine is None:
            return False
        room, asked = self._calls.pop(mine)
        answer = self.mail_server.answer(asked.call) if room.name == "notifier" else self.provider.answer(asked.call, self.now)
        self._happened(room, room.answer(asked, *answer))
        return True

    def _webhook(self) -> bool:
        news, self.provider.news = self.provider.news, []
        for refund in news if self.webhooks else ():
            known = {"refund_id": refund["metadata"]["refund_id"]} if refund["metadata"] else {}
            word = ProviderRefundUpdated(
                provider_refund_id=refund["id"], provider_payment_id=refund["payment"], provider_event_id=f"evt_{next(self._ids)}", **known
            )
            self.say(word)
        return bool(news) and self.webhooks
