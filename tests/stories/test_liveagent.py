"""What customers hear when something ends: the right mail, in their language, on the day that matters, and none that nags."""

from typing import Any

from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas import refund_events as refund
from offramp_schemas.account import DataDeleted
from offramp_schemas.payment import PaymentMethodUpdated
from offramp_schemas.request import FeedbackSubmitted, ReactivationRequested, RetentionOfferAnswered
from offramp_schemas.retention_events import FeedbackRecorded, PersonalOutreachRequested, RetentionOffered
from tests.e2e.customers import DAY, Customer
from tests.stories.life import Lives, date, money
from tests.stories.script import BEGINS, IN_ITS_YEAR, LATE, SOON, day, story

EMIL = Customer.new("Emil", period=30 * DAY, locale="et", country="EE", marketing_consent=True)
JAAN = Customer.new(
    "Jaan", price_minor=60_000, period=30 * DAY, locale="et", country="EE", marketing_consent=True, account_created_at=BEGINS - 900 * DAY
)
FATMA = Customer.new("Fatma", locale="tr", country="TR", marketing_consent=True)
HELENE = Customer.new("Helene", locale="fr", **IN_ITS_YEAR)
IVAN = Customer.new("Ivan", locale="bg", country="BG", **IN_ITS_YEAR)
GUSTAVO = Customer.new("Gustavo", price_minor=0, locale="es", country="ES")
_HARD: Any = {"decline_code": "expired_card", "kind": "hard", "card_brand": "Visa", "card_last4": "0341"}

emil = story(
    EMIL,
    (day(10), EMIL.cancels()),
    (day(12), FeedbackSubmitted(feedback=("technical_issues", "low_quality", "too_complex"), comment="Every export broke off.")),
    (day(36), DataDeleted()),
)
jaan = story(JAAN, (day(10), JAAN.cancels()), (day(36), DataDeleted()))
fatma = story(
    FATMA,
    (day(75), FATMA.is_not_seen(day(75))),
    (day(77), FATMA.cancels(feedback=("unused",))),
    (day(78), FATMA.wishes(RetentionOfferAnswered, answer="accepted")),
    begins=LATE,
)
helene = story(
    HELENE,
    (LATE, HELENE.renews(LATE)),
    (LATE, HELENE.fails_to_pay(**_HARD)),
    (day(72), PaymentMethodUpdated(card_brand="Visa", card_last4="4242")),
    (day(72, 10), HELENE.pays(2)),
)
ivan = story(
    IVAN,
    (LATE, IVAN.renews(LATE)),
    (LATE, IVAN.fails_to_pay(**_HARD)),
    (day(84), DataDeleted()),
    (day(86), IVAN.pays(2)),
)
gustavo = story(
    GUSTAVO,
    (day(75), GUSTAVO.is_not_seen(day(75))),
    (day(107), GUSTAVO.wishes(ReactivationRequested)),
    (day(110), DataDeleted()),
    begins=LATE,
)


@emil
def test_whoever_gave_no_reason_is_asked_once_and_trouble_that_can_be_mended_is_followed_up(lives: Lives) -> None:
    emil = lives[EMIL]
    assert emil.letter("survey").at - day(11) < SOON
    assert len(emil.the(FeedbackRecorded).feedback) == 3
    follow_up = emil.letter("feedback_technical")
    assert follow_up.at - day(12) < SOON
    assert "Every export broke off." in follow_up.text, "what they said is quoted"
    assert emil.the(lifecycle.SubscriptionEnded).ended_at == day(30), "and changes nothing about the day"
    assert [letter.template for letter in emil.letters[3:]] == [
        "ending_soon", "ended", "data_export_reminder", "data_deleted", "win_back", "win_back_again"
    ]  # fmt: skip


@jaan
def test_a_valued_customer_hears_from_a_person_and_not_from_a_survey(lives: Lives) -> None:
    jaan = lives[JAAN]
    asked = jaan.the(PersonalOutreachRequested)
    assert asked.because == ("high_value", "long_standing")
    assert asked.act_by == day(11)
    assert "survey" not in jaan.templates
    assert any(JAAN.subscription_id in text for text in lives.alerts("ops@example.com")), "somebody of ours is told to"
    assert money(60_000, "et") in jaan.letter("win_back").text


