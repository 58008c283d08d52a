"""Leaving without a call: any hour, nothing in the way, an answer about the money at once, and nobody has to ask twice."""

from datetime import timedelta

from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import refund_events as refund
from offramp_schemas.account import DataDeleted
from offramp_schemas.email_feedback import Unsubscribed
from offramp_schemas.pause_events import ReactivationRejected
from offramp_schemas.refund_request import RefundAppealed, RefundChased, RefundDecided
from offramp_schemas.request import FeedbackSubmitted, ReactivationRequested, Requester, RetentionOfferAnswered
from offramp_schemas.retention_events import RetentionOffered
from tests.e2e.customers import DAY, Customer
from tests.stories.life import Lives, date, money
from tests.stories.script import LATE, SOON, STRANGER, day, story
from tests.stories.stage import previewed, provider_answers_again, provider_falls_silent, while_refunds_is_down

ANNA = Customer.new("Anna", period=30 * DAY, marketing_consent=True)
LEAVES = ANNA.cancels(feedback=("too_expensive",))
CLARA = Customer.new("Clara", period=30 * DAY, locale="fr")
DAVID = Customer.new("David", country="US", consumer=False)
AT_ONCE = DAVID.cancels(mode="immediately", wants_refund=True, keep_data=True)
ELIF = Customer.new("Elif", locale="tr", country="TR")
NIKO = Customer.new("Niko", country="US")
CARA = Customer.new("Cara", locale="es", country="ES")
LENA = Customer.new("Lena", country="IE")
_TRIES = CLARA.cancels(reference="CAN-mallory", requested_by=STRANGER)

anna_leaves = story(
    ANNA,
    (day(6, 2), previewed(LEAVES)),
    (day(6, 3), LEAVES),  # a Sunday
    (day(8), ANNA.wishes(RetentionOfferAnswered, answer="declined")),
    (day(36), DataDeleted()),
    (day(62), Unsubscribed()),
    (LATE, ANNA.wishes(ReactivationRequested)),
)
clara = story(
    CLARA,
    (day(3), previewed(_TRIES)),
    (day(3), _TRIES),
    (day(4), CLARA.cancels(requested_by=Requester(user_id="usr_of_support", role="support"))),
    (day(36), DataDeleted()),
)
david = story(
    DAVID,
    (day(20), previewed(AT_ONCE)),
    (day(20), AT_ONCE),
    (day(30), FeedbackSubmitted(feedback=("customer_service",), comment="Nobody answered.")),
    (day(390), DataDeleted()),
)
niko = story(NIKO, (day(78), NIKO.wants_back(4900)), (day(84), DataDeleted()), begins=LATE)
elif_ = story(
    ELIF,
    (day(110), ELIF.wants_back(2000)),
    (day(111), RefundAppealed(request_ref=f"REF-{ELIF.key}", comment="I was in hospital.")),
    (day(112), RefundDecided(request_ref=f"REF-{ELIF.key}", decision="approve", decided_by="olga")),
    begins=LATE,
)
MONDAY = 77
cara = story(
    CARA,
    (day(MONDAY), provider_falls_silent),
    (day(MONDAY), CARA.wants_back(4000)),
    (day(MONDAY, 13), RefundChased()),
    (day(MONDAY + 1), RefundChased()),
    (day(MONDAY + 1, 15), RefundChased()),
    (day(MONDAY + 1, 17), provider_answers_again),
    begins=LATE,
)
NIGHT = day(MONDAY + 3, 0)
lena = story(
    LENA,
    (NIGHT, while_refunds_is_down(LENA.cancels(mode="immediately", wants_refund=True), NIGHT, timedelta(minutes=71))),
    (day(86), DataDeleted()),
    begins=LATE,
)


@anna_leaves
def test_whoever_leaves_on_a_sunday_night_has_the_proof_at_once_and_nobody_asked_anything_first(lives: Lives) -> None:
    anna = lives[ANNA]
    proof = anna.letter("cancellation_scheduled")
    assert proof.at == day(6, 3)
    assert date(day(30)) in proof.text
    for words in (f"Reference: CAN-{ANNA.key}", f"export your data until: {date(day(35))}", "your card will not be charged for it again"):
        assert words in proof.text
    assert anna.noted[0]["told"][0]["data"]["ends_at"] == "2026-04-01T09:00:00Z", "and the site could say so before"
    assert [each["event"] for each in anna.noted[0]["told"]] == anna.said[:3]


@anna_leaves
def test_an_offer_comes_beside_the_confirmation_and_who_declines_it_leaves_on_the_day_that_was_told(lives: Lives) -> None:
    anna = lives[ANNA]
    offer = anna.letter("retention_offer")
    assert anna.templates[:2] == ["cancellation_scheduled", "retention_offer"]
    assert "this mail changes nothing about it" in offer.text
    assert money(3430) in offer.text
    assert anna.the(RetentionOffered).offer.discount_percent == 30
    assert anna.said[3:6] == ["retention-offer-declined", "subscription-ending-soon", "subscription-ended"]
    assert anna.the(lifecycle.SubscriptionEnded).ended_at == day(30)
    assert anna.letter("ending_soon").at - day(27) < SOON
    assert anna.letter("ended").at == day(30)


@anna_leaves
def test_the_last_day_to_take_ones_data_along_is_recalled_and_nothing_is_deleted_before_it(lives: Lives) -> None:
    anna = lives[ANNA]
    reminder = anna.letter("data_export_reminder")
    assert reminder.at - day(34) < SOON
    assert date(day(35)) in reminder.text
    assert anna.when(lifecycle.DataDeletionDue) == [day(35), day(36)], "its owner is asked daily, until it is done"
    assert date(day(36)) in anna.letter("data_deleted").text


