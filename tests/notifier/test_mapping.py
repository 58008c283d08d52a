"""Every follow-up of the contract has a mail, or a reason why there is none."""

import pytest

from offramp_schemas import FollowUp
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas import refund_events as refund
from offramp_schemas import retention_events as retention
from services.notifier.alerts import alert_for
from services.notifier.causes import voided_by
from services.notifier.mails import MAILS, TEMPLATES, Skip, Tell, choose
from tests.notifier.given import FACTS, example


def test_every_follow_up_of_the_contract_has_a_row() -> None:
    assert set(MAILS) == set(FACTS)


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: str(kind.kebab()))
def test_a_row_names_a_template_or_a_reason(kind: type[FollowUp]) -> None:
    choice = choose(example(kind))
    assert choice.template in TEMPLATES if isinstance(choice, Tell) else len(choice.reason) > 10


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: str(kind.kebab()))
def test_a_proof_has_no_cause_that_can_go_away(kind: type[FollowUp]) -> None:
    choice = choose(example(kind))
    if isinstance(choice, Tell) and choice.cause:
        assert TEMPLATES[choice.template] != "proof"


@pytest.mark.parametrize("rule", ["not_account_owner", "managed_by_reseller", "already_ended", "too_late_to_withdraw"])
def test_every_rejection_has_words_of_its_own(rule: str) -> None:
    choice = choose(example(lifecycle.CancellationRejected, rule=rule))
    assert isinstance(choice, Tell)
    assert TEMPLATES[choice.template] == "proof"


@pytest.mark.parametrize(
    ("reason", "asked_now", "template"),
    [
        ("requested", True, "ended_at_once"),
        ("withdrawal", True, "ended_at_once"),
        ("requested", False, "ended"),
        ("refunded", False, "ended_refunded"),
        ("payment_failed", False, "ended_unpaid"),
        ("inactivity", False, "ended_unused"),
        ("trial_expired", False, "trial_ended"),
        ("pause_expired", False, "ended"),
    ],
)
def test_the_reason_of_an_end_chooses_the_words(reason: str, asked_now: bool, template: str) -> None:
    assert choose(example(lifecycle.SubscriptionEnded, end_reason=reason, asked_now=asked_now)) == Tell(template)


def test_the_tone_of_dunning_rises_with_the_step() -> None:
    steps = [choose(example(lifecycle.PaymentRetryDue, step=step, steps=4)) for step in range(5)]
    assert isinstance(steps[0], Skip)
    assert [step.template for step in steps if isinstance(step, Tell)] == ["payment_retry"] * 3 + ["payment_last_notice"]
    hard = choose(example(lifecycle.CardUpdateDue, step=4, steps=4))
    assert isinstance(hard, Tell)
    assert hard.template == "payment_last_notice"


@pytest.mark.parametrize(("level", "audience"), [(1, "ops"), (2, "on_call"), (3, "manager")])
def test_a_stalled_refund_reaches_whom_its_level_names(level: int, audience: str) -> None:
    alert = alert_for(example(refund.RefundStalled, level=level))
    assert alert is not None
    assert alert.audience == audience


def test_money_that_the_provider_lacks_is_for_finance() -> None:
    by_owner = {owner: alert_for(example(refund.RefundFailed, owner=owner)) for owner in ("finance", "ops", None)}
    assert [alert and alert.audience for alert in by_owner.values()] == ["finance", "ops", "ops"]


def test_only_facts_that_change_something_make_mails_untrue() -> None:
    assert {kind for kind in FACTS if voided_by(example(kind))} == {
        lifecycle.CancellationScheduled,
        lifecycle.CancellationUndone,
        lifecycle.CardUpdateDue,
        lifecycle.DataRetained,
        lifecycle.DunningExhausted,
        lifecycle.DunningStopped,
        lifecycle.InactivityCleared,
        lifecycle.InactivityWarned,
        lifecycle.PaymentPastDue,
        lifecycle.PaymentRecovered,
        lifecycle.PaymentRetryDue,
        lifecycle.RenewalUpcoming,
        lifecycle.SubscriptionActivated,
        lifecycle.SubscriptionDataDeleted,
        lifecycle.SubscriptionEnded,
        pause.PaymentMethodNeeded,
        pause.ReactivationChargeDue,
        pause.ResumingSoon,
        pause.SubscriptionPaused,
        pause.SubscriptionReactivated,
        pause.SubscriptionResumed,
        retention.FeedbackRecorded,
        retention.RetentionOfferApplied,
        retention.RetentionOfferDeclined,
        retention.RetentionOfferExpired,
    }


@pytest.mark.parametrize("kind", [refund.RefundReceived, refund.RefundRejected, refund.NothingToRefund])
def test_what_lifecycle_asks_again_is_not_told_to_the_customer_again(kind: type[FollowUp]) -> None:
    assert isinstance(choose(example(kind, repeat=True)), Skip)
    assert isinstance(choose(example(kind, repeat=False)), Tell)
