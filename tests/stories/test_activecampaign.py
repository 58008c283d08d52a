"""Resting instead of leaving, trials, resellers, and the ways back with a card."""

from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas.account import DataDeleted, Reseller
from offramp_schemas.payment import PaymentMethodUpdated
from offramp_schemas.request import PauseRequested, ReactivationRequested, ResumeRequested, RetentionOfferAnswered
from offramp_schemas.retention_events import FeedbackRecorded, RetentionOfferApplied, RetentionOffered
from tests.e2e.customers import DAY, Customer
from tests.stories.life import Lives, date
from tests.stories.script import LATE, SOON, STRANGER, day, story

QUIM = Customer.new("Quim", locale="es", country="ES", marketing_consent=True)
BORIS = Customer.new("Boris", locale="bg", country="BG", marketing_consent=True)
ROSA = Customer.new("Rosa", locale="es", country="ES", trial_ends_at=day(14))
STEFAN = Customer.new("Stefan", locale="bg", country="BG", marketing_consent=True, trial_ends_at=day(14))
TONU = Customer.new(
    "Tonu", locale="et", country="EE", reseller=Reseller(reseller_id="res_1", name="Pilvepood OÜ", contact="abi@pilvepood.example")
)
UKU = Customer.new("Uku", locale="et", country="EE", payment_method_on_file=True)
UNA = Customer.new("Una", country="EE", customer_id=f"cus_{UKU.key}")  # another subscription of his
VICTOR = Customer.new("Victor", locale="fr")
WANDA = Customer.new("Wanda", payment_method_on_file=False)
XENIA = Customer.new("Xenia", period=30 * DAY, locale="bg", country="BG", payment_method_on_file=False)

quim = story(
    QUIM,
    (day(75), QUIM.cancels(feedback=("missing_features",), comment="No calendar.")),
    (day(76), QUIM.wishes(RetentionOfferAnswered, reference="MALLORY", requested_by=STRANGER, answer="declined")),
    (day(77), QUIM.wishes(RetentionOfferAnswered, answer="accepted")),
    begins=LATE,
)
boris = story(
    BORIS,
    (day(75), BORIS.cancels(feedback=("too_expensive",))),
    (day(76), BORIS.wishes(RetentionOfferAnswered, answer="accepted")),
    (day(107), BORIS.cancels(reference="CAN-again", feedback=("too_expensive",))),
    begins=LATE,
)
rosa = story(ROSA, (day(5), ROSA.cancels(feedback=("goals_not_met",), wants_refund=True)), (day(20), DataDeleted()))
stefan = story(
    STEFAN,
    (day(12), STEFAN.cancels(feedback=("too_complex",))),
    (day(13), STEFAN.wishes(RetentionOfferAnswered, answer="accepted")),
    (day(34), DataDeleted()),
)
tonu = story(
    TONU, (day(75), TONU.cancels()), (day(76), TONU.wishes(PauseRequested, days=30)), (day(77), TONU.wishes(ResumeRequested)), begins=LATE
)
uku = story(
    UKU,
    (day(4), UKU.wishes(PauseRequested, reference="PAUSE-1", days=400)),
    (day(5), UKU.wishes(PauseRequested, reference="PAUSE-2", days=60, keep_data=True)),
    (day(107), UKU.wishes(PauseRequested, reference="PAUSE-3", days=10)),
    (day(365), UKU.renews(day(365))),
    (day(370), UKU.wishes(PauseRequested, reference="PAUSE-4", days=20, keep_data=True)),
)
una = story(UNA, (day(107), UNA.wishes(PauseRequested, days=30)), begins=LATE)
victor = story(
    VICTOR,
    (day(75), VICTOR.wishes(PauseRequested, days=60, feedback=("unused",))),
    (day(81), DataDeleted()),
    (day(107), VICTOR.wishes(ResumeRequested)),
    begins=LATE,
)
wanda = story(
    WANDA, (day(75), WANDA.wishes(PauseRequested, days=9, keep_data=True)), (day(100), WANDA.wishes(ReactivationRequested)), begins=LATE
)
xenia = story(
    XENIA,
    (day(10), XENIA.cancels(keep_data=True, feedback=("unused",))),
    (day(75), XENIA.wishes(ReactivationRequested)),
    (day(76), PaymentMethodUpdated(card_brand="Visa", card_last4="1881")),
    (day(77), XENIA.pays(2, period_start=day(77), period_end=LATE + 365 * DAY)),
)


@quim
def test_what_is_missing_is_answered_with_a_session_and_staying_undoes_the_cancellation(lives: Lives) -> None:
    quim = lives[QUIM]
    assert quim.the(FeedbackRecorded).comment == "No calendar."
    assert quim.the(RetentionOffered).offer.kind == "success_session"
    assert quim.templates == ["cancellation_scheduled", "retention_offer", "retention_offer_rejected", "retention_offer_applied"]
    assert date(LATE + 365 * DAY, "es") in quim.letter("retention_offer_applied").text, "it renews as it would have"
    assert any(QUIM.subscription_id in text for text in lives.alerts("ops@example.com")), "somebody arranges it"


