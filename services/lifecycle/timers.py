"""When a subscription wakes: a function of its state, so that none is forgotten and none has to be canceled.

Those that take something away are guarded: they wait until every input has been read past their moment.
"""

from datetime import datetime

from services.lifecycle.states import (
    Active,
    Dunning,
    Ended,
    Inactivity,
    NonRenewing,
    PastDue,
    Paused,
    Reminder,
    Resting,
    Return,
    Subscription,
    Trialing,
)
from services.runtime.decision import Timer


def timers(state: Subscription) -> frozenset[Timer]:
    """Never empty, but for deleted data and for a free plan, when nobody is owed anything."""
    due = _own(state) + _of_staying_and_leaving(state)
    if state.refund_acks:
        due += [Timer(f"refund-ack:{ref}", ack.due_at) for ref, ack in state.refund_acks.items()]
    return frozenset(due)


def _own(state: Subscription) -> list[Timer]:
    match state:
        case PastDue():
            return [_of_dunning(invoice, dunning) for invoice, dunning in state.dunnings.items()]
        case Active():
            silence = [Timer("renewal-missing", state.silence_at)] if state.silence_at else []
            return silence + _of_inactivity(state.inactivity)
        case Trialing():
            return [Timer("trial-end", state.lapses_at, takes_away=True), *_of_inactivity(state.inactivity)]
        case NonRenewing():
            return [*_mail("ending-soon", state.remind_at), Timer("end", state.ends_at, takes_away=True)]
        case Paused():
            return [*_of_pause(state), *_of_data(state)]
        case Ended():
            return [*_of_return(state.returning), *_of_data(state)]


def _of_pause(state: Paused) -> list[Timer]:
    reminder = _mail("pause-reminder", state.remind_at)
    if state.expires_at:
        return [*reminder, Timer("pause-expiry", state.expires_at, takes_away=True)]
    return [*reminder, Timer("resume", state.resumes_at, takes_away=True)]


def _of_return(waiting: Return | None) -> list[Timer]:
    if waiting is None:
        return []
    return [*_mail("return-reminder", waiting.remind_at), Timer("return-expiry", waiting.give_by, takes_away=True)]


def _of_data(state: Resting) -> list[Timer]:
    if state.deleted_at:
        return []
    retained = [Timer("data-retained", state.retain_at, takes_away=True)] if state.retain_at else []
    return [
        *_mail("export-reminder", state.export_reminder_at),
        *retained,
        *_mail("data-deletion-reminder", state.deletion_reminder_at),
        Timer("data-deletion", state.ask_deletion_at, takes_away=True),
    ]


def _of_staying_and_leaving(state: Subscription) -> list[Timer]:
    """What is said to customers so that they stay, say why they leave, or return."""
    match state:
        case Trialing() | Active():
            return _of_charges(state.reminders or ())
        case NonRenewing():
            offer = state.heard.offer if state.heard.offer and state.heard.offer.outcome is None else None
            open_offer = [Timer("offer-expired", offer.expires_at, takes_away=True)] if offer else []
            return [*open_offer, *_mail("survey", state.cancellation.survey_at)]
        case Ended():
            survey_at = state.cancellation.survey_at if state.cancellation else None
            return [*_mail("survey", survey_at), *_mail("win-back", state.win_back_at)]
        case _:
            return []


def _of_charges(reminders: tuple[Reminder, ...]) -> list[Timer]:
    """The next one of each kind: the others come after it."""
    next_at: dict[str, datetime] = {}
    for each in reminders:
        next_at.setdefault(each.kind, each.at)
    return [Timer(f"reminder:{kind}", at) for kind, at in next_at.items()]


def _of_dunning(invoice: str, dunning: Dunning) -> Timer:
    if dunning.next_step_at:
        return Timer(f"dunning:{invoice}:{dunning.step + 1}", dunning.next_step_at)
    return Timer(f"give-up:{invoice}", dunning.gives_up_at, takes_away=True)


def _of_inactivity(flag: Inactivity | None) -> list[Timer]:
    if flag is None:
        return []
    if flag.warn_at:
        return _mail("inactivity:warning", flag.warn_at)
    mails = _mail("inactivity:reminder", flag.remind_at) + _mail("inactivity:last_day", flag.last_day_at)
    return [*mails, Timer("inactivity:deactivation", flag.deactivate_at, takes_away=True)]


def _mail(name: str, at: datetime | None) -> list[Timer]:
    return [Timer(name, at)] if at else []
