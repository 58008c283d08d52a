"""The contract is whole: what is declared travels, a rejection says enough to be answered, and who was forgotten stays forgotten."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

import offramp_schemas
from offramp_schemas import TOPIC_OF, Contact, Event, FollowUp, examples
from offramp_schemas.account import SubscriptionFacts, SubscriptionStarted
from offramp_schemas.base import ERASED
from offramp_schemas.lifecycle_events import LifecycleFact, PersonForgotten
from offramp_schemas.refund_provider import ProviderRefundUpdated
from offramp_schemas.request import CancellationRequested, PauseRequested, Requester
from offramp_schemas.topics import PUBLISHED, REFUND_PROVIDER, TOPICS

FACTS = [event for event in TOPIC_OF if issubclass(event, LifecycleFact)]
REJECTIONS = [event for event in FACTS if event.__name__.endswith("Rejected")]
MARKETING = [event for event in FACTS if "marketing_consent" in event.model_fields]


def declared() -> Iterator[type[Event]]:
    """Every event of the package; a class that others of the package are made from is none."""
    for module in pkgutil.iter_modules(offramp_schemas.__path__, "offramp_schemas."):
        for _, each in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(each, Event) and each.__module__ == module.name and not any(map(_ours, each.__subclasses__())):
                yield each


def _ours(event: type[Event]) -> bool:
    return event.__module__.startswith("offramp_schemas.")


def test_every_event_that_is_declared_travels_on_exactly_one_topic() -> None:
    assert set(declared()) == set(TOPIC_OF)
    assert sum(len(topic.events) for topic in TOPICS) == len(TOPIC_OF)


def test_wishes_and_facts_of_others_never_share_a_topic_with_ours() -> None:
    for topic in TOPICS:
        assert len({issubclass(event, FollowUp) for event in topic.events}) <= 1, topic.name


@pytest.mark.parametrize("event", REJECTIONS, ids=lambda event: event.kebab())
def test_a_rejection_names_the_rule_the_request_and_who_asked(event: type[Event]) -> None:
    assert {"rule", "reference", "requested_by", "requester_name", "as_of"} <= event.model_fields.keys()


@pytest.mark.parametrize("event", TOPIC_OF, ids=lambda event: event.kebab())
def test_an_amount_has_a_currency(event: type[Event]) -> None:
    fields = event.model_fields.keys()
    assert "currency" in fields or not any(name.endswith("_minor") for name in fields)


@pytest.mark.parametrize("event", MARKETING, ids=lambda event: event.kebab())
def test_nobody_has_consented_to_marketing_by_silence(event: type[Event]) -> None:
    assert event.model_fields["marketing_consent"].default is False


def test_who_was_forgotten_has_an_address_that_leads_nowhere() -> None:
    forgotten = examples.load(PersonForgotten)
    assert forgotten.contact == ERASED
    assert forgotten.contact.erased
    assert not Contact(email="aoife.byrne@example.com", name="Aoife Byrne").erased


def test_a_cancellation_of_an_older_publisher_keeps_no_data() -> None:
    older = {"reference": "CAN-1", "requested_by": {"user_id": "usr_aoife"}}
    assert CancellationRequested.model_validate(older).keep_data is False


def test_a_picture_of_an_older_publisher_leaves_the_card_and_the_next_price_open() -> None:
    older: SubscriptionFacts = examples.load(SubscriptionStarted)
    assert (older.payment_method_on_file, older.card_last4, older.price_change) == (None, None, None)


def test_a_pause_needs_neither_a_date_nor_a_number_of_days() -> None:
    asked = PauseRequested(reference="PAU-1", requested_by=Requester(user_id="usr_aoife"))
    assert (asked.resume_at, asked.days, asked.keep_data) == (None, None, False)


def test_a_webhook_is_a_hint_without_anything_to_believe() -> None:
    assert not {"status", "amount_minor", "currency"} & ProviderRefundUpdated.model_fields.keys()
    assert REFUND_PROVIDER in PUBLISHED
