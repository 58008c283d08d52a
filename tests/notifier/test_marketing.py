"""Advertising reaches who agreed to it, until they say no; nothing else is held back for that."""

from datetime import timedelta

import pytest

from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas import retention_events as retention
from offramp_schemas.email_feedback import EmailBounced, EmailComplained, Unsubscribed
from offramp_schemas.notification_events import AlertRaised, EmailFailed, EmailSuppressed, MarketingOptedOut
from services.notifier.decide import Notifier
from services.notifier.policy import NotifierPolicy
from services.notifier.states import Correspondence
from services.runtime.decision import Decision, Ignored, When
from services.runtime.policies import single
from tests.notifier.given import NOW, POLICY, SUBSCRIPTION, Desk, example


def offered(version: int = 5, *, consent: bool = True) -> retention.RetentionOffered:
    return example(retention.RetentionOffered, version=version, marketing_consent=consent)


def why_not(desk: Desk) -> list[tuple[str, str, str | None]]:
    return [(fact.template, fact.reason, fact.detail) for fact in desk.heard(EmailSuppressed)]


def test_an_offer_is_held_and_then_sent_to_whom_agreed() -> None:
    desk = Desk()
    desk.hear(offered())
    assert desk.calls == []
    desk.wait(POLICY.hold_status)
    assert [(call.request["template"], call.request["class"]) for call in desk.calls] == [("retention_offer", "marketing")]


@pytest.mark.parametrize("kind", [retention.RetentionOffered, retention.SurveyDue])
def test_without_consent_nothing_is_advertised_and_that_is_counted(kind: type[retention.RetentionOffered]) -> None:
    desk = Desk()
    desk.hear(example(kind, marketing_consent=False))
    assert [each[1:] for each in why_not(desk)] == [("opted_out", "no_consent")]
    assert desk.facts.mails == ()


def test_without_a_page_to_unsubscribe_nothing_is_advertised() -> None:
    policy = NotifierPolicy.model_validate({"links": {"unsubscribe": None}})
    outcome = Notifier(single(policy)).decide(SUBSCRIPTION, None, offered(), When(NOW, NOW))
    assert isinstance(outcome, Decision)
    assert [fact.detail for fact in outcome.events if isinstance(fact, EmailSuppressed)] == ["no_unsubscribe_page"]


def test_who_unsubscribes_gets_no_more_advertising_and_the_account_service_hears_of_it() -> None:
    desk = Desk()
    desk.hear(offered(5))
    mail_id = desk.mails[0].mail_id
    desk.hear(example(Unsubscribed, message_id=desk.mails[0].message_id))
    desk.hear(example(retention.WinBackDue, version=9))
    assert why_not(desk) == [("retention_offer", "opted_out", "unsubscribed"), ("win_back", "opted_out", "unsubscribed")]
    assert [(fact.cause, fact.mail_id) for fact in desk.heard(MarketingOptedOut)] == [("unsubscribed", mail_id)]


def test_who_unsubscribes_still_gets_every_proof_and_every_reminder() -> None:
    desk = Desk()
    desk.hear(example(Unsubscribed))
    desk.hear(example(lifecycle.CancellationScheduled, version=5))
    desk.hear(example(lifecycle.SubscriptionEndingSoon, version=6))
    desk.hear(example(refund.RefundIssued))
    desk.wait(POLICY.hold_status)
    assert [call.request["template"] for call in desk.calls] == ["cancellation_scheduled", "refund_issued", "ending_soon"]


def test_unsubscribing_twice_is_told_once() -> None:
    desk = Desk()
    desk.hear(example(Unsubscribed))
    assert isinstance(desk.hear(example(Unsubscribed)), Ignored)
    assert len(desk.heard(MarketingOptedOut)) == 1


def agreed(desk: Desk, hour: int, version: int) -> None:
    """An offer is heard, and with it when the customer agreed to such mail."""
    desk.hear(offered(version).model_copy(update={"marketing_consented_at": NOW + timedelta(hours=hour)}))


@pytest.mark.parametrize(
    ("heard", "wanted"),
    [
        ([("yes", 1), ("no", 2)], False),
        ([("no", 2), ("yes", 3)], True),
        ([("no", 2), ("yes", 2)], False),
        ([("yes", 2), ("no", 2)], False),
        ([("no", 2), ("yes", 3), ("no", 4)], False),
        ([("no", 2), ("yes", 3), ("no", 4), ("yes", 5)], True),
        # crossed, or late
        ([("yes", 3), ("no", 2)], True),
        ([("no", 2), ("yes", 1)], False),
        ([("no", 2), ("no", 4), ("yes", 3)], False),
        ([("no", 4), ("no", 2), ("yes", 3)], False),
        ([("yes", 5), ("no", 2), ("yes", 3)], True),
    ],
)
def test_of_agreeing_and_unsubscribing_the_newer_counts_in_whatever_order_they_are_heard(
    heard: list[tuple[str, int]], wanted: bool
) -> None:
    desk = Desk(now=NOW + timedelta(days=1))
    for version, (word, hour) in enumerate(heard, start=5):
        if word == "yes":
            agreed(desk, hour, version)
        else:
            desk.hear(example(Unsubscribed), at=NOW + timedelta(hours=hour))
    agreed(desk, 0, 20)  # the next follow-up may have been said before
    assert (desk.mail("retention_offer").state == "queued") is wanted


