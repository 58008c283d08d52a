"""What makes a mail untrue that has not left yet: the cause it was written for holds no longer."""

from collections.abc import Mapping

from offramp_schemas import FollowUp
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas import retention_events as retention

ERASED = "outdated.erased"
"""The one reason for which a proof is not sent either: nobody is there any more to prove something to."""


def voided_by(event: FollowUp) -> Mapping[str, str]:
    """Causes that no longer hold, with the reason to count; `invoice` stands for every invoice.

    A reason may have a finer word behind a dot: `outdated.resumed` is told as reason and detail.
    """
    match event:
        case lifecycle.PaymentRecovered(invoice_id=invoice):
            return {f"invoice:{invoice}": "recovered"}
        case lifecycle.PaymentPastDue(invoice_id=invoice):
            return {f"invoice:{invoice}": "outdated", "recovery": "outdated"}  # "nothing is open any more" would be no longer true
        case lifecycle.PaymentRetryDue() | lifecycle.CardUpdateDue() | lifecycle.DunningExhausted():
            return {f"invoice:{event.invoice_id}": "outdated"}
        case lifecycle.DunningStopped():
            return {"invoice": "ended"}
        case lifecycle.InactivityWarned():
            return {"inactivity": "outdated"}
        case lifecycle.InactivityCleared():
            return {"inactivity": "cleared"}
        case lifecycle.RenewalUpcoming():
            return {"renewal": "outdated"}
        case lifecycle.SubscriptionActivated():
            return {"renewal": "outdated.paid"}
        case retention.FeedbackRecorded():
            return {"survey": "outdated.answered", "feedback": "outdated"}
    return _by_leaving(event) or _by_returning(event)


def _by_leaving(event: FollowUp) -> Mapping[str, str]:
    """A cancellation, a pause or an end; and what it takes with it that was said before."""
    match event:
        case lifecycle.CancellationScheduled():
            return {"inactivity": "outdated", "renewal": "outdated.canceled"}
        case pause.SubscriptionPaused():
            return dict.fromkeys(("inactivity", "renewal", "cancellation", "offer", "survey"), "outdated.paused")
        case lifecycle.CancellationRejected(rule="already_ended"):
            return {"return": "withdrawn"}  # who cancels what has ended wants to return no longer
        case pause.ReactivationRejected(rule="not_paid_in_time"):
            return {"return": "outdated.rejected"}
        case lifecycle.SubscriptionEnded():
            return dict.fromkeys(("invoice", "cancellation", "inactivity", "offer", "renewal", "pause", "return"), "ended")
        case lifecycle.DataRetained():
            return {"data": "outdated.retained"}
        case lifecycle.SubscriptionDataDeleted():
            return dict.fromkeys(("data", "pause", "return", "win_back"), "outdated.deleted")  # they say that there is data
    return {}


def _by_returning(event: FollowUp) -> Mapping[str, str]:
    """The customer stays or is back; and an offer that is answered or over."""
    match event:
        case lifecycle.CancellationUndone():
            return dict.fromkeys(("cancellation", "offer", "survey"), "withdrawn")
        case retention.RetentionOfferApplied():
            return dict.fromkeys(("cancellation", "offer", "survey"), "outdated.answered")
        case retention.RetentionOfferDeclined():
            return {"offer": "outdated.answered"}
        case retention.RetentionOfferExpired():
            return {"offer": "outdated.expired"}
        case pause.ResumingSoon():
            return {"pause": "outdated"}
        case pause.PaymentMethodNeeded():
            return {"return": "outdated", "pause": "outdated"}
        case pause.ReactivationChargeDue():
            return {"return": "outdated.answered"}
        case pause.SubscriptionResumed():
            return dict.fromkeys(("pause", "return", "data"), "outdated.resumed")
        case pause.SubscriptionReactivated():
            return dict.fromkeys(("return", "data", "survey", "win_back"), "outdated.reactivated")
    return {}