@fatma
def test_whoever_pays_and_does_not_use_it_is_told_so_and_a_pause_is_enough(lives: Lives) -> None:
    fatma = lives[FATMA]
    honest = fatma.letter("paid_but_unused")
    assert date(day(15), "tr") in honest.text, "the day it was used last"
    assert money(4900, "tr") in honest.text
    assert fatma.the(RetentionOffered).offer.kind == "pause"
    paused = fatma.the(pause.SubscriptionPaused)
    assert (paused.by_offer, paused.data_retained, paused.resumes_at) == (True, True, day(168))
    assert fatma.templates == [
        "paid_but_unused", "cancellation_scheduled", "retention_offer", "paused", "resuming_soon", "resuming_soon", "resumed"
    ]  # fmt: skip
    assert [letter.at - SOON < at <= letter.at for letter, at in zip(fatma.letters[4:6], (day(161), day(167)), strict=True)]
    assert fatma.when(pause.SubscriptionResumed) == [day(168)]


@helene
def test_an_expired_card_is_asked_for_and_with_another_one_everything_goes_on(lives: Lives) -> None:
    helene = lives[HELENE]
    assert helene.said == [
        "renewal-upcoming", "renewal-upcoming", "payment-past-due", "card-update-due", "payment-retry-due", "payment-recovered"
    ]  # fmt: skip
    assert helene.the(lifecycle.PaymentRetryDue).step == 0, "at once, with the new card; the old one is never charged again"
    assert helene.templates == [
        "renewal_reminder", "renewal_reminder", "payment_failed_card", "payment_card_reminder", "payment_recovered"
    ]  # fmt: skip
    assert date(LATE, "fr") in helene.letters[0].text
    assert [letter.at - SOON < at <= letter.at for letter, at in zip(helene.letters, (day(40), day(63)), strict=False)]
    assert "0341" in helene.letter("payment_failed_card").text


@ivan
def test_an_invoice_that_stays_unpaid_ends_it_on_the_day_that_every_mail_named(lives: Lives) -> None:
    ivan = lives[IVAN]
    ended = ivan.the(lifecycle.SubscriptionEnded)
    assert (ended.end_reason, ended.ended_at, ended.card_last4) == ("payment_failed", day(78), "0341")
    dunned = [letter for letter in ivan.letters if letter.template.startswith("payment_") and letter.at < day(78)]
    assert [letter.template for letter in dunned] == ["payment_failed_card", *["payment_card_reminder"] * 3, "payment_last_notice"]
    assert all(date(day(78), "bg") in letter.text for letter in dunned)
    last = ivan.letter("ended_unpaid")
    for words in ("0341", IVAN.invoice(2), money(4900, "bg"), date(day(83), "bg")):
        assert words in last.text


@ivan
def test_money_that_comes_after_the_end_revives_nothing_and_goes_back(lives: Lives) -> None:
    ivan = lives[IVAN]
    assert ivan.said[-1] == "payment-after-end"
    assert ivan.the(refund.RefundApproved).basis == "charged_in_error"
    assert ivan.letter("payment_after_end").at == day(86)
    assert ivan.refund_mails == ["refund_received", "refund_approved", "refund_issued"]
    assert ivan.paid_back == (4900,)
    assert any(IVAN.payment(2) in text for text in lives.alerts("finance@example.com"))


@gustavo
def test_a_free_account_that_nobody_uses_is_warned_three_times_closed_and_given_back_on_request(lives: Lives) -> None:
    gustavo = lives[GUSTAVO]
    assert gustavo.templates == [
        "inactivity_warning",
        "inactivity_warning",
        "inactivity_last_day",
        "ended_unused",
        "reactivated",
        "data_deleted_in_use",
    ]
    for letter in gustavo.letters[:3]:
        assert date(day(105), "es") in letter.text, "the day is named, and kept"
    assert "60" in gustavo.letters[0].text
    assert "90" in gustavo.letters[0].text
    assert gustavo.when(lifecycle.SubscriptionDeactivated) == [day(105)]
    assert gustavo.the(pause.SubscriptionReactivated).data_deleted is False, "within the grace period everything is still there"
    assert "gratuita" in gustavo.letter("reactivated").text, "there was no period to pay for"


@gustavo
def test_data_that_is_deleted_although_it_is_in_use_again_is_told_to_ops_and_to_the_customer(lives: Lives) -> None:
    assert lives[GUSTAVO].the(lifecycle.LiveDataDeleted).deleted_at == day(110)
    assert date(day(110), "es") in lives[GUSTAVO].letter("data_deleted_in_use").text
    assert any(GUSTAVO.subscription_id in text for text in lives.alerts("ops@example.com"))