def test_the_account_service_hears_of_each_opt_out_but_not_of_one_that_is_older_than_the_agreement() -> None:
    desk = Desk(now=NOW + timedelta(days=1))
    for version, hour in enumerate((2, 4), start=5):
        desk.hear(example(Unsubscribed), at=NOW + timedelta(hours=hour))
        agreed(desk, hour + 1, version)
    assert isinstance(desk.hear(example(Unsubscribed), at=NOW + timedelta(hours=4)), Ignored)
    assert len(desk.heard(MarketingOptedOut)) == 2


def test_a_complaint_from_before_the_agreement_is_looked_at_and_ends_nothing() -> None:
    desk = Desk(now=NOW + timedelta(days=1))
    agreed(desk, 3, 5)
    desk.hear(example(EmailComplained), at=NOW + timedelta(hours=2))
    assert [alert.cause for alert in desk.heard(AlertRaised)] == ["complaint"]
    assert (desk.mail("retention_offer").state, desk.heard(MarketingOptedOut)) == ("queued", [])


def test_an_opt_out_of_which_nobody_kept_the_time_stands() -> None:
    desk = Desk(state=Correspondence(opted_out="unsubscribed"))
    agreed(desk, 3, 5)
    assert why_not(desk) == [("retention_offer", "opted_out", "unsubscribed")]


def test_a_complaint_ends_advertising_and_somebody_looks_at_it() -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled, version=4))
    desk.answer(desk.calls[0])
    desk.hear(offered(5))
    desk.hear(example(EmailComplained, message_id=desk.mails[0].message_id))
    assert why_not(desk) == [("retention_offer", "opted_out", "complained")]
    assert [(fact.cause, fact.mail_id) for fact in desk.heard(MarketingOptedOut)] == [("complained", desk.mails[0].mail_id)]
    assert [(alert.cause, alert.about, alert.act_by) for alert in desk.heard(AlertRaised)] == [
        ("complaint", desk.mails[0].mail_id, desk.now + POLICY.undeliverable.act_within)
    ]


def test_every_complaint_is_looked_at_but_the_opt_out_is_told_once() -> None:
    desk = Desk()
    desk.hear(example(Unsubscribed))
    desk.hear(example(EmailComplained))
    desk.hear(example(EmailComplained))
    assert (len(desk.heard(MarketingOptedOut)), len(desk.heard(AlertRaised))) == (1, 2)


def test_who_says_that_it_was_no_spam_has_not_complained() -> None:
    assert isinstance(Desk().hear(example(EmailComplained, kind="not-spam")), Ignored)


def test_a_complaint_from_people_of_ours_ends_nothing() -> None:
    desk = Desk("ops:ops:renewal_missing")
    desk.hear(AlertRaised(audience="ops", cause="renewal_missing", about="sub_1", subscription_id="sub_1"))
    assert isinstance(desk.hear(example(EmailComplained)), Ignored)


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (retention.RetentionOfferApplied, ("outdated", "answered")),
        (retention.RetentionOfferDeclined, ("outdated", "answered")),
        (retention.RetentionOfferExpired, ("outdated", "expired")),
        (lifecycle.CancellationUndone, ("withdrawn", None)),
        (lifecycle.SubscriptionEnded, ("ended", None)),
    ],
)
def test_an_offer_that_is_answered_or_over_is_not_sent(then: type[lifecycle.LifecycleFact], reason: tuple[str, str | None]) -> None:
    desk = Desk()
    desk.hear(offered(5))
    desk.hear(example(then, version=6))
    assert [each[1:] for each in why_not(desk)][:1] == [reason]


def test_nobody_is_asked_for_a_reason_that_has_just_been_given() -> None:
    desk = Desk()
    desk.hear(example(retention.SurveyDue, version=5, marketing_consent=True))
    desk.hear(example(retention.FeedbackRecorded, version=6, feedback=("unused",)))
    assert why_not(desk) == [("survey", "outdated", "answered")]


def test_nobody_is_told_that_their_data_waits_once_it_is_gone() -> None:
    desk = Desk()
    desk.hear(example(retention.WinBackDue, version=9))
    desk.hear(example(lifecycle.SubscriptionDataDeleted, version=10))
    assert why_not(desk) == [("win_back", "outdated", "deleted")]


def test_advertising_that_can_not_be_delivered_is_nobodys_case() -> None:
    desk = Desk()
    desk.hear(offered())
    desk.wait(POLICY.hold_status)
    desk.answer(desk.calls[0], {"refused": 550})
    assert desk.heard(EmailFailed) == []
    assert why_not(desk) == [("retention_offer", "outdated", "undeliverable")]


def test_advertising_that_bounces_is_nobodys_case_but_the_address_is_remembered() -> None:
    desk = Desk()
    desk.hear(offered(5))
    desk.wait(POLICY.hold_status)
    desk.answer(desk.calls[0])
    desk.hear(example(EmailBounced, message_id=desk.mails[0].message_id, kind="hard"))
    assert desk.heard(EmailFailed) == []
    desk.hear(example(lifecycle.SubscriptionEndingSoon, version=6))
    assert why_not(desk) == [("ending_soon", "address_bounced", None)]
