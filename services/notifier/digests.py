"""Alerts of one cause for one audience are counted, and go out as one mail. Pure."""

from msgspec.structs import replace

from offramp_schemas import Contact
from offramp_schemas.notification_events import AlertRaised
from services.notifier.desk import Desk, Draft, settle
from services.notifier.mails import Tell
from services.notifier.states import Digest
from services.runtime.decision import Decision


def count(desk: Desk, digest: Digest, alert: AlertRaised) -> Decision[Digest]:
    """The first opens a short window, or one that waits until the last mail is old enough."""
    first = digest.first
    if alert.about not in first and len(first) < desk.policy.alerts.names_first:
        first = (*first, alert.about)
    closes_at = digest.closes_at or max(desk.now + desk.policy.alerts.window, digest.quiet_until or desk.now)
    return Decision(replace(digest, count=digest.count + 1, first=first, since=digest.since or desk.now, closes_at=closes_at))


def close_window(desk: Desk, digest: Digest) -> Decision[Digest]:
    """One mail for everything that was counted."""
    alerts = desk.policy.alerts
    context = {
        "fact": None,
        "data": {
            "audience": digest.audience,
            "cause": digest.cause,
            "count": digest.count,
            "first": list(digest.first),
            "since": (digest.since or desk.now).isoformat(),
            "until": desk.now.isoformat(),
        },
    }
    contact = Contact(email=alerts.addresses[digest.audience], name=digest.audience)
    step = desk.write(digest, Draft(desk.entity_id, digest.windows + 1, Tell("alert"), contact, context))
    emptied = replace(digest, count=0, first=(), since=None, closes_at=None, quiet_until=desk.now + alerts.hold, windows=digest.windows + 1)
    return settle(emptied, [step])
