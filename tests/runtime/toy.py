"""A toy service for the shell's tests: it counts failed payments, so that every guarantee can be seen in one number."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from offramp_schemas import Contact, Envelope, Event, FollowUp, encode
from offramp_schemas.account import DataDeleted, SubscriptionStarted
from offramp_schemas.activity import ActivityResumed, InactivityDetected
from offramp_schemas.lifecycle_events import PaymentPastDue, RenewalMissing
from offramp_schemas.payment import PaymentFailed, PaymentMethodUpdated, PaymentSucceeded
from services.runtime.decision import Call, CallAnswered, Decision, Ignored, Input, NotSeenYet, Outcome, Refused, Timer, TimerDue, When
from services.runtime.records import Record
from services.runtime.stored import LOCKED, Connection, Entity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLE = """
create table purses(id text primary key, version bigint not null, failed int not null check(failed < 1000), wake_at timestamptz,
  guarded_wake_at timestamptz, details jsonb not null)
"""
CONTACT = Contact(email="ada@example.com", name="Ada")


class Purse(msgspec.Struct, frozen=True):
    """How many payments failed, when it wakes, what its calls answered."""

    failed: int = 0
    alarms: tuple[tuple[str, datetime, bool], ...] = ()
    fired: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    broken_timer: bool = False


class Toy:
    """Rules that show what the shell does with each kind of answer."""

    def route(self, event: Event, subject: str) -> tuple[str, ...]:
        return () if isinstance(event, DataDeleted) else (subject,)

    def supplies(self, event: Event) -> frozenset[str]:
        match event:
            case SubscriptionStarted():
                return frozenset({"purse"})
            case PaymentFailed():
                return frozenset({"failure"})
        return frozenset()

    def decide(  # noqa: C901, PLR0911, PLR0912 -- a table of the shell's cases, one row each
        self, entity_id: str, state: Purse | None, event: Input, when: When
    ) -> Outcome[Purse]:
        if isinstance(event, SubscriptionStarted):
            return Decision(state or Purse())
        if state is None:
            return NotSeenYet("purse")
        match event:
            case PaymentFailed():
                fact = PaymentPastDue(
                    contact=CONTACT, plan_name="Pro", payment_id=event.payment_id, invoice_id=event.invoice_id,
                    amount_minor=event.amount_minor, currency=event.currency, kind=event.kind, gives_up_at=when.now,
                )  # fmt: skip
                return Decision(msgspec.structs.replace(state, failed=state.failed + event.attempt), (fact,))
            case PaymentMethodUpdated(card_brand="after a failure") if not state.failed:
                return NotSeenYet("failure")
            case PaymentMethodUpdated(card_brand="after a failure"):
                return Decision(state)
            case PaymentMethodUpdated(card_brand="bug"):
                raise ZeroDivisionError
            case PaymentMethodUpdated(card_brand="wrong"):
                return Refused("not_allowed", "no")
            case PaymentMethodUpdated(card_brand="call"):
                return Decision(state, (), (Call("bank", f"ask:{entity_id}:{when.at.isoformat()}", {"who": entity_id}),))
            case PaymentMethodUpdated(card_brand="break"):
                return Decision(msgspec.structs.replace(state, broken_timer=True))
            case PaymentSucceeded():
                return Ignored("nothing to do")
            case InactivityDetected():
                return Decision(msgspec.structs.replace(state, alarms=(*state.alarms, ("take", event.last_seen_at, True))))
            case ActivityResumed() if event.last_seen_at.second == 13:
                return Decision(msgspec.structs.replace(state, alarms=(("burst", event.last_seen_at, False),)))
            case ActivityResumed():
                return Decision(msgspec.structs.replace(state, alarms=(*state.alarms, ("tell", event.last_seen_at, False))))
            case TimerDue("burst") | CallAnswered(answer={"burst": True}):
                return Decision(msgspec.structs.replace(state, failed=5000, alarms=()))
            case TimerDue("tell" | "take", due_at) if not state.broken_timer:
                alarms = tuple(alarm for alarm in state.alarms if alarm[:2] != (event.name, due_at))
                rung = msgspec.structs.replace(state, alarms=alarms, fired=(*state.fired, event.name))
                return Decision(rung, (RenewalMissing(contact=CONTACT, plan_name="Pro", period_end=due_at),))
            case TimerDue():
                return Decision(state)
            case CallAnswered():
                return Decision(msgspec.structs.replace(state, answers=(*state.answers, event.trouble or "answered")))
        raise TypeError(f"no rule for {event}")

    def timers(self, state: Purse) -> frozenset[Timer]:
        return frozenset(Timer(name, due_at, takes_away) for name, due_at, takes_away in state.alarms)

    def name(self, state: Purse) -> str:
        return "full" if state.failed else "empty"

    def identify(self, entity_id: str, state: Purse, fact: FollowUp) -> tuple[str, str]:
        return entity_id, self.name(state)


class Purses:
    """The toy's table."""

    async def known(self, connection: Connection, ids: Sequence[str]) -> set[str]:
        return {row["id"] for row in await connection.fetch("select id from purses where id = any($1::text[])", ids)}

    async def load(self, connection: Connection, ids: Sequence[str], *, lock: bool = True) -> dict[str, Entity[Purse]]:
        query = "select id, version, details from purses where id = any($1::text[]) order by id"
        rows = await connection.fetch(query + LOCKED * lock, ids)
        return {row["id"]: Entity(row["id"], row["version"], msgspec.json.decode(row["details"], type=Purse)) for row in rows}

    async def store(self, connection: Connection, entities: Sequence[Entity[Purse]]) -> None:
        await connection.executemany(
            "insert into purses values($1, $2, $3, $4, $5, $6) on conflict(id) do update set version = $2, failed = $3, wake_at = $4, "
            "guarded_wake_at = $5, details = $6",
            [
                (e.entity_id, e.version, e.state.failed, e.wake_at, e.guarded_wake_at, msgspec.json.encode(e.state).decode())
                for e in entities
            ],
        )

    async def due(self, connection: Connection, now: datetime, seen_through: datetime | None, limit: int) -> list[str]:
        rows = await connection.fetch(
            "select id from purses where wake_at <= $1 or guarded_wake_at <= least($1, $2) order by id limit $3",
            now, seen_through, limit,
        )  # fmt: skip
        return [row["id"] for row in rows]

    async def next_wake(self, connection: Connection) -> datetime | None:
        moment: datetime | None = await connection.fetchval("select least(min(wake_at), min(guarded_wake_at)) from purses")
        return moment


