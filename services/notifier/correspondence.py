"""How the correspondence with a subscription answers what it hears about it, its refunds and its reader. Pure."""

from msgspec.structs import replace

from offramp_schemas import FollowUp
from offramp_schemas.email_feedback import EmailComplained, Unsubscribed
from offramp_schemas.lifecycle_events import LifecycleFact, PersonForgotten
from offramp_schemas.notification_events import AlertRaised, MarketingOptedOut
from offramp_schemas.refund_events import ForeignRefundClosed, ForeignRefundSeen, NothingToRefund, RefundFact
from offramp_schemas.retention_events import RetentionOffered, SurveyDue, WinBackDue
from services.notifier import cases
from services.notifier.alerts import Alert, alert_for
from services.notifier.causes import voided_by
from services.notifier.desk import Box, Desk, Draft, Step, hash_of, settle
from services.notifier.mails import TEMPLATES, Choice, Skip, Tell, choose
from services.notifier.states import Correspondence, Fact, Mail, OptOut, Postbox
from services.runtime.decision import Decision, Ignored

Told = LifecycleFact | RefundFact | NothingToRefund
_ASKS_ONLY_WITH_CONSENT = (RetentionOffered, SurveyDue)
_KNOWS_WHEN_THEY_AGREED = (*_ASKS_ONLY_WITH_CONSENT, WinBackDue)
TOLD = 32  # versions remembered per template and entity; older ones count as told


def hear(desk: Desk, box: Correspondence, event: Told) -> Decision[Correspondence] | Ignored:
    """A follow-up: what it makes untrue is suppressed, its own mail is written, its alert is raised."""
    about = _about(desk, event)
    known = box.facts.get(about, Fact())
    choice, alert, newer = _wanted(box, event), alert_for(event), event.version >= known.version
    template = choice.template if isinstance(choice, Tell) else ""
    if _is_told(known.told.get(template, ()), event.version) or (not newer and not template and alert is None):
        return Ignored("nothing_new")
    box = _agreed(box, event)
    steps = _void(desk, box, about, event) + (_readdressed(desk, box, event) if newer else [])
    if isinstance(choice, Tell):
        step = desk.write(box, _draft(about, choice, event))
        if not newer and TEMPLATES[template] != "proof" and step.mail.state == "queued":
            step = desk.void(step.mail, "outdated")
        steps += [*(desk.catch_up(box.mails) if step.calls else ()), step]
        told = (*known.told.get(template, ()), event.version)[-TOLD:]
        known = replace(known, told=known.told | {template: told})
    if newer:
        known = _learn(desk, known, event)
    decision = settle(replace(box, facts=box.facts | {about: known}), steps)
    return decision if alert is None else _with(decision, alert.raised(desk.entity_id))


def _about(desk: Desk, event: Told) -> str:
    """The refund, the wish for one, or the subscription: each has versions of its own."""
    match event:
        case RefundFact():
            return event.refund_id
        case NothingToRefund():
            return event.request_ref
        case _:
            return desk.entity_id


def _wanted(box: Correspondence, event: Told) -> Choice:
    """The mail of the table, unless its reader asked to be forgotten: then only an open refund still knows the address."""
    if event.contact.erased or (box.forgotten and not isinstance(event, RefundFact)):
        return Skip("who asked to be forgotten is not written to")
    return choose(event)


def _draft(about: str, tell: Tell, event: Told) -> Draft:
    context = {"fact": type(event).__name__, "data": event.model_dump(mode="json")}
    consent = event.marketing_consent if isinstance(event, _ASKS_ONLY_WITH_CONSENT) else True
    return Draft(about, event.version, tell, event.contact, context, consent)


def _is_told(versions: tuple[int, ...], version: int) -> bool:
    return version in versions or (len(versions) == TOLD and version < min(versions))


def _void(desk: Desk, box: Correspondence, about: str, event: FollowUp) -> list[Step]:
    """The open mails whose cause the event takes away; an older event takes nothing from a newer mail."""
    causes = voided_by(event)
    named = tuple(causes)
    steps = []
    for mail in box.mails if causes else ():
        if not mail.cause.startswith(named) or mail.about != about:
            continue
        reason = causes.get(mail.cause) or causes.get(mail.cause.partition(":")[0])
        if reason and mail.version <= event.version and mail.gone is None:
            steps.append(desk.void(mail, reason))
    return steps


def _readdressed(desk: Desk, box: Correspondence, event: Told) -> list[Step]:
    """The subscription has another address now: cases that were about the old one are over. A refund may still know the old one."""
    if not box.cases or not isinstance(event, LifecycleFact) or event.contact.erased:
        return []
    present = hash_of(event.contact.email)
    return cases.close(
        desk,
        box,
        "address_replaced",
        lambda case: case.recipient_hash != present and (case.reason or "").startswith(cases.ADDRESS_TROUBLE),
    )


