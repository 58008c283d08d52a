"""Correspondences and their mails in a real Postgres, and the constraints that hold whatever the code does."""

from datetime import datetime, timedelta

import asyncpg
import pytest

from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas.email_feedback import EmailBounced, MailCaseResolved
from offramp_schemas.notification_events import AlertRaised
from services.notifier.states import Letters
from services.notifier.store import QUERIES, Correspondences
from services.runtime.stored import Connection, Entity
from tests.notifier.given import NOTIFIER, NOW, POLICY, Desk, example

STORE = Correspondences()


def entity(desk: Desk, version: int = 1) -> Entity[Letters]:
    """As the shell would store it."""
    assert desk.state is not None
    timers = NOTIFIER.timers(desk.state)
    wake = min((timer.due_at for timer in timers if not timer.takes_away), default=None)
    guarded = min((timer.due_at for timer in timers if timer.takes_away), default=None)
    return Entity(desk.entity_id, version, desk.state, wake, guarded)


def written(entity_id: str = "sub_1") -> Desk:
    """One mail sent, one held, one refund open."""
    desk = Desk(entity_id)
    desk.hear(example(lifecycle.CancellationScheduled, version=4))
    desk.answer(desk.calls[0])
    desk.hear(example(lifecycle.PaymentPastDue, version=5))
    desk.hear(example(refund.RefundApproved, refund_id=f"refund-{entity_id}", version=2, deadline_at=NOW + timedelta(days=1)))
    return desk


async def rows(connection: Connection) -> dict[str, asyncpg.Record]:
    return {row["template"]: row for row in await connection.fetch("select * from mails")}


async def test_what_is_open_comes_back_and_what_is_over_stays_in_its_table(connection: Connection) -> None:
    desk = written()
    await STORE.store(connection, [entity(desk, 3)])
    back = (await STORE.load(connection, ["sub_1", "sub_2"]))["sub_1"]
    assert back.version == 3
    assert back.state.mails == desk.facts.mails
    assert back.state.closed == ()
    assert back.state.sent == desk.facts.sent
    assert NOTIFIER.timers(back.state) == NOTIFIER.timers(desk.facts)
    mails = await rows(connection)
    assert {template: row["state"] for template, row in mails.items()} == {
        "cancellation_scheduled": "sent",
        "payment_failed": "queued",
        "refund_approved": "queued",
    }


async def test_once_sent_the_address_is_forgotten_and_the_text_kept(connection: Connection) -> None:
    await STORE.store(connection, [entity(written())])
    sent, held = (await rows(connection))["cancellation_scheduled"], (await rows(connection))["payment_failed"]
    assert (sent["address"], sent["context"], sent["rendered"]) == (None, None, "Subject: Hello")
    assert held["address"] == "aoife.byrne@example.com"
    assert sent["recipient_hash"] == held["recipient_hash"]


async def test_a_mail_is_one_row_however_often_it_is_stored(connection: Connection) -> None:
    desk = written()
    for version in range(1, 4):
        await STORE.store(connection, [entity(desk, version)])
    assert await connection.fetchval("select count(*) from mails") == 3
    assert await connection.fetchval("select version from correspondences") == 3


async def test_a_mail_that_bounces_later_becomes_a_case_and_keeps_its_text(connection: Connection) -> None:
    desk = written()
    await STORE.store(connection, [entity(desk)])
    desk.state = (await STORE.load(connection, ["sub_1"]))["sub_1"].state
    message_id = (await rows(connection))["cancellation_scheduled"]["message_id"]
    desk.hear(example(EmailBounced, message_id=message_id, kind="hard"))
    await STORE.store(connection, [entity(desk, 2)])
    row = (await rows(connection))["cancellation_scheduled"]
    assert (row["state"], row["reason"], row["owner"], row["rendered"]) == ("undeliverable", "bounced", "support", "Subject: Hello")


async def test_a_mail_that_is_over_is_never_opened_again(connection: Connection) -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled))
    queued = entity(desk)
    desk.answer(desk.calls[0])
    await STORE.store(connection, [entity(desk, 2)])
    await STORE.store(connection, [queued])
    assert (await rows(connection))["cancellation_scheduled"]["state"] == "sent"