@boris
def test_an_offer_is_made_once_a_year_and_without_one_the_way_out_is_as_short(lives: Lives) -> None:
    boris = lives[BORIS]
    assert boris.the(RetentionOfferApplied).offer.discount_percent == 30
    assert boris.said == [
        "cancellation-scheduled", "feedback-recorded", "retention-offered", "retention-offer-applied", "cancellation-scheduled",
        "feedback-recorded",
    ]  # fmt: skip
    assert boris.templates[2:] == ["retention_offer_applied", "cancellation_scheduled"]


@rosa
def test_a_canceled_trial_just_lapses_and_is_never_charged(lives: Lives) -> None:
    rosa = lives[ROSA]
    ended = rosa.the(lifecycle.SubscriptionEnded)
    assert (ended.end_reason, ended.ended_at) == ("requested", day(14))
    assert date(day(14), "es") in rosa.letter("cancellation_scheduled").text
    assert "trial_ending" not in rosa.templates, "nothing will be charged"
    assert rosa.about_money == ["nothing-to-refund"], "which is said, when somebody asks all the same"
    assert rosa.letter("refund_nothing_paid").at <= day(5, 9, 10)


@stefan
def test_a_trial_is_recalled_before_its_charge_prolonged_on_request_and_lapses_unpaid(lives: Lives) -> None:
    stefan = lives[STEFAN]
    assert stefan.the(RetentionOfferApplied).trial_ends_at == day(28)
    charged = [date(at, "bg") in letter.text for letter, at in zip(stefan.all_of("trial_ending"), (day(14), day(28), day(28)), strict=True)]
    assert charged == [True, True, True], "three days before the first end; three and one before the later one"
    ended = stefan.the(lifecycle.SubscriptionEnded)
    assert (ended.end_reason, ended.ended_at) == ("trial_expired", day(28))
    assert stefan.letter("trial_ended").at == day(28, 10), "an hour is left for a payment to be heard"


@tonu
def test_whoever_bought_from_a_reseller_is_sent_there(lives: Lives) -> None:
    tonu = lives[TONU]
    assert tonu.said == ["cancellation-rejected", "pause-rejected", "resume-rejected"]
    for letter in tonu.letters:
        assert "Pilvepood OÜ" in letter.text
        assert "abi@pilvepood.example" in letter.text


@uku
def test_once_a_year_it_may_rest_for_a_year_at_most_and_the_data_waits(lives: Lives) -> None:
    uku = lives[UKU]
    too_long, too_soon = uku.all(pause.PauseRejected)
    assert (too_long.rule, too_long.longest_days) == ("too_long", 365)
    assert (too_soon.rule, too_soon.possible_from) == ("paused_recently", day(370))
    assert date(day(370), "et") in uku.all_of("pause_rejected")[1].text
    first, _ = uku.all(pause.SubscriptionPaused)
    assert first.data_retained
    assert uku.when(pause.SubscriptionResumed) == [day(65), day(390)]
    assert [at - day(0) for at in uku.when(pause.ResumingSoon)] == [58 * DAY, 64 * DAY, 383 * DAY, 389 * DAY]
    assert "data-deletion-due" not in uku.said, "nothing is deleted of what was to be kept"


@una
def test_that_holds_for_whichever_of_their_subscriptions_has_rested(lives: Lives) -> None:
    una = lives[UNA]
    assert una.the(pause.PauseRejected).rule == "paused_recently"
    assert una.templates == ["pause_rejected"]


@victor
def test_whoever_rests_without_keeping_the_data_is_told_when_it_goes_and_comes_back_to_an_empty_account(lives: Lives) -> None:
    victor = lives[VICTOR]
    told = victor.letter("paused")
    assert date(day(80), "fr") in told.text
    assert victor.templates == ["paused", "data_export_reminder", "data_deleted", "resumed"]
    assert victor.when(lifecycle.DataDeletionDue) == [day(80), day(81)], "five days of grace, not one less"
    resumed = victor.the(pause.SubscriptionResumed)
    assert (resumed.resumed_at, resumed.data_deleted) == (day(107), True)


@wanda
def test_a_pause_that_ends_without_a_card_asks_for_one_and_then_it_is_over(lives: Lives) -> None:
    wanda = lives[WANDA]
    assert [each.give_by for each in wanda.all(pause.PaymentMethodNeeded)][:3] == [day(98)] * 3
    assert wanda.when(pause.PaymentMethodNeeded)[:3] == [day(84), day(91), day(97)]
    ended = wanda.the(lifecycle.SubscriptionEnded)
    assert (ended.end_reason, ended.ended_at) == ("pause_expired", day(98))


@xenia
def test_data_that_was_kept_waits_for_a_return_which_costs_a_card_and_a_charge(lives: Lives) -> None:
    xenia = lives[XENIA]
    assert xenia.the(lifecycle.DataRetained).retained_until == day(400)
    asked = xenia.letter("reactivation_needs_card")
    assert (asked.at - day(75) < SOON, date(day(89), "bg") in asked.text) == (True, True)
    assert xenia.said[-3:] == ["payment-method-needed", "reactivation-charge-due", "subscription-reactivated"]
    back = xenia.the(pause.SubscriptionReactivated)
    assert (back.reactivated_at, back.at_once, back.data_deleted) == (day(77), False, False)
    assert "1881" in xenia.letter("reactivated").text
