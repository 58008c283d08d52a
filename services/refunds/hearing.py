"""The provider sent word of a refund. Nothing of it is believed: whatever it is about is read again, there.

Word may come twice, late, in any order or never; polling ends in the same questions, and the same answers in the same states.
After the watch nobody polls, but word still counts: money that comes back later opens the refund again.
"""

from offramp_schemas.refund_provider import ProviderRefundUpdated
from services.refunds.foreign import look, payment_with
from services.refunds.payments import Payment
from services.refunds.states import Account, Refund, SettledManually
from services.runtime.decision import Decision, Ignored, NotSeenYet


def meant(account: Account, word: ProviderRefundUpdated) -> Refund | None:
    """The refund of ours whose open attempt it is about; one that was settled otherwise has none that counts."""
    for refund in account.refunds.values():
        attempt = refund.attempt
        if attempt is None or isinstance(refund.stage, SettledManually):
            continue
        named = attempt.provider_refund_id or (word.provider_refund_id if refund.refund_id == word.refund_id else None)
        if named == word.provider_refund_id:
            return refund
    return None


def not_ours(account: Account, word: ProviderRefundUpdated) -> Decision[Account] | Ignored | NotSeenYet:
    """Somebody else's refund, as far as we know: all refunds of that payment are looked at."""
    if payment := payment_with(account, word.provider_refund_id) or _payment(account, word):
        return look(account, payment)
    if word.provider_payment_id is not None:
        return NotSeenYet(f"charge:{word.provider_payment_id}")
    return Ignored("nothing_of_ours")


def _payment(account: Account, word: ProviderRefundUpdated) -> Payment | None:
    if word.provider_payment_id is not None:
        named = (each for each in account.payments.values() if each.provider_payment_id == word.provider_payment_id)
        return next(named, None)
    refund = account.refunds.get(word.refund_id or "")
    return account.payments[refund.payment_id] if refund else None
