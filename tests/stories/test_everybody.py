"""What holds of all the stories together: nothing is open, nothing is lost, and nobody is written to in another language."""

import asyncio
import csv
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import timedelta

import pytest

from dev.system import System
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas.notification_events import EmailSent
from offramp_schemas.pause_events import SubscriptionReactivated
from offramp_schemas.request import CancellationRequested
from services.notifier.mails import TEMPLATES
from tests.stories import test_activecampaign, test_agency, test_constant_contact, test_liveagent, test_octopus
from tests.stories.life import Lives, rows
from tests.stories.script import BEGINS, IN_ITS_YEAR, Story
from tests.system.conftest import audited, tripped

_SOURCES = (test_constant_contact, test_liveagent, test_octopus, test_activecampaign, test_agency)
pytestmark = [each for source in _SOURCES for each in vars(source).values() if isinstance(each, pytest.MarkDecorator)]
STORIES: list[Story] = [mark.args[0] for mark in pytestmark]
ANSWERS = {
    "cancellation_scheduled", "ended_at_once", "cancellation_by_somebody_else", "cancellation_managed_by_reseller",
    "cancellation_already_ended",
}  # fmt: skip
TOLD_ELSEWHERE = {  # the troubles of provider, bank and ops: no source tells of them
    "refund_action_needed", "refund_failed", "refund_settled", "refund_reversed", "refund_superseded", "refund_appeal_rejected",
}  # fmt: skip
STILL_OPEN = """
select 'a refund' as what, subscription_id as about from refunds.refunds
  where state not in ('closed', 'rejected', 'settled_manually', 'superseded')
union all select 'data to be deleted', subscription_id from lifecycle.subscriptions where data_stage = 'deletion_due'
union all select 'an unpaid invoice', subscription_id from lifecycle.subscriptions where state = 'past_due'
union all select 'a mail', template from notifier.mails where state not in ('sent', 'suppressed')
union all select 'a parked event', entity_id from lifecycle.parked
union all select 'a parked event', entity_id from refunds.parked
union all select 'a call', kind from refunds.calls where done_at is null
union all select 'a call', kind from notifier.calls where done_at is null
"""


async def test_nothing_that_must_never_be_has_happened(system: System, lives: Lives) -> None:
    assert tripped(await audited(system)) == set()


async def test_every_obligation_is_met_and_nothing_is_put_aside_but_what_nobody_may_decide(system: System, lives: Lives) -> None:
    assert [tuple(row) for row in await rows(system, STILL_OPEN)] == []
    assert list(lives.dead_letters) == [test_agency.NOT_FOR_OTTO_TO_DECIDE]
    assert not [envelope.subject for _, envelope in lives.told if isinstance(envelope.data, lifecycle.RenewalMissing)]


def test_every_cancellation_has_its_proof_or_its_rule_within_the_hour(lives: Lives) -> None:
    asked = 0
    for each in STORIES:
        life = lives[each.who]
        answered = [letter.at for letter in life.letters if letter.template in ANSWERS]
        for at, answer in zip(life.when(CancellationRequested), answered, strict=True):
            asked += 1
            assert at <= answer <= at + timedelta(hours=1), each.who.key
    assert asked > 15


def test_everybody_is_written_to_in_their_own_language_and_each_mail_arrives_once(lives: Lives) -> None:
    written: Counter[str] = Counter()
    for each in STORIES:
        life = lives[each.who]
        arrived = [mail for mail in lives.arrived if mail["X-RcptTo"] == each.who.email]
        assert len(arrived) == len(life.letters) == len(life.all(EmailSent)), each.who.key
        for letter in life.letters:
            found = re.search(r'<html[^>]* lang="(\w+)"', letter.html)
            assert found is not None
            assert found[1] == each.who.locale, f"{each.who.key}: {letter.template}"
        written[each.who.locale] += len(life.letters)
    assert set(written) == {"en", "bg", "et", "fr", "es", "tr"}
    assert min(written.values()) >= 10


def test_every_kind_of_mail_is_part_of_some_story(lives: Lives) -> None:
    told = {envelope.data.template for _, envelope in lives.told if isinstance(envelope.data, EmailSent)}
    assert TEMPLATES.keys() - told == TOLD_ELSEWHERE


async def test_the_report_counts_who_came_who_left_and_why_and_who_returned(system: System, lives: Lives) -> None:
    command = (sys.executable, "-m", "services.console", "report", "churn", "--csv", "--since", f"{BEGINS:%Y-%m-%d}")
    printed = await asyncio.to_thread(
        subprocess.run, command, env=os.environ | system.environment, capture_output=True, text=True, check=True, timeout=60
    )
    reported = {(row["movement"], row["subscription_id"], row["reason"], row["at"]) for row in csv.DictReader(printed.stdout.splitlines())}
    paying = {each.who.subscription_id for each in STORIES if each.who.price_minor and "trial_ends_at" not in each.who.facts}
    moved = [(envelope.subject, envelope.data, envelope.time) for _, envelope in lives.told if envelope.subject in paying]
    lost = {("lost", who, fact.end_reason, at.isoformat()) for who, fact, at in moved if isinstance(fact, lifecycle.SubscriptionEnded)}
    returned = {("returned", who, "", at.isoformat()) for who, fact, at in moved if isinstance(fact, SubscriptionReactivated)}
    assert {row for row in reported if row[0] != "new"} == lost | returned
    before = {each.who.subscription_id for each in STORIES if IN_ITS_YEAR.items() <= each.who.facts.items()}
    assert {row[1] for row in reported if row[0] == "new"} == paying - before
    assert {reason for _, _, reason, _ in lost} == {"requested", "withdrawal", "refunded", "payment_failed", "pause_expired"}
    assert len(returned) == 2
