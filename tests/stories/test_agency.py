"""Rights that nobody can take away, and numbers that add up."""

from offramp_schemas import refund_events as refund
from offramp_schemas.account import DataDeleted
from offramp_schemas.refund_request import RefundDecided
from tests.e2e.customers import Customer
from tests.stories.life import Lives, money
from tests.stories.script import LATE, day, story

INES = Customer.new("Ines", price_minor=60_000, locale="es", country="ES")
_REF = f"CAN-{INES.key}"
ines = story(
    INES,
    (day(78), INES.cancels(mode="immediately", wants_refund=True, feedback=("low_quality",))),
    (day(78, 13), RefundDecided(request_ref=_REF, decision="reject", decided_by="otto")),
    (day(79), RefundDecided(request_ref=_REF, decision="approve", decided_by="olga")),
    (day(84), DataDeleted()),
    begins=LATE,
)
NOT_FOR_OTTO_TO_DECIDE = (INES.subscription_id, "not_allowed")


@ines
def test_whoever_withdraws_within_a_fortnight_has_everything_back_and_nobody_can_reject_it(lives: Lives) -> None:
    ines = lives[INES]
    assert ines.the(refund.RefundReceived).basis == "withdrawal"
    assert ines.the(refund.RefundReceived).person_decides, "so large a sum is looked at"
    assert ines.the(refund.RefundApproved).approved_by == "olga"
    assert "refund-rejected" not in ines.about_money
    assert ines.paid_back == (60_000,)
    assert ines.letter("ended_at_once").at == day(78)
    assert ines.refund_mails == ["refund_received", "refund_approved", "refund_issued"]
    issued = ines.letter("refund_issued")
    assert issued.at <= day(80), "two business days"
    assert money(60_000, "es") in issued.text
    assert NOT_FOR_OTTO_TO_DECIDE in lives.dead_letters