def _learn(desk: Desk, known: Fact, event: Told) -> Fact:
    """The newest version and, of a refund that is not over, by when something is heard again."""
    deadline_at = event.deadline_at if isinstance(event, RefundFact) else None
    if deadline_at is not None and deadline_at <= desk.now:
        deadline_at = desk.now + desk.policy.silence.when_late  # missed already, so refunds goes on reminding
    return replace(known, version=event.version, state=event.state, deadline_at=deadline_at, heard_at=desk.now, alerted_at=None)


def hear_of_foreign_refund(
    desk: Desk, box: Correspondence, event: ForeignRefundSeen | ForeignRefundClosed
) -> Decision[Correspondence] | Ignored:
    """A refund that is not ours is nobody's request: no mail, an alert while it is unexplained. It has no version of its own."""
    alert = alert_for(event)
    return Ignored("nothing_to_tell") if alert is None else Decision(box, (alert.raised(desk.entity_id),))


def notice_silence(desk: Desk, box: Correspondence, refund_id: str) -> Decision[Correspondence]:
    """Nothing was heard of an open refund by its deadline: refunds itself may be ill, so somebody else says it. Daily."""
    fact = replace(box.facts[refund_id], alerted_at=desk.now)
    return Decision(replace(box, facts=box.facts | {refund_id: fact}), (Alert("ops", "refunds_silent", refund_id).raised(desk.entity_id),))


def forget(desk: Desk, box: Correspondence, event: PersonForgotten) -> Decision[Correspondence] | Ignored:
    """The customer asked to be forgotten: what is open about them goes nowhere, but the proofs of a refund that is still open."""
    known = box.facts.get(desk.entity_id, Fact())
    if box.forgotten:
        return Ignored("nothing_new")
    box = replace(box, forgotten=True)
    steps = [desk.forget(mail) for mail in box.mails if is_nobodys(box, mail)]
    steps += cases.close(desk, box, "erased", lambda case: is_nobodys(box, case))
    if event.version >= known.version:
        known = _learn(desk, known, event)
    return settle(replace(box, facts=box.facts | {desk.entity_id: known}), steps)


def is_nobodys(box: Postbox, mail: Mail) -> bool:
    """Its reader asked to be forgotten, and it is not about a refund that is still open."""
    if not isinstance(box, Correspondence) or not box.forgotten:
        return False
    about = box.facts.get(mail.about)
    return about is None or about.deadline_at is None


def opt_out(desk: Desk, box: Correspondence, event: Unsubscribed | EmailComplained) -> Decision[Correspondence] | Ignored:
    """No more marketing until they agree anew, and nothing else is held back. Who complained was annoyed: somebody looks at it."""
    if isinstance(event, EmailComplained) and event.kind == "not-spam":
        return Ignored("not_spam")  # the recipient takes an earlier complaint back; consent is not ours to restore
    mail = find(box, event.message_id)
    mail_id = mail.mail_id if mail else None
    decision = _opted_out(desk, box, _cause(event), mail_id)
    if isinstance(event, EmailComplained):
        act_by = desk.now + desk.policy.undeliverable.act_within
        said = Decision(box) if isinstance(decision, Ignored) else decision
        return _with(said, Alert("ops", "complaint", mail_id, act_by).raised(desk.entity_id))
    return decision


def _opted_out(desk: Desk, box: Correspondence, cause: OptOut, mail_id: str | None) -> Decision[Correspondence] | Ignored:
    """What was said last counts, by when it was said; of one moment, the no."""
    if box.consented_at and desk.at < box.consented_at:
        return Ignored("agreed_since")
    if box.opted_out and box.opted_out_at and desk.at <= box.opted_out_at:
        return Ignored("nothing_new")
    steps = [desk.void(each, f"opted_out.{cause}") for each in box.mails if each.mail_class == "marketing" and each.gone is None]
    decision = settle(replace(box, opted_out=box.opted_out or cause, opted_out_at=desk.at), steps)
    return decision if box.opted_out else _with(decision, MarketingOptedOut(cause=cause, mail_id=mail_id))


def _agreed(box: Correspondence, event: Told) -> Correspondence:
    """An agreement to marketing that is newer than the opt-out ends it; one that is older changes nothing."""
    at = event.marketing_consented_at if isinstance(event, _KNOWS_WHEN_THEY_AGREED) else None
    if at is None or (box.consented_at and at <= box.consented_at):
        return box
    over = box.opted_out and box.opted_out_at and at > box.opted_out_at
    return replace(box, consented_at=at, opted_out=None if over else box.opted_out, opted_out_at=None if over else box.opted_out_at)


def _cause(event: Unsubscribed | EmailComplained) -> OptOut:
    return "complained" if isinstance(event, EmailComplained) else "unsubscribed"


def find(box: Box, message_id: str | None) -> Mail | None:
    """The mail that has this Message-ID, with or without its angle brackets; of those sent, the last few."""
    wanted = f"<{(message_id or '').strip('<>')}>"
    return next((each for each in (*box.mails, *box.sent) if each.message_id == wanted), None)


def _with(decision: Decision[Correspondence], event: AlertRaised | MarketingOptedOut) -> Decision[Correspondence]:
    return Decision(decision.state, (*decision.events, event), decision.calls)
