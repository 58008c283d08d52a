"""An event's fields as options, and the other way round."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from offramp_schemas import TOPIC_OF, Event, FollowUp, examples
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.activity import InactivityDetected
from offramp_schemas.payment import PaymentFailed
from offramp_schemas.request import CancellationRequested
from services.console import defaults, fields
from services.console.trouble import Trouble

NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
PUBLISHED = [event for event in TOPIC_OF if not issubclass(event, FollowUp)]
SUBSCRIPTION = {"owner_id": "usr_aoife", "price_minor": 4900, "currency": "EUR"}


def options_of(data: dict[str, Any], event: type[Event]) -> dict[str, Any]:
    """The data as somebody would give it in options."""
    found = {}
    for option in fields.options(event):
        here: Any = data
        for step in option.path:
            here = here.get(step) if isinstance(here, dict) else None
        if here is not None:
            found[option.name] = here
    return found


@pytest.mark.parametrize("event", PUBLISHED, ids=lambda event: event.kebab())
def test_every_event_can_be_written_in_options_alone(event: type[Event]) -> None:
    example = json.loads(examples.path(event).read_text())
    assert fields.validated(event, fields.gathered(event, options_of(example, event), {})) == examples.load(event)


@pytest.mark.parametrize("event", PUBLISHED, ids=lambda event: event.kebab())
def test_no_two_options_of_an_event_share_a_name(event: type[Event]) -> None:
    names = [option.name for option in fields.options(event)]
    assert len(names) == len(set(names))


def test_the_parts_of_an_event_have_short_options() -> None:
    names = {option.name for option in fields.options(CancellationRequested)} | {
        option.name for option in fields.options(SubscriptionStarted)
    }
    assert {"user", "role", "feedback", "wants_refund", "email", "locale", "reseller_name"} <= names


def test_options_go_over_the_given_data() -> None:
    base = {"reference": "CAN-1", "requested_by": {"user_id": "usr_ben", "role": "support"}}
    assert fields.gathered(CancellationRequested, {"user": "usr_aoife"}, base) == {
        "reference": "CAN-1",
        "requested_by": {"user_id": "usr_aoife", "role": "support"},
    }
    assert base["requested_by"] == {"user_id": "usr_ben", "role": "support"}


def test_a_bad_field_is_named_as_its_option() -> None:
    with pytest.raises(Trouble) as told:
        fields.validated(CancellationRequested, {"reference": "a b", "requested_by": {}, "feedback": ["bored"], "wants_refund": "true"})
    lines = str(told.value).splitlines()
    assert [line.strip().partition(":")[0] for line in lines[1:]] == ["--reference", "--user", "--feedback", "--wants-refund"]


@pytest.mark.parametrize(
    ("text", "told"), [("{", "is not JSON"), ("[]", "must be a JSON object"), ('{"feedbak": []}', "did you mean 'feedback'")]
)
def test_data_that_cannot_be_meant_is_refused(text: str, told: str) -> None:
    with pytest.raises(Trouble, match=told):
        fields.parsed(text, CancellationRequested, "--data")


def test_what_is_not_said_is_known_from_the_subscription_and_the_clock() -> None:
    filled = defaults.filled(defaults.Known(PaymentFailed, NOW, SUBSCRIPTION, {"kind": "hard"}))
    assert filled["kind"] == "hard"
    assert (filled["amount_minor"], filled["currency"]) == (4900, "EUR")
    assert filled["payment_id"] != defaults.filled(defaults.Known(PaymentFailed, NOW, SUBSCRIPTION, {}))["payment_id"]
    fields.validated(PaymentFailed, filled)


def test_who_asks_is_the_owner_unless_somebody_else_is_named() -> None:
    owner = defaults.filled(defaults.Known(CancellationRequested, NOW, SUBSCRIPTION, {}))
    assert owner["requested_by"] == {"user_id": "usr_aoife"}
    other = defaults.filled(defaults.Known(CancellationRequested, NOW, SUBSCRIPTION, {"requested_by": {"user_id": "usr_ben"}}))
    assert other["requested_by"] == {"user_id": "usr_ben"}


def test_an_account_was_last_seen_as_long_ago_as_it_is_inactive() -> None:
    filled = defaults.filled(defaults.Known(InactivityDetected, NOW, None, {"inactive_days": 60}))
    assert filled["last_seen_at"] == "2026-03-02T09:00:00+00:00"
