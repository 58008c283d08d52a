"""Topics as they are read by people, and by programs."""

import json

import pytest

from offramp_schemas import BadRecord, Reason, examples
from offramp_schemas.lifecycle_events import CancellationScheduled
from offramp_schemas.overview import sample
from services.console import tail
from services.console.kafka import Place, Seen
from services.runtime.settings import Settings
from tests.console.conftest import Offramp

DEAD = {"dlq.topic": "refund.request.v1", "dlq.partition": "3", "dlq.offset": "17", "dlq.reason": "invalid_data"}


def test_an_event_is_one_line_with_its_gist() -> None:
    envelope = sample(CancellationScheduled)
    line = str(tail.line(Seen(Place("lifecycle.events.v1", 0, 1), envelope.subject, b"{}", (), envelope, None)))
    assert line.split()[:5] == ["2026-05-01", "09:14", "lifecycle", examples.SUBSCRIPTION, "cancellation-scheduled"]
    assert "reference CAN-7Q2M4X" in line


def test_a_dead_letter_says_why_and_where_it_came_from() -> None:
    headers = [(name, text.encode()) for name, text in DEAD.items()]
    bad = BadRecord(Reason.MISSING_ID, "no id")
    line = str(tail.line(Seen(Place("refund.dead-letters.v1", 0, 1), "sub_anna", b"{}", headers, None, bad)))
    assert line.split() == ["refunds", "dead", "letter", "sub_anna", "invalid_data", "refund.request.v1[3]@17"]


def test_what_cannot_be_read_says_so() -> None:
    bad = BadRecord(Reason.MISSING_ID, "no id")
    line = str(tail.line(Seen(Place("refund.request.v1", 0, 1), "sub_anna", b"{}", (), None, bad)))
    assert "unreadable" in line
    assert "refund.request.v1[0]@1" in line
    assert "missing_id: no id" in line


async def test_a_topic_is_read_from_its_beginning_as_json(stack: Settings, offramp: Offramp) -> None:
    await offramp("publish", "email-bounced", "--subscription", "sub_anna", "--example")
    document = json.loads((await offramp("tail", "email.feedback", "--from-beginning", "--limit", "1", "--json")).out)
    assert (document["topic"], document["type"]) == ("email.feedback.v1", "offramp.email.email-bounced.v1")
    assert document["data"]["kind"] == "hard"


@pytest.mark.parametrize(("name", "told"), [("request", "more than one topic: choose from"), ("sales", "no topic of ours: choose from")])
async def test_a_name_that_is_no_topic_is_told(offramp: Offramp, name: str, told: str) -> None:
    said = await offramp("tail", name)
    assert (said.status, told in said.out) == (1, True)
