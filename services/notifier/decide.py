"""How the correspondence with a subscription, or a digest for people of ours, answers what it hears. Pure."""

from datetime import datetime
from typing import cast

from msgspec.structs import replace

from offramp_schemas import Contact, Event, FollowUp
from offramp_schemas.email_feedback import EmailBounced
from offramp_schemas.lifecycle_events import LifecycleFact
from offramp_schemas.notification_events import AlertRaised, MailFact
from offramp_schemas.refund_events import RefundFact
from services.notifier.desk import KIND, Box, Desk, Draft, Step, settle
from services.notifier.mails import TEMPLATES, Tell, alert_for, choose, voided_by
from services.notifier.policy import NotifierPolicy
from services.notifier.states import Correspondence, Digest, Fact, Letters, Mail
from services.runtime.decision import CallAnswered, Decision, Ignored, Input, Outcome, Timer, TimerDue, When
from services.runtime.policies import Policies

TOLD = 32  # versions remembered per template and entity; older ones count as told


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
        """The table; each row is explained where it leads."""
        desk = Desk(entity_id, self._policies.current, when.now)
        match state, event:
            case None | Correspondence(), LifecycleFact() | RefundFact():
                return _hear(desk, state or Correspondence(), event)
            case None | Digest(), AlertRaised():
                return _count(desk, state or Digest(audience=event.audience, cause=event.cause), event)
            case None, EmailBounced() | CallAnswered():
                return Ignored("no_such_mail")

            case Correspondence(), TimerDue() if event.name.startswith("silent:"):
                return _notice_silence(desk, state, event.name.partition(":")[2])
            case Digest(), TimerDue(name="window"):
                return _close_window(desk, state)
            case Correspondence() | Digest(), TimerDue():
                return _wake(desk, state, event)
            case Correspondence() | Digest(), CallAnswered():
                return _answered(desk, state, event)
            case Correspondence() | Digest(), EmailBounced(kind="hard"):
                return _bounced(desk, state, event)
            case Correspondence() | Digest(), EmailBounced():
                return Ignored("soft_bounce")  # the mail provider goes on trying
        raise TypeError(f"no rule for {type(event).__name__} in {type(state).__name__}")

    def timers(self, state: Letters) -> frozenset[Timer]:
        """One per open mail, one per refund that has to be heard of, one per open window."""
        found = [_timer_of(mail) for mail in state.mails]
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
        """`open` while a mail or a window is, else `quiet`."""
        return "open" if state.mails or (isinstance(state, Digest) and state.closes_at) else "quiet"

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


def _hear(desk: Desk, box: Correspondence, event: LifecycleFact | RefundFact) -> Outcome[Letters]:
    """A follow-up: what it makes untrue is suppressed, its own mail is written, its alert is raised."""
    about = event.refund_id if isinstance(event, RefundFact) else desk.entity_id
    known = box.facts.get(about, Fact())
    choice, alert, newer = choose(event), alert_for(event), event.version >= known.version
    template = choice.template if isinstance(choice, Tell) else ""
    if _is_told(known.told.get(template, ()), event.version) or (not newer and not template and alert is None):
        return Ignored("nothing_new")
    steps = _void(desk, box, about, event)
    if isinstance(choice, Tell):
        context = {"fact": type(event).__name__, "data": event.model_dump(mode="json")}
        step = desk.write(box, Draft(about, event.version, choice, event.contact, context))
        outdated = not newer and TEMPLATES[template] != "proof" and step.mail.state == "queued"
        steps.append(desk.void(step.mail, "outdated") if outdated else step)
        told = (*known.told.get(template, ()), event.version)[-TOLD:]
        known = replace(known, told=known.told | {template: told})
    if newer:
        known = _learn(desk, known, event)
    decision = settle(replace(box, facts=box.facts | {about: known}), steps)
    if alert is None:
        return _widen(decision)
    raised = AlertRaised(
        audience=alert.audience,
        cause=alert.cause,
        about=alert.about or desk.entity_id,
        subscription_id=desk.entity_id,
        act_by=alert.act_by,
    )
    return Decision(decision.state, (*decision.events, raised), decision.calls)


def _is_told(versions: tuple[int, ...], version: int) -> bool:
    return version in versions or (len(versions) == TOLD and version < min(versions))


def _void(desk: Desk, box: Correspondence, about: str, event: FollowUp) -> list[Step]:
    """The open mails whose cause the event takes away; an older event takes nothing from a newer mail."""
    causes = voided_by(event)
    steps = []
    for mail in box.mails if causes else ():
        reason = causes.get(mail.cause) or causes.get(mail.cause.partition(":")[0])
        if reason and mail.cause and mail.about == about and mail.version <= event.version and mail.gone is None:
            steps.append(desk.void(mail, reason))
    return steps