@anna_leaves
def test_whoever_is_asked_back_is_promised_nothing_that_is_gone_and_one_click_ends_it(lives: Lives) -> None:
    anna = lives[ANNA]
    asked = anna.letter("win_back")
    assert asked.at - day(60) < SOON
    assert "The data you had with us is deleted" in asked.text
    assert asked.mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert ANNA.subscription_id in asked.mail["List-Unsubscribe"]
    assert anna.unsent == [("win_back_again", "opted_out.unsubscribed")]
    assert anna.the(ReactivationRejected).rule == "data_deleted"
    assert "start anew" in anna.letter("reactivation_rejected").text


@clara
def test_a_stranger_can_not_cancel_the_owner_hears_who_tried_and_support_may_for_the_owner(lives: Lives) -> None:
    clara = lives[CLARA]
    assert clara.said[:2] == ["cancellation-rejected", "cancellation-scheduled"]
    warned = clara.letter("cancellation_by_somebody_else")
    assert "Mallory" in warned.text
    assert "usr_mallory" in warned.text
    assert clara.noted[0]["says"][1]["sentence"] == "cancellation-rejected: not account owner", "a site can say so before"
    assert date(day(30), "fr") in clara.letter("cancellation_scheduled").text


@david
def test_whether_the_money_comes_back_is_said_before_the_click_and_decided_within_five_minutes_after_it(lives: Lives) -> None:
    david = lives[DAVID]
    [foreseen] = david.noted
    assert any("49.00 EUR comes back by the money-back guarantee" in each["sentence"] for each in foreseen["says"])
    approved = david.the(refund.RefundApproved)
    assert (approved.basis, approved.amount_minor) == ("guarantee", 4900)
    assert david.letter("refund_approved").at - day(20) <= SOON
    assert david.refund_mails == ["refund_received", "refund_approved", "refund_issued"]
    assert david.paid_back == (4900,)
    assert david.about_money[-2:] == ["refund-arrived", "refund-closed"]


@david
def test_data_that_was_to_be_kept_is_kept_for_a_year_and_its_last_week_is_told(lives: Lives) -> None:
    david = lives[DAVID]
    assert david.the(lifecycle.DataRetained).retained_until == day(390)
    reminder = david.letter("data_deletion_reminder")
    assert reminder.at - day(383) < SOON
    assert date(day(390)) in reminder.text
    assert david.said == [
        "subscription-ended", "survey-due", "data-retained", "feedback-recorded", "data-deletion-soon", "data-deletion-due",
        "subscription-data-deleted",
    ], "and whoever has left may still say why"  # fmt: skip


@niko
def test_whoever_only_asks_for_all_of_the_money_back_in_time_has_left_with_that(lives: Lives) -> None:
    niko = lives[NIKO]
    assert niko.the(lifecycle.SubscriptionEnded).end_reason == "refunded"
    assert niko.letter("ended_refunded").at == day(78)
    assert niko.refund_mails == ["refund_received", "refund_approved", "refund_issued"]
    assert niko.paid_back == (4900,)


@elif_
def test_a_rejection_quotes_its_rule_and_dates_and_a_person_looks_again(lives: Lives) -> None:
    elif_ = lives[ELIF]
    rejected = elif_.the(refund.RefundRejected)
    assert (rejected.rule, rejected.window_days, rejected.window_ended_at) == ("outside_refund_window", 30, LATE + 30 * DAY)
    told = elif_.letter("refund_rejected")
    for moment in (LATE, LATE + 30 * DAY, day(140)):  # the window, and until when an appeal is heard
        assert date(moment, "tr") in told.text
    assert elif_.templates == ["refund_rejected", "refund_appeal_received", "refund_approved", "refund_issued"]
    assert elif_.the(refund.RefundApproved).approved_by == "olga"
    assert elif_.paid_back == (2000,)
    assert elif_.said == [], "a part that was given back as goodwill ends nothing"


@cara
def test_a_promise_that_can_not_be_kept_is_told_before_its_day_and_three_questions_reach_the_manager(lives: Lives) -> None:
    cara = lives[CARA]
    delayed = cara.the(refund.RefundDelayed)
    assert delayed.promised_at == day(MONDAY + 2), "two business days"
    assert cara.letter("refund_delayed").at == day(MONDAY, 13)
    assert date(delayed.new_date, "es") in cara.letter("refund_delayed").text
    assert cara.templates.count("refund_status") == 3
    assert [each.raised_to_level for each in cara.all(refund.RefundStatusReported)] == [2, 3, 3]
    stalled = cara.all(refund.RefundStalled)
    assert [each.level for each in stalled[:3]] == [1, 2, 3]
    assert {each.cause for each in stalled} == {"provider_silent"}
    for address in ("ops@example.com", "on-call@example.com", "manager@example.com"):
        assert any(stalled[0].refund_id in text for text in lives.alerts(address)), f"{address} heard which one"
    assert cara.paid_back == (4000,), "it was done once, though nobody knew"
    assert cara.templates[-1] == "refund_issued"


@lena
def test_a_wish_for_money_does_not_get_lost_while_nobody_is_there_to_decide(lives: Lives) -> None:
    lena = lives[LENA]
    assert [at - NIGHT for at in lena.when(lifecycle.RefundUnacknowledged)] == [timedelta(minutes=10), timedelta(minutes=70)]
    assert any(f"CAN-{LENA.key}" in text for text in lives.alerts("ops@example.com"))
    assert lena.the(refund.RefundReceived).basis == "withdrawal"
    assert lena.paid_back == (4900,)