def started(subscription: str = "sub_1") -> SubscriptionStarted:
    return SubscriptionStarted(
        customer_id="cus_1", owner_id="usr_1", contact=CONTACT, plan="pro", plan_name="Pro", price_minor=1999, currency="EUR",
        country="DE", consumer=True,
    )  # fmt: skip


def failed(number: int = 1, weight: int = 1) -> PaymentFailed:
    return PaymentFailed(
        payment_id=f"pay_{number}", invoice_id=f"in_{number}", amount_minor=1999, currency="EUR", decline_code="insufficient_funds",
        kind="soft", attempt=weight,
    )  # fmt: skip


class Publisher:
    """Makes records of one topic as Kafka would hand them over: offsets rise, ids are unique unless told."""

    def __init__(self, topic: str, partition: int = 0) -> None:
        self.topic, self.partition, self.offset = topic, partition, 0

    def record(self, event: Event, subject: str = "sub_1", event_id: str | None = None, time: datetime = NOW) -> Record:
        id_ = event_id or f"{self.topic}-{self.partition}-{self.offset}"
        return self.raw(*encode(Envelope(id_, "//test", time, subject, event)))

    def raw(self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()) -> Record:
        self.offset += 1
        return Record(self.topic, self.partition, self.offset - 1, key, value, headers, NOW + timedelta(seconds=self.offset))
