"""What keeps a mail from leaving, by its class: each thing stops what it should, and nothing else. A row per thing, a column per mail."""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

import pytest

from offramp_schemas import Event, FollowUp
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas import retention_events as retention
from offramp_schemas.email_feedback import EmailBounced, EmailComplained, Unsubscribed
from services.notifier.mails import TEMPLATES
from tests.notifier.given import NOW, POLICY, Desk, example

SOON = NOW + timedelta(days=3)
MAILS: Mapping[str, FollowUp] = {
    "cancellation_undone": example(lifecycle.CancellationUndone, version=5),
    "refund_issued": example(refund.RefundIssued, refund_id="open", version=1, deadline_at=SOON),
    "refund_settled": example(refund.RefundSettled, refund_id="over", version=1, deadline_at=None),
    "payment_failed": example(lifecycle.PaymentPastDue, version=6),
    "data_export_reminder": example(lifecycle.DataExportDue, version=7),
    "survey": example(retention.SurveyDue, version=8, marketing_consent=True),
    "win_back": example(retention.WinBackDue, version=9),
}
CLASSES = ["proof"] * 3 + ["status"] * 2 + ["marketing"] * 2
EARLIER = example(lifecycle.CancellationScheduled, version=4)
"""Sent before, to the same address: bounces and complaints name it."""

SENT, NONE, ERASED, DELETED, BOUNCED = "sent", "none", "outdated.erased", "outdated.deleted", "address_bounced"


class Row(NamedTuple):
    """What becomes of the mails that wait when it happens, and of those that are written when it has happened."""

    event: Event
    waiting: list[str]
    later: list[str]


def stopped(advertising: str) -> list[str]:
    """Nothing but the advertising."""
    return [SENT] * 5 + [advertising] * 2


ROWS: Mapping[str, Row] = {
    "unsubscribed": Row(example(Unsubscribed), stopped("opted_out.unsubscribed"), stopped("opted_out.unsubscribed")),
    "complained": Row(example(EmailComplained), stopped("opted_out.complained"), stopped("opted_out.complained")),
    "no spam after all": Row(example(EmailComplained, kind="not-spam"), stopped(SENT), stopped(SENT)),
    "bounced for good": Row(example(EmailBounced, kind="hard"), [BOUNCED] * 7, [BOUNCED] * 7),
    "bounced for now": Row(example(EmailBounced, kind="soft"), [SENT] * 7, [SENT] * 7),
    "forgotten": Row(example(lifecycle.PersonForgotten), [ERASED, SENT, *[ERASED] * 5], [NONE, SENT, SENT, *[NONE] * 4]),
    "data deleted": Row(example(lifecycle.SubscriptionDataDeleted), [SENT, SENT, SENT, SENT, DELETED, SENT, DELETED], [SENT] * 7),
}


def hear(desk: Desk, event: Event, trouble: str | None = None) -> None:
    """And the mail server answers what it is asked."""
    made = len(desk.calls)
    desk.hear(event)
    answer(desk, made, trouble)


def answer(desk: Desk, made: int, trouble: str | None = None) -> None:
    while made < len(desk.calls):
        desk.answer(desk.calls[made], trouble=trouble)
        made += 1


def became(desk: Desk) -> list[str]:
    """Of each mail, once the mail server is there and all have had their time."""
    made = len(desk.calls)
    desk.wait(POLICY.hold_status + POLICY.proof_again_within)
    answer(desk, made)
    ends = {mail.template: mail.reason or mail.state for mail in desk.mails}
    return [ends.get(template, NONE) for template in MAILS]


def happens(desk: Desk, row: Row, version: int) -> None:
    """About the mail that was sent, or of that version."""
    named = {"version": version} if isinstance(row.event, FollowUp) else {"message_id": desk.mails[0].message_id}
    hear(desk, row.event.model_copy(update=named))


def test_the_columns_are_of_every_class() -> None:
    assert [TEMPLATES[template] for template in MAILS] == CLASSES


@pytest.mark.parametrize("name", ROWS)
def test_of_the_mails_that_wait_each_thing_stops_what_it_should(name: str) -> None:
    desk = Desk()
    hear(desk, EARLIER)
    for fact in MAILS.values():
        hear(desk, fact, trouble="unreachable")
    happens(desk, ROWS[name], 20)
    assert became(desk) == ROWS[name].waiting


@pytest.mark.parametrize("name", ROWS)
def test_of_the_mails_that_are_written_later_each_thing_stops_what_it_should(name: str) -> None:
    desk = Desk()
    hear(desk, EARLIER)
    happens(desk, ROWS[name], 4)
    for fact in MAILS.values():
        hear(desk, fact)
    assert became(desk) == ROWS[name].later


def test_of_those_that_can_not_be_delivered_a_proof_alone_is_a_case() -> None:
    desk = Desk()
    hear(desk, EARLIER)
    happens(desk, ROWS["bounced for good"], 4)
    for fact in MAILS.values():
        hear(desk, fact)
    assert {case.template for case in desk.facts.cases} == {
        "cancellation_scheduled",
        "cancellation_undone",
        "refund_issued",
        "refund_settled",
    }
