"""The life of one mail: written, sent or tried again, and in the end sent, suppressed or somebody's case. Pure."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar, cast

from msgspec.structs import replace

from offramp_schemas import Contact, Event
from offramp_schemas.base import ERASED as NOBODY
from offramp_schemas.notification_events import EmailFailed, EmailSent, EmailSuppressed
from services.notifier.alerts import Alert
from services.notifier.causes import ERASED
from services.notifier.mails import TEMPLATES, Tell
from services.notifier.policy import NotifierPolicy
from services.notifier.states import Correspondence, Mail, Postbox
from services.runtime.decision import Call, CallAnswered, Decision, id_of

MAIL_IDS = uuid.UUID("5f0e5b52-51a3-5c5f-8d3e-3a1f3f0e0002")
REMEMBERED = 10  # sent mails per correspondence: what a bounce can still name
KIND = "mail"

Box = TypeVar("Box", bound=Postbox)
SuppressReason = Literal["recovered", "withdrawn", "ended", "outdated", "opted_out", "address_bounced", "cleared", "digested"]


class Draft(NamedTuple):
    """What a mail says to whom, and the version of what it is about."""

    about: str
    version: int
    tell: Tell
    contact: Contact
    context: Mapping[str, Any]
    consent: bool = True
    """To marketing; what is no marketing needs none."""


class Step(NamedTuple):
    """What one thing that happened makes of one mail."""

    mail: Mail
    events: tuple[Event, ...] = ()
    calls: tuple[Call, ...] = ()


def hash_of(address: str) -> str:
    """What is kept of an address when its mail is over: SHA-256 of it in lower case, hexadecimal."""
    return hashlib.sha256(address.lower().encode()).hexdigest()


def mail_id_of(about: str, version: int, template: str, recipient_hash: str) -> str:
    """The same four always make the same mail."""
    return id_of(MAIL_IDS, f"{about}|{version}|{template}|{recipient_hash}")


def settle(box: Box, steps: Iterable[Step]) -> Decision[Box]:
    """Puts the mails in their place: open ones into the state, ended ones among `closed`, and cases among those, too."""
    mails = {mail.mail_id: mail for mail in box.mails}
    cases = {mail.mail_id: mail for mail in box.cases}
    closed, sent = list(box.closed), list(box.sent)
    events: list[Event] = []
    calls: list[Call] = []
    for step in steps:
        mail = step.mail
        events += step.events
        calls += step.calls
        if mail.state == "queued":
            mails[mail.mail_id] = mail
            continue
        mails.pop(mail.mail_id, None)
        closed.append(mail)
        if mail.state == "sent":
            sent.append(replace(mail, rendered=None))
        if mail.state == "undeliverable" and mail.template != "alert" and mail.case_closed_at is None:
            cases[mail.mail_id] = mail
        else:
            cases.pop(mail.mail_id, None)
    kept = tuple(sent[-REMEMBERED:])
    changed = replace(box, mails=tuple(mails.values()), closed=tuple(closed), sent=kept, cases=tuple(cases.values()))
    return Decision(changed, tuple(events), tuple(calls))


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the mails of a correspondence (or digest) are dealt with. In business time: `now`, and `at`, when what is heard came about."""

    entity_id: str
    policy: NotifierPolicy
    now: datetime
    at: datetime

    def write(self, box: Postbox, draft: Draft) -> Step:
        """A new mail: a proof is asked to be sent at once, another waits a little for its cause to go."""
        about, version, tell, contact, context, _ = draft
        mail_class, recipient = TEMPLATES[tell.template], hash_of(contact.email)
        mail_id = mail_id_of(about, version, tell.template, recipient)
        mail = Mail(
            mail_id=mail_id,
            about=about,
            version=version,
            template=tell.template,
            mail_class=mail_class,
            cause=tell.cause,
            locale=contact.locale,
            recipient_hash=recipient,
            message_id=f"<{mail_id}@{self.policy.sender.domain}>",
            due_by=self.now + self.policy.deliver_within[mail_class],
            address=contact.email,
            context=dict(context),
            send_after=self.now + self.policy.hold_status,
            since=self.at,
            promised_by=self.at + self.policy.proof_within if mail_class == "proof" and tell.template != "alert" else None,
        )
        if recipient in box.bounced:
            return self.give_up_on(mail, "address_bounced")
        if mail_class == "marketing" and (unwanted := self._unwanted(box, draft)):
            return self.suppress(mail, unwanted)
        return self.ask(mail) if mail_class == "proof" else Step(mail)

    def _unwanted(self, box: Postbox, draft: Draft) -> str | None:
        """Why this customer gets no marketing mail: they never agreed, took it back, or could not take it back."""
        if isinstance(box, Correspondence) and box.opted_out:
            return f"opted_out.{box.opted_out}"
        if not draft.consent:
            return "opted_out.no_consent"
        return None if self.policy.links.unsubscribe else "opted_out.no_unsubscribe_page"

    def ask(self, mail: Mail) -> Step:
        """Asks for it to be sent. While no answer comes, the timer asks again."""
        return self._requested(mail, mail.tries + 1)

    def ask_again(self, mail: Mail) -> Step:
        """No answer so far: the same try under the same key, so that a call which only waits for its turn is not made twice."""
        return self._over(mail, "unknown") or self._requested(mail, mail.tries)

    def catch_up(self, mails: Iterable[Mail], due: Mail | None = None) -> list[Step]:
        """Asks for every proof that waits for its next try, in the order they were written: a later one must not overtake it.

        One that may have arrived is repeated when it is due itself, not with each of the others.
        """
        waiting = (each for each in mails if each.mail_class == "proof" and not each.asked)
        return [self.ask(each) for each in waiting if each is due or not each.doubtful]

    def _requested(self, mail: Mail, tries: int) -> Step:
        asked = replace(mail, asked=True, tries=tries, send_after=self.now + self.policy.answer_within)
        request = {
            "mail_id": mail.mail_id,
            "message_id": mail.message_id,
            "template": mail.template,
            "class": mail.mail_class,
            "locale": mail.locale,
            "to": mail.address,
            "date": self.now.isoformat(),
            "subscription_id": self.entity_id,
            "context": mail.context,
        }
        return Step(asked, calls=(Call(KIND, f"{KIND}:{mail.mail_id}:{asked.tries}", request),))

    def answered(self, mail: Mail, answer: CallAnswered) -> Step:
        """What the mail server said, or that it could not be asked."""
        if answer.answer is None:
            return self.try_again(mail, answer.trouble or "unknown")
        if (refused := answer.answer.get("refused")) is not None:
            return self.suppress(mail, mail.gone) if mail.gone else self.fail(mail, f"refused: {refused}")
        sent = self._close(mail, "sent", rendered=answer.answer.get("rendered"))
        fact = EmailSent(
            mail_id=mail.mail_id,
            template=mail.template,
            about=mail.about,
            about_version=mail.version,
            message_id=mail.message_id,
            sent_at=self.now,
        )
        return Step(sent, (fact,))

    def try_again(self, mail: Mail, trouble: str) -> Step:
        """Later, after ever longer waits, unless it is over. A proof was promised: it is there soon after the mail server is.

        One that may have arrived (`unknown`) is not repeated every few minutes.
        """
        waits = self.policy.try_again_after
        wait = waits[min(mail.tries, len(waits)) - 1]
        if mail.mail_class == "proof":
            wait = min(wait, self.policy.proof_again_within if trouble == "unreachable" else self.policy.proof_within)
        later, doubtful = min(self.now + wait, mail.due_by), trouble != "unreachable"
        return self._over(mail, trouble) or Step(replace(mail, asked=False, send_after=later, doubtful=doubtful))

    def _over(self, mail: Mail, trouble: str) -> Step | None:
        """Its cause has gone while it was on its way, or its time has."""
        if mail.gone is not None:
            return self.suppress(mail, mail.gone)
        return self.fail(mail, trouble) if self.now >= mail.due_by else None

    def void(self, mail: Mail, reason: str) -> Step:
        """Its cause is gone. One that is being sent just now can't be called back, but is not tried again."""
        return Step(replace(mail, gone=reason)) if mail.asked else self.suppress(mail, reason)

    def forget(self, mail: Mail) -> Step:
        """Whom it was for asked to be forgotten. Of one that is being sent just now, address and words are overwritten."""
        step = self.void(mail, ERASED)
        return Step(replace(step.mail, address=NOBODY.email, context={})) if step.mail.state == "queued" else step

    def give_up_on(self, mail: Mail, reason: str) -> Step:
        """The address does not exist: a proof becomes a case, anything else is suppressed."""
        return self.fail(mail, reason) if mail.mail_class == "proof" else self.suppress(mail, reason)

    def suppress(self, mail: Mail, reason: str) -> Step:
        """Not sent, on purpose, and counted."""
        kind, _, detail = reason.partition(".")
        fact = EmailSuppressed(
            mail_id=mail.mail_id,
            template=mail.template,
            about=mail.about,
            about_version=mail.version,
            reason=cast("SuppressReason", kind),  # checked by the model
            detail=detail or None,
        )
        return Step(self._close(mail, "suppressed", reason=reason), (fact,))

    def fail(self, mail: Mail, reason: str) -> Step:
        """Undeliverable: somebody's case from now on, unless it only advertised. People of ours are told, unless it was a mail to them."""
        if mail.mail_class == "marketing":
            return self.suppress(mail, "outdated.undeliverable")
        case = self.policy.undeliverable
        act_by = self.now + case.act_within
        failed = self._close(mail, "undeliverable", reason=reason, owner=case.owner, act_by=act_by)
        fact = EmailFailed(
            mail_id=mail.mail_id,
            template=mail.template,
            about=mail.about,
            about_version=mail.version,
            reason=reason,
            owner=case.owner,
            act_by=act_by,
        )
        if mail.template == "alert":
            return Step(failed, (fact,))
        return Step(failed, (fact, Alert("ops", "mail_undeliverable", mail.mail_id, act_by).raised(self.entity_id)))

    def _close(self, mail: Mail, state: Literal["sent", "suppressed", "undeliverable"], **changes: Any) -> Mail:
        """Over: the address and what was written are forgotten."""
        return replace(mail, state=state, send_after=None, asked=False, address=None, context=None, closed_at=self.now, **changes)