async def test_digests_are_stored_beside_correspondences(connection: Connection) -> None:
    desk = Desk("ops:ops:renewal_missing")
    desk.hear(AlertRaised(audience="ops", cause="renewal_missing", about="sub_1", subscription_id="sub_1"))
    await STORE.store(connection, [entity(desk), entity(written())])
    assert await STORE.known(connection, ["ops:ops:renewal_missing", "sub_1", "sub_2"]) == {"ops:ops:renewal_missing", "sub_1"}
    assert (await STORE.load(connection, [desk.entity_id]))[desk.entity_id].state == desk.state


async def test_whoever_is_due_is_found_and_guarded_wake_ups_wait_for_the_watermarks(connection: Connection) -> None:
    held, asked = Desk("sub_held"), Desk("sub_asked")
    held.hear(example(lifecycle.PaymentPastDue))
    asked.hear(example(lifecycle.CancellationScheduled))
    await STORE.store(connection, [entity(held), entity(asked)])
    later = NOW + timedelta(hours=1)
    assert await STORE.due(connection, NOW, NOW, 10) == []
    assert await STORE.due(connection, later, None, 10) == ["sub_asked"]
    assert await STORE.due(connection, later, NOW, 10) == ["sub_asked"]
    assert await STORE.due(connection, later, later, 10) == ["sub_held", "sub_asked"]
    assert await STORE.due(connection, later, later, 1) == ["sub_held"]
    assert await STORE.next_wake(connection) == NOW + POLICY.hold_status


async def test_nobody_wakes_where_nobody_is(connection: Connection) -> None:
    assert await STORE.next_wake(connection) is None
    await STORE.store(connection, [])
    assert await STORE.due(connection, NOW, NOW, 10) == []


async def test_what_mails_said_is_forgotten_in_small_bites(connection: Connection) -> None:
    await STORE.store(connection, [entity(written(f"sub_{number}")) for number in range(5)])
    await connection.execute(QUERIES["forget_texts"], NOW + timedelta(days=35), 3)
    assert await connection.fetchval("select count(*) from mails where rendered is not null") == 2


OVER = "send_after = null, closed_at = due_by, address = null, context = null"


@pytest.mark.parametrize(
    "change",
    [
        "state = 'sent'",  # still wakes
        "send_after = null",  # open, and never wakes
        "address = null",
        "context = null",
        "class = 'urgent'",
        "state = 'lost'",
        f"{OVER}, state = 'suppressed', reason = 'ended', class = 'proof'",
        f"{OVER}, state = 'suppressed'",  # without a reason
        f"{OVER}, state = 'undeliverable', reason = 'bounced'",  # nobody's case
        f"{OVER}, state = 'undeliverable', reason = 'bounced', owner = 'support'",  # without a date
        "state = 'sent', send_after = null, closed_at = due_by, context = null",  # keeps the address
    ],
)
async def test_a_mail_that_breaks_a_promise_can_not_be_stored(connection: Connection, change: str) -> None:
    await STORE.store(connection, [entity(written())])
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(f"update mails set {change} where template = 'payment_failed'")


async def test_a_correspondence_with_something_open_always_wakes(connection: Connection) -> None:
    await STORE.store(connection, [entity(written())])
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("update correspondences set wake_at = null, guarded_wake_at = null")


async def test_the_same_mail_can_not_exist_twice(connection: Connection) -> None:
    await STORE.store(connection, [entity(written())])
    await connection.execute("create temp table again as select * from mails where state = 'queued'")
    await connection.execute("update again set mail_id = gen_random_uuid(), message_id = message_id || '2'")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute("insert into mails select * from again")


async def test_a_quiet_correspondence_may_sleep(connection: Connection) -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled))
    desk.answer(desk.calls[0])
    await STORE.store(connection, [entity(desk)])
    sleeping: datetime | None = await STORE.next_wake(connection)
    assert sleeping is None


