"""Fair terms: what is due is said before, nothing is charged after, and second thoughts are welcome."""

from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas import refund_events as refund
from offramp_schemas.account import DataDeleted, PriceChange, SubscriptionRenewed
from offramp_schemas.email_feedback import Unsubscribed
from offramp_schemas.request import ReactivationRequested, RetentionOfferAnswered
from offramp_schemas.retention_events import RetentionOfferExpired
from tests.e2e.customers import DAY, Customer
from tests.stories.life import Lives, date, money
from tests.stories.script import BEGINS, IN_ITS_YEAR, LATE, PLAN_WITH_NOTICE, SOON, day, story

KADRI = Customer.new("Kadri", locale="et", country="EE", **IN_ITS_YEAR)
LEA = Customer.new("Lea", period=30 * DAY, locale="fr")
MERT = Customer.new("Mert", locale="tr", country="TR", **IN_ITS_YEAR)
NADIA = Customer.new("Nadia", period=30 * DAY, locale="bg", country="BG", marketing_consent=True, commitment_ends_at=day(90))
ODILE = Customer.new("Odile", period=30 * DAY, locale="fr", plan=PLAN_WITH_NOTICE, plan_name="Team")
PILAR = Customer.new("Pilar", locale="es", country="ES")
OLIVIER = Customer.new("Olivier", period=30 * DAY, locale="fr", marketing_consent=True)

kadri = story(
    KADRI,
    (day(20), KADRI.changes(BEGINS, price_change=PriceChange(price_minor=5900, currency="EUR", effective_at=LATE))),
    (LATE, SubscriptionRenewed(current_period_start=LATE, current_period_end=LATE + 365 * DAY, price_minor=5900, currency="EUR")),
    (LATE, KADRI.pays(2, amount_minor=5900)),
)
lea = story(LEA, (day(10), LEA.cancels(feedback=("other",))), (day(29), LEA.pays(2)), (day(36), DataDeleted()))
mert = story(
    MERT,
    (LATE, MERT.renews(LATE)),
    (LATE, MERT.fails_to_pay()),
    (day(72), MERT.cancels(feedback=("too_expensive",))),
    (day(78), DataDeleted()),
)
nadia = story(
    NADIA,
    (day(10), NADIA.cancels(feedback=("too_expensive",))),
    (day(30), NADIA.wishes(RetentionOfferAnswered, answer="accepted")),
    (day(30), NADIA.pays(2, period_start=day(30), period_end=day(60))),
    (day(96), DataDeleted()),
)
odile = story(ODILE, (day(20), ODILE.cancels(feedback=("other",))), (day(56), DataDeleted()))
pilar = story(
    PILAR,
    (day(75), PILAR.cancels(feedback=("other",))),
    (day(76), PILAR.stays()),
    (day(80), PILAR.cancels(reference="CAN-again", mode="immediately", feedback=("other",))),
    (day(82), PILAR.wishes(ReactivationRequested)),
    begins=LATE,
)
olivier = story(
    OLIVIER,
    (day(2), Unsubscribed(via="page")),
    (day(10), OLIVIER.cancels()),
    (day(31), OLIVIER.stays()),
    (day(35), OLIVIER.cancels(reference="CAN-again")),
    (day(36), DataDeleted()),
)


@kadri
def test_another_price_is_told_a_month_and_a_week_before_it_is_charged(lives: Lives) -> None:
    kadri = lives[KADRI]
    assert kadri.templates == ["price_change", "price_change"], "instead of the reminder of the renewal"
    for letter, at in zip(kadri.letters, (day(40), day(63)), strict=True):
        assert letter.at - at < SOON
        for words in (date(LATE, "et"), money(4900, "et"), money(5900, "et")):
            assert words in letter.text


@lea
def test_whoever_is_charged_after_the_cancellation_has_it_back_unasked_and_the_end_stands(lives: Lives) -> None:
    lea = lives[LEA]
    assert lea.the(lifecycle.ChargedAfterCancellation).payment_id == LEA.payment(2)
    assert lea.the(refund.RefundApproved).basis == "charged_in_error"
    assert lea.paid_back == (4900,)
    assert any(LEA.payment(2) in text for text in lives.alerts("finance@example.com"))
    assert lea.the(lifecycle.SubscriptionEnded).ended_at == day(30)


@mert
def test_an_open_invoice_is_named_with_the_confirmation_and_nobody_is_chased_any_longer(lives: Lives) -> None:
    mert = lives[MERT]
    assert mert.said[2:6] == ["payment-past-due", "payment-retry-due", "dunning-stopped", "subscription-ended"]
    proof = mert.letter("ended_at_once")
    assert proof.at == day(72), "nothing is paid for any longer"
    assert MERT.invoice(2) in proof.text
    assert money(4900, "tr") in proof.text
    assert [letter.template for letter in mert.letters if letter.at > day(72)] == ["data_export_reminder", "data_deleted"]


@nadia
def test_a_minimum_term_is_kept_and_the_confirmation_says_so(lives: Lives) -> None:
    nadia = lives[NADIA]
    assert nadia.the(lifecycle.CancellationScheduled).ends_at == day(90)
    assert date(day(90), "bg") in nadia.letter("cancellation_scheduled").text
    assert "charged-after-cancellation" not in nadia.said, "a month within the term is rightly charged"
    assert nadia.the(lifecycle.SubscriptionEnded).ended_at == day(90)


@nadia
def test_an_offer_that_nobody_answers_expires_and_an_answer_too_late_is_told_so(lives: Lives) -> None:
    nadia = lives[NADIA]
    assert nadia.when(RetentionOfferExpired) == [day(24), day(30)]
    assert [each.answered_late for each in nadia.all(RetentionOfferExpired)] == [False, True]
    assert date(day(90), "bg") in nadia.letter("retention_offer_expired").text


@odile
def test_a_notice_period_counts_from_the_day_it_was_asked_for(lives: Lives) -> None:
    odile = lives[ODILE]
    assert odile.the(lifecycle.CancellationScheduled).ends_at == day(50)
    assert date(day(50), "fr") in odile.letter("cancellation_scheduled").text
    assert odile.the(lifecycle.SubscriptionEnded).ended_at == day(50)


@pilar
def test_second_thoughts_before_the_end_and_after_it_bring_everything_back_while_it_is_paid_for(lives: Lives) -> None:
    pilar = lives[PILAR]
    back = pilar.the(pause.SubscriptionReactivated)
    assert (back.at_once, back.data_deleted, back.renews_at) == (True, False, LATE + 365 * DAY)
    assert pilar.templates == ["cancellation_scheduled", "cancellation_undone", "ended_at_once", "reactivated"], "and nothing of the data"
    assert date(LATE + 365 * DAY, "es") in pilar.letter("cancellation_undone").text
    assert date(LATE + 365 * DAY, "es") in pilar.letter("reactivated").text


@olivier
def test_a_proof_comes_whatever_mail_was_unsubscribed_from(lives: Lives) -> None:
    olivier = lives[OLIVIER]
    assert f"CAN-{OLIVIER.key}" in olivier.letter("cancellation_scheduled").text
    assert olivier.unsent == [
        ("survey", "opted_out.unsubscribed"),
        ("win_back", "opted_out.unsubscribed"),
        ("win_back_again", "opted_out.unsubscribed"),
    ]
    late = olivier.letter("withdrawal_too_late")
    assert late.at == day(31)
    assert "https://example.com/come-back" in late.text, "the way back that there is"
    assert date(day(30), "fr") in olivier.letter("cancellation_already_ended").text
