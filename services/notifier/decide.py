"""How the correspondence with a subscription, or a digest for people of ours, answers what it hears. Pure."""

from typing import Any, cast

from msgspec.structs import replace

from offramp_schemas import Event, FollowUp
from offramp_schemas.email_feedback import EmailBounced, EmailComplained, MailCaseResolved, Unsubscribed
from offramp_schemas.lifecycle_events import LifecycleFact, PersonForgotten
from offramp_schemas.notification_events import AlertRaised, MailFact
from offramp_schemas.refund_events import ForeignRefundClosed, ForeignRefundSeen, NothingToRefund, RefundFact
from services.notifier import cases, digests
from services.notifier.correspondence import find, forget, hear, hear_of_foreign_refund, is_nobodys, notice_silence, opt_out
from services.notifier.desk import KIND, Box, Desk, settle
from services.notifier.policy import NotifierPolicy
from services.notifier.states import Correspondence, Digest, Letters, Mail
from services.runtime.decision import CallAnswered, Ignored, Input, Outcome, Timer, TimerDue, When
from services.runtime.policies import Policies


class Notifier:
    """The rules of the notifier: implements `services.runtime.decision.Decider`."""

    def __init__(self, policies: Policies[NotifierPolicy]) -> None:
        self._policies = policies

    def route(self, event: Event, subject: str) -> tuple[str, ...]:
        """A correspondence per subscription; alerts meet in a digest per audience and cause."""
        if isinstance(event, AlertRaised):
            return (f"ops:{event.audience}:{event.cause}",)
        return (subject,)

    def supplies(self, event: Event) -> frozenset[str]:
        """Nothing: the notifier waits for nobody."""
        return frozenset()

    def decide(self, entity_id: str, state: Letters | None, event: Input, when: When) -> Outcome[Letters]:
        """Two tables; each row is explained where it leads."""
        desk = Desk(entity_id, self._policies.current, when.now, when.at)
        if isinstance(state, Digest) or isinstance(event, AlertRaised):
            return _in_digest(desk, cast("Digest | None", state), event)
        return _in_correspondence(desk, state, event)

    def timers(self, state: Letters) -> frozenset[Timer]:
        """One per open mail and per case, one per refund that has to be heard of, one per open window."""
        found = [_timer_of(mail) for mail in state.mails]
        found += [Timer(f"case:{case.mail_id}", case.act_by) for case in state.cases if case.act_by]
        if isinstance(state, Digest):
            if state.closes_at is not None:
                found.append(Timer("window", state.closes_at))
            return frozenset(found)
        silence = self._policies.current.silence
        for about, fact in state.facts.items():
            if fact.deadline_at is not None:
                # guarded: not silent is who is only not read yet
                due_at = fact.alerted_at + silence.repeat if fact.alerted_at else fact.deadline_at + silence.after_deadline
                found.append(Timer(f"silent:{about}", due_at, takes_away=True))
        return frozenset(found)

    def name(self, state: Letters) -> str:
        """`open` while a mail, a case or a window is, else `quiet`."""
        return "open" if state.mails or state.cases or (isinstance(state, Digest) and state.closes_at) else "quiet"

    def identify(self, entity_id: str, state: Letters, fact: FollowUp) -> tuple[str, str]:
        """A mail and what became of it; an alert is about what it says."""
        if isinstance(fact, MailFact):
            closed = next((mail.state for mail in reversed(state.closed) if mail.mail_id == fact.mail_id), "queued")
            return fact.mail_id, closed
        return (fact.about, "raised") if isinstance(fact, AlertRaised) else (entity_id, self.name(state))


def _timer_of(mail: Mail) -> Timer:
    """A status mail may not outrun the news that it is no longer true, so its timer waits for the watermarks."""
    kind = "unanswered" if mail.asked else "send"
    return Timer(f"{kind}:{mail.mail_id}", mail.send_after or mail.due_by, takes_away=not mail.asked and mail.mail_class != "proof")