def _learn(desk: Desk, known: Fact, event: LifecycleFact | RefundFact) -> Fact:
    """The newest version and, of a refund that is not over, by when something is heard again."""
    deadline_at = event.deadline_at if isinstance(event, RefundFact) else None
    if deadline_at is not None and deadline_at <= desk.now:
        deadline_at = desk.now + desk.policy.silence.when_late  # missed already, so refunds goes on reminding
    return replace(known, version=event.version, state=event.state, deadline_at=deadline_at, heard_at=desk.now, alerted_at=None)


def _notice_silence(desk: Desk, box: Correspondence, refund_id: str) -> Outcome[Letters]:
    """Nothing was heard of an open refund by its deadline: refunds itself may be ill, so somebody else says it. Daily."""
    fact = replace(box.facts[refund_id], alerted_at=desk.now)
    alert = AlertRaised(audience="ops", cause="refunds_silent", about=refund_id, subscription_id=desk.entity_id)
    return Decision(replace(box, facts=box.facts | {refund_id: fact}), (alert,))


def _wake(desk: Desk, box: Box, timer: TimerDue) -> Outcome[Letters]:
    """A mail's turn has come, or its answer never did."""
    kind, _, mail_id = timer.name.partition(":")
    mail = next(each for each in box.mails if each.mail_id == mail_id)
    return _widen(settle(box, [desk.ask(mail) if kind == "send" else desk.try_again(mail, "unknown")]))


def _answered(desk: Desk, box: Box, answer: CallAnswered) -> Outcome[Letters]:
    """Of an earlier try only a success counts: a later one is already under way."""
    kind, mail_id, tried = answer.key.split(":")
    mail = next((each for each in box.mails if kind == KIND and each.mail_id == mail_id), None)
    if mail is None:
        return Ignored("mail_is_closed")
    accepted = answer.answer is not None and "refused" not in answer.answer
    if not accepted and (not mail.asked or int(tried) != mail.tries):
        return Ignored("an_earlier_try")
    return _widen(settle(box, [desk.answered(mail, answer)]))


def _bounced(desk: Desk, box: Box, bounce: EmailBounced) -> Outcome[Letters]:
    """The address does not exist: the mail becomes a case, and what waits for the same address goes nowhere either."""
    message_id = f"<{bounce.message_id.strip('<>')}>"
    mail = next((each for each in (*box.mails, *box.sent) if each.message_id == message_id), None)
    if mail is None:
        return Ignored("no_such_mail")
    others = [each for each in box.mails if each.recipient_hash == mail.recipient_hash and each is not mail and not each.asked]
    steps = [desk.fail(mail, "bounced"), *(desk.give_up_on(each, "address_bounced") for each in others)]
    bounced = (*(each for each in box.bounced if each != mail.recipient_hash), mail.recipient_hash)
    sent = tuple(each for each in box.sent if each.mail_id != mail.mail_id)
    return _widen(settle(replace(box, sent=sent, bounced=bounced[-5:]), steps))


def _count(desk: Desk, digest: Digest, alert: AlertRaised) -> Outcome[Letters]:
    """The first opens a short window, or one that waits until the last mail is old enough."""
    first = digest.first
    if alert.about not in first and len(first) < desk.policy.alerts.names_first:
        first = (*first, alert.about)
    closes_at = digest.closes_at or max(desk.now + desk.policy.alerts.window, digest.quiet_until or desk.now)
    return Decision(replace(digest, count=digest.count + 1, first=first, since=digest.since or desk.now, closes_at=closes_at))


def _close_window(desk: Desk, digest: Digest) -> Outcome[Letters]:
    """One mail for everything that was counted."""
    alerts = desk.policy.alerts
    context = {
        "fact": None,
        "data": {
            "audience": digest.audience,
            "cause": digest.cause,
            "count": digest.count,
            "first": list(digest.first),
            "since": _json(digest.since or desk.now),
            "until": _json(desk.now),
        },
    }
    contact = Contact(email=alerts.addresses[digest.audience], name=digest.audience)
    step = desk.write(digest, Draft(desk.entity_id, digest.windows + 1, Tell("alert"), contact, context))
    emptied = replace(digest, count=0, first=(), since=None, closes_at=None, quiet_until=desk.now + alerts.hold, windows=digest.windows + 1)
    return _widen(settle(emptied, [step]))


def _json(moment: datetime) -> str:
    return moment.isoformat()


def _widen(decision: Decision[Box]) -> Decision[Letters]:
    """Every postbox is a correspondence or a digest; the type of the union can't be inferred from the bound."""
    return cast("Decision[Letters]", decision)
