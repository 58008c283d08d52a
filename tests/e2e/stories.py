"""What happens to customers, told from outside. Wherever a story yields, somebody may pull a plug: it must still end right."""

from __future__ import annotations

from collections.abc import AsyncIterator

from offramp_schemas.account import DataDeleted, SubscriptionRenewed
from offramp_schemas.activity import ActivityResumed
from tests.e2e.customers import DAY, Customer
from tests.e2e.world import World

_LIFECYCLE, _REFUNDS = "lifecycle.events.v1", "refund.events.v1"
_ALERTED = ("ops@example.com", "on-call@example.com", "manager@example.com")


async def cancels_and_stays(world: World) -> AsyncIterator[None]:
    """A cancellation at the end of the period is taken back, and the subscription goes on."""
    anna = Customer.new("Anna", period=2 * DAY)
    await world.begin(anna)
    ends_at = await world.now() + anna.period
    await world.publish(anna, anna.cancels(feedback=("too_expensive",)))
    yield
    await world.settle()
    scheduled = (await world.told(anna, _LIFECYCLE))[0]
    assert abs(scheduled.ends_at - ends_at) < DAY / 24
    await world.publish(anna, anna.stays())
    yield
    await world.settle()
    now = await world.now()
    renewed = SubscriptionRenewed(current_period_start=now, current_period_end=now + 365 * DAY, price_minor=4900, currency="EUR")
    await world.publish(anna, renewed)
    await world.advance("3d")
    told = await world.names(anna, _LIFECYCLE)
    assert told == ["cancellation-scheduled", "feedback-recorded", "retention-offered", "cancellation-undone"], "and nothing ended"
    assert await world.templates(anna) == ["cancellation_scheduled", "cancellation_undone"]
    assert [subject[:20] for subject in await world.mails(anna.email)] == ["Your cancellation is", "You are staying: the"]


async def ends_at_once_with_the_money_back(world: World) -> AsyncIterator[None]:
    """A consumer leaves within the withdrawal window: the subscription ends, and all of the money comes back, once."""
    ben = Customer.new("Ben")
    await world.begin(ben)
    await world.publish(ben, ben.cancels(mode="immediately", wants_refund=True))
    yield
    await world.settle()
    await world.publish(ben, DataDeleted())
    yield
    await world.advance("1d")
    assert (await world.names(ben, _LIFECYCLE))[0] == "subscription-ended"
    assert await world.names(ben, _REFUNDS) == ["refund-received", "refund-approved", "refund-issued", "refund-arrived"]
    assert await world.paid_back(ben) == [4900]
    sent = await world.templates(ben)
    assert sent[0] == "ended_at_once"
    assert [each for each in sent if each.startswith("refund")] == ["refund_received", "refund_approved", "refund_issued"]
    assert len(await world.mails(ben.email)) == len(sent), "the mailbox holds every mail once"


async def cannot_pay_for_a_week(world: World) -> AsyncIterator[None]:
    """Two charges fail. Dunning goes on for a week: one is paid in the end, the other subscription ends."""
    emma, finn = Customer.new("Emma"), Customer.new("Finn")
    await world.begin(emma, finn)
    for customer in (emma, finn):
        await world.publish(customer, customer.fails_to_pay())
    yield
    await world.advance("25h")
    assert await world.names(emma, _LIFECYCLE) == ["payment-past-due", "payment-retry-due"]
    for customer in (emma, finn):
        await world.publish(customer, customer.fails_to_pay(attempt=2))
    await world.advance("5d")
    await world.publish(emma, emma.pays(2))
    yield
    await world.advance("3d")
    dunned = ["payment-past-due", "payment-retry-due", "payment-retry-due", "payment-retry-due"]
    assert await world.names(emma, _LIFECYCLE) == [*dunned, "payment-recovered"]
    ended = await world.told(finn, _LIFECYCLE)
    assert {"dunning-exhausted", "subscription-ended"} <= {event.kebab() for event in ended}
    assert [event.end_reason for event in ended if event.kebab() == "subscription-ended"] == ["payment_failed"]
    assert (await world.templates(emma))[-1] == "payment_recovered"
    assert (await world.templates(finn))[-1] == "ended_unpaid"
    await world.publish(finn, DataDeleted())