def _in_correspondence(desk: Desk, state: Correspondence | None, event: Input) -> Outcome[Any]:
    """What is heard about a subscription, its refunds, and its reader."""
    box = state or Correspondence()
    match event:
        case PersonForgotten():
            return forget(desk, box, event)
        case LifecycleFact() | RefundFact() | NothingToRefund():
            return hear(desk, box, event)
        case ForeignRefundSeen() | ForeignRefundClosed():
            return hear_of_foreign_refund(desk, box, event)
        case Unsubscribed() | EmailComplained():
            return opt_out(desk, box, event)
        case TimerDue() if event.name.startswith("silent:"):
            return notice_silence(desk, box, event.name.partition(":")[2])
    return _in_postbox(desk, box, event)


def _in_digest(desk: Desk, state: Digest | None, event: Input) -> Outcome[Any]:
    """What is heard for one audience about one cause."""
    match state, event:
        case _, AlertRaised():
            return digests.count(desk, state or Digest(audience=event.audience, cause=event.cause), event)
        case Digest(), TimerDue(name="window"):
            return digests.close_window(desk, state)
        case _, Unsubscribed() | EmailComplained():
            return Ignored("no_marketing_here")
    return _in_postbox(desk, cast("Digest", state), event)


def _in_postbox(desk: Desk, box: Letters, event: Input) -> Outcome[Any]:
    """What becomes of mails, whatever they are about."""
    match event:
        case TimerDue():
            return _wake(desk, box, event)
        case CallAnswered():
            return _answered(desk, box, event)
        case EmailBounced(kind="hard"):
            return _bounced(desk, box, event)
        case EmailBounced():
            return Ignored("soft_bounce")  # the mail provider goes on trying
        case MailCaseResolved():
            return cases.resolve(desk, box, event)
    raise TypeError(f"no rule for {type(event).__name__} in {type(box).__name__}")


def _wake(desk: Desk, box: Letters, timer: TimerDue) -> Outcome[Any]:
    """A mail's turn has come, its answer has not, or nobody has dealt with a case."""
    kind, _, mail_id = timer.name.partition(":")
    if kind == "case":
        return cases.remind(desk, box, mail_id)
    mail = next(each for each in box.mails if each.mail_id == mail_id)
    if kind == "unanswered":
        return settle(box, [desk.ask_again(mail)])
    return settle(box, [*desk.catch_up(box.mails, mail), *([] if mail.mail_class == "proof" else [desk.ask(mail)])])


def _answered(desk: Desk, box: Box, answer: CallAnswered) -> Outcome[Box]:
    """Of an earlier try only a success counts: a later one is already under way."""
    kind, mail_id, tried = answer.key.split(":")
    mail = next((each for each in box.mails if kind == KIND and each.mail_id == mail_id), None)
    if mail is None:
        return Ignored("mail_is_closed")
    accepted = answer.answer is not None and "refused" not in answer.answer
    if not accepted and (not mail.asked or int(tried) != mail.tries):
        return Ignored("an_earlier_try")
    waiting = [each for each in box.mails if accepted and each is not mail]
    return settle(box, [desk.answered(mail, answer), *desk.catch_up(waiting)])


def _bounced(desk: Desk, box: Box, bounce: EmailBounced) -> Outcome[Box]:
    """The address does not exist: the mail is a case, unless it advertised, and what waits for the same address goes nowhere either."""
    mail = find(box, bounce.message_id)
    if mail is None:
        return Ignored("no_such_mail")
    others = [each for each in box.mails if each.recipient_hash == mail.recipient_hash and each is not mail and not each.asked]
    steps = [] if mail.mail_class == "marketing" or is_nobodys(box, mail) else [desk.fail(mail, "bounced")]
    steps += [desk.give_up_on(each, "address_bounced") for each in others]
    bounced = (*(each for each in box.bounced if each != mail.recipient_hash), mail.recipient_hash)
    sent = tuple(each for each in box.sent if each.mail_id != mail.mail_id)
    return settle(replace(box, sent=sent, bounced=bounced[-5:]), steps)