async def test_a_mail_counts_while_it_has_not_left_and_an_undeliverable_one_until_somebody_has_dealt_with_it(
    connection: Connection,
) -> None:
    desk = Desk()

    async def counted() -> dict[tuple[str, str], int]:
        await STORE.store(connection, [entity(desk)])
        return {(row[0], row[1]): row[2] for row in await connection.fetch(QUERIES["count_open"], desk.now)}

    desk.hear(example(lifecycle.CancellationScheduled, version=4))
    assert await counted() == {("queued", "proof"): 1}
    desk.answer(desk.calls[-1], {"refused": "550"})
    assert await counted() == {("undeliverable", "proof"): 1}
    desk.wait(POLICY.undeliverable.act_within)
    assert await counted() == {("undeliverable", "proof"): 1}
    desk.hear(example(MailCaseResolved, mail_id=desk.mails[0].mail_id))
    assert await counted() == {}


async def test_a_proof_is_late_while_it_waits_past_its_promise_and_for_a_day_after_it_was_sent_so(connection: Connection) -> None:
    desk, ours = Desk(), Desk("ops:ops:renewal_missing")

    async def numbers() -> tuple[dict[str, int], dict[str, timedelta]]:
        await STORE.store(connection, [entity(desk), entity(ours)])
        late = {row[0]: row[1] for row in await connection.fetch(QUERIES["count_late"], desk.now)}
        waits = await connection.fetch(QUERIES["longest_waits"], desk.now)
        return late, {row[0]: timedelta(seconds=int(row[1])) for row in waits if row[1]}

    ours.hear(AlertRaised(audience="ops", cause="renewal_missing", about="sub_1", subscription_id="sub_1"))
    ours.wait(POLICY.alerts.window)
    desk.hear(example(lifecycle.CancellationScheduled, version=4))
    desk.wait(POLICY.proof_within)
    assert await numbers() == ({"waiting": 0, "sent": 0}, {"proof": POLICY.proof_within})
    desk.wait(timedelta(minutes=1))
    assert (await numbers())[0] == {"waiting": 1, "sent": 0}
    desk.answer(desk.calls[-1])
    desk.hear(example(lifecycle.CancellationUndone, version=5))
    desk.answer(desk.calls[-1])
    assert await numbers() == ({"waiting": 0, "sent": 1}, {})
    desk.now += timedelta(days=1)
    assert await numbers() == ({"waiting": 0, "sent": 0}, {})


async def test_a_case_is_somebodys_until_it_is_closed_and_its_row_says_by_whom(connection: Connection) -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled))
    desk.answer(desk.calls[-1], {"refused": 550})
    await STORE.store(connection, [entity(desk)])
    desk.state = (await STORE.load(connection, ["sub_1"]))["sub_1"].state
    assert await STORE.next_wake(connection) == desk.now + POLICY.undeliverable.act_within
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("update correspondences set wake_at = null")
    desk.hear(example(MailCaseResolved, mail_id=desk.facts.cases[0].mail_id, decided_by="mari"))
    await STORE.store(connection, [entity(desk, 2)])
    row = (await rows(connection))["cancellation_scheduled"]
    assert (row["state"], row["case_closed_by"], row["case_closed_at"]) == ("undeliverable", "mari", desk.now)
    assert await STORE.next_wake(connection) is None


async def test_whoever_is_forgotten_leaves_no_address_and_no_words(connection: Connection) -> None:
    desk = written()
    await STORE.store(connection, [entity(desk)])
    desk.state = (await STORE.load(connection, ["sub_1"]))["sub_1"].state
    desk.hear(example(lifecycle.PersonForgotten, version=6))
    await STORE.store(connection, [entity(desk, 2)])
    mails = await rows(connection)
    assert {template: (row["state"], row["reason"], row["rendered"]) for template, row in mails.items()} == {
        "cancellation_scheduled": ("sent", None, None),
        "payment_failed": ("suppressed", "outdated.erased", None),
        "refund_approved": ("queued", None, None),
    }
    assert mails["payment_failed"]["address"] is None
    assert mails["refund_approved"]["address"] == "aoife.byrne@example.com"


async def test_a_proof_is_only_withheld_from_whom_is_forgotten(connection: Connection) -> None:
    await STORE.store(connection, [entity(written())])
    over = "send_after = null, closed_at = due_by, address = null, context = null, state = 'suppressed'"
    await connection.execute(f"update mails set {over}, reason = 'outdated.erased' where template = 'refund_approved'")
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("update mails set reason = 'outdated' where template = 'refund_approved'")
