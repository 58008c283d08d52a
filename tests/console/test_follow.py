"""`--follow` against lifecycle itself: what became of the event, in words."""

import uuid
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from offramp_schemas import Envelope
from offramp_schemas.activity import ActivityResumed
from offramp_schemas.examples import load
from offramp_schemas.notification_events import EmailSent
from services.console.follow import Follow
from services.console.kafka import Place, Seen
from services.runtime.engine import Engine
from services.runtime.settings import Settings
from tests.console.conftest import Offramp, Said

pytestmark = pytest.mark.usefixtures("lifecycle")
NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
HERE = Place("subscription.activity.v1", 0, 7)


@pytest.fixture
async def sub_anna(lifecycle: Engine, stack: Settings, offramp: Offramp) -> str:
    """A subscription that lifecycle knows; of this test alone, since the broker remembers the others."""
    name = f"sub_{uuid.uuid4()}"
    period = ("--current-period-start", "2026-05-01T09:00:00Z", "--current-period-end", "2126-05-01T09:00:00Z")
    said = await offramp("publish", "subscription-started", "--subscription", name, "--example", *period, "--follow", "--timeout", "2")
    assert "new → active, version 1" in said.out
    return name


def lines(said: Said, *columns: str) -> list[str]:
    """The lines that hold these columns."""
    return [line for line in said.out.splitlines() if line.split()[2:5] and all(column in line for column in columns)]


async def test_a_cancellation_is_followed_to_its_transition_and_what_was_told(sub_anna: str, offramp: Offramp) -> None:
    said = await offramp("publish", "cancellation-requested", "--subscription", sub_anna, "--follow", "--timeout", "2")
    assert lines(said, "lifecycle", "applied", "cancellation-requested", "active → non_renewing, version 2")
    assert lines(said, "lifecycle", "told", "cancellation-scheduled", "reference CAN-", "ends 2126-05-01 09:00")
    assert (said.status, "notifier has not read cancellation-scheduled" in said.out) == (1, True)  # it does not run in this test


async def test_the_same_event_twice_is_called_a_duplicate_and_another_body_a_conflict(sub_anna: str, offramp: Offramp) -> None:
    command = ("publish", "activity-resumed", "--subscription", sub_anna, "--id", f"evt-{sub_anna}", "--follow")
    first = await offramp(*command, "--last-seen-at", "2026-05-02T00:00:00Z")
    assert (first.status, "settled after" in first.out) == (0, True)
    again = await offramp(*command, "--last-seen-at", "2026-05-02T00:00:00Z")
    assert lines(again, "lifecycle", "duplicate", "activity-resumed")
    assert again.status == 0
    other = await offramp(*command, "--last-seen-at", "2026-05-01T00:00:00Z")
    assert lines(other, "lifecycle", "conflict", "activity-resumed")
    assert lines(other, "lifecycle", "dead letter", "conflict: the same source and id came before")
    assert other.status == 1


async def test_the_repeat_of_what_was_told_of_settles_at_once(sub_anna: str, offramp: Offramp) -> None:
    command = ("publish", "cancellation-requested", "--subscription", sub_anna, "--id", f"evt-{sub_anna}", "--reference", "CAN-1")
    assert (await offramp(*command, "--follow", "--timeout", "1")).out.count("told") == 1
    again = await offramp(*command, "--follow", "--timeout", "5")
    assert lines(again, "lifecycle", "duplicate", "cancellation-requested")
    assert (again.status, "settled after" in again.out) == (0, True)


async def test_a_mail_that_waits_for_a_while_is_named(sub_anna: str, offramp: Offramp, tables: "asyncpg.Connection[Any]") -> None:
    await tables.execute(
        """insert into notifier.mails(mail_id, subscription_id, entity_id, version, template, locale, address, context, recipient_hash,
             class, state, tries, send_after, due_by, message_id)
           select gen_random_uuid(), $1, $1, 2, template, 'en', 'a@example.com', '{}', 'x', 'status', 'queued', tries,
             '2126-05-01 09:00Z', '2126-05-02Z', $1 || template from (values('ending_soon', 0), ('on_its_way', 1)) mail(template, tries)""",
        sub_anna,
    )
    said = await offramp("publish", "cancellation-requested", "--subscription", sub_anna, "--follow", "--timeout", "1")
    (waits,) = lines(said, "notifier", "mail waits")
    assert "ending_soon  until 2126-05-01 09:00  offramp show " in waits


async def test_what_speaks_of_an_unknown_subscription_is_parked_and_says_what_for(offramp: Offramp) -> None:
    said = await offramp("publish", "cancellation-requested", "--subscription", f"sub_{uuid.uuid4()}", "--user", "usr_anna", "--follow")
    assert lines(said, "lifecycle", "parked", "cancellation-requested", "waits for subscription until")
    assert (said.status, "settled after" in said.out) == (0, True)


async def test_the_story_is_told_afterwards(sub_anna: str, offramp: Offramp) -> None:
    await offramp("publish", "cancellation-requested", "--subscription", sub_anna, "--reference", "CAN-1", "--follow", "--timeout", "1")
    story = (await offramp("show", sub_anna)).out
    for expected in (
        f"subscription {sub_anna}  non_renewing",
        "aoife.byrne@example.com",
        "told cancellation-scheduled",
        "the subscription wakes",
    ):
        assert expected in story
    assert story.index("subscription-started") < story.index("cancellation-requested") < story.index("now ─") < story.index("wakes")


class Finished:
    """Tables in which everything about the event is done."""

    async def now(self) -> datetime:
        return NOW

    async def rows(self, service: str, query: str, *arguments: Any) -> list[dict[str, Any]]:
        done = {"event_id": "evt-1", "disposition": "applied", "topic": HERE.topic, "part": HERE.partition, "off": HERE.offset}
        return [done] if query == "dispositions" and "evt-1" in arguments[0] else []

    async def row(self, service: str, query: str, *arguments: Any) -> dict[str, Any]:
        return {"things": 0, "count": 0, "next_off": HERE.offset + 1}


class Slow:
    """A broker that hands the last record over when nobody expects one any more."""

    def __init__(self, *records: list[Seen]) -> None:
        self.left = list(records)

    async def read(self, within: float) -> list[Seen]:
        return self.left.pop(0) if self.left else []

    async def at_the_end(self) -> bool:
        return not self.left


async def test_what_kafka_is_slow_to_hand_over_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    sent = Envelope("evt-2", "//offramp/notifier", NOW, "sub_anna", load(EmailSent))
    record = Seen(Place("notification.events.v1", 0, 1), "sub_anna", b"", [], sent, None)
    asked = Envelope("evt-1", "//shop", NOW, "sub_anna", load(ActivityResumed))
    tables: Any = Finished()
    broker: Any = Slow([], [], [], [record])
    assert await Follow(tables, broker, asked, HERE, NOW).until_settled(5)
    said = capsys.readouterr().out
    assert said.index("mail sent") < said.index("settled after")