async def does_not_use_it(world: World) -> AsyncIterator[None]:
    """Two free accounts are not used, and both are warned: one is used again, the other is deactivated."""
    hugo, gina = Customer.new("Hugo", price_minor=0), Customer.new("Gina", price_minor=0)
    await world.begin(hugo, gina)
    for customer in (hugo, gina):
        await world.publish(customer, customer.is_not_seen(await world.now()))
    yield
    await world.advance("11d")
    for customer in (hugo, gina):
        assert await world.names(customer, _LIFECYCLE) == ["inactivity-warned"]
    await world.publish(hugo, ActivityResumed(last_seen_at=await world.now()))
    yield
    await world.advance("20d")
    assert await world.names(hugo, _LIFECYCLE) == ["inactivity-warned", "inactivity-cleared"]
    names = await world.names(gina, _LIFECYCLE)
    assert {"subscription-deactivated", "subscription-ended"} <= set(names)
    assert await world.templates(hugo) == ["inactivity_warning"]
    assert await world.templates(gina) == ["inactivity_warning", "inactivity_warning", "inactivity_last_day", "ended_unused"]
    await world.publish(gina, DataDeleted())


async def waits_for_a_silent_provider(world: World) -> AsyncIterator[None]:
    """The provider does a refund and never answers: people of ours hear of it, the customer is told a later day, and it is paid once."""
    cara = Customer.new("Cara")
    await world.begin(cara)
    told_before = {address: len(await world.mails(address)) for address in _ALERTED}
    async with world.silent_provider(cara):
        await world.publish(cara, cara.wants_back(4000))
        yield
        await _until_the_manager_hears(world, cara)
    delayed = [event for event in await world.told(cara, _REFUNDS) if event.kebab() == "refund-delayed"]
    assert delayed
    assert all(event.new_date > event.promised_at for event in delayed)
    assert all([len(await world.mails(address)) > told_before[address] for address in _ALERTED]), "everybody was alerted"
    yield
    await world.advance("1d")
    assert await world.paid_back(cara) == [4000]
    assert "refund-issued" in await world.names(cara, _REFUNDS)
    templates = await world.templates(cara)
    assert templates[:3] == ["refund_received", "refund_approved", "refund_delayed"]
    assert templates[-1] == "refund_issued"


async def _until_the_manager_hears(world: World, customer: Customer) -> None:
    """Levels are business days apart: nobody is called on a Sunday."""
    levels: list[int] = []
    for _ in range(5):
        await world.advance("1d")
        stalled = [event for event in await world.told(customer, _REFUNDS) if event.kebab() == "refund-stalled"]
        levels = list(dict.fromkeys(event.level for event in stalled))
        if 3 in levels:
            break
    assert levels == [1, 2, 3]


async def breaks_a_record(world: World) -> AsyncIterator[None]:
    """A record that is no event goes to the dead letters; those before and behind it, in the same partition, have their effects."""
    ivy = Customer.new("Ivy")
    await world.begin(ivy)
    await world.publish(ivy, ivy.fails_to_pay())
    poison = await world.producer.send_and_wait("subscription.payment.v1", b'{"payment_id": "pay', key=ivy.subscription_id.encode())
    await world.publish(ivy, ivy.pays(2))
    yield
    await world.settle()
    assert await world.names(ivy, _LIFECYCLE) == ["payment-past-due", "payment-recovered"]
    place = {"dlq.topic": poison.topic, "dlq.partition": poison.partition, "dlq.offset": poison.offset}
    here = {name: str(value).encode() for name, value in place.items()}
    letters = [dict(record.headers) for record in await world.records("lifecycle.dead-letters.v1")]
    [letter] = [each for each in letters if here.items() <= each.items()]
    assert letter["dlq.reason"] == b"not_a_cloudevent"
    listed = await world.offramp("dead-letters", "list")
    assert listed.returncode == 0, listed.stderr
    assert f"{poison.topic}[{poison.partition}]@{poison.offset}" in listed.stdout


STORIES = (
    cancels_and_stays, ends_at_once_with_the_money_back, breaks_a_record, cannot_pay_for_a_week, waits_for_a_silent_provider,
    does_not_use_it,
)  # fmt: skip
