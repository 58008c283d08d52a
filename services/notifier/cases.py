"""A mail that could not be delivered is somebody's case, until a person or a new address closes it. Pure."""

from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from offramp_schemas.email_feedback import MailCaseResolved
from offramp_schemas.notification_events import MailCaseClosed, MailCaseOverdue
from services.notifier.alerts import Alert
from services.notifier.desk import Box, Desk, Step, settle
from services.notifier.states import Mail
from services.runtime.decision import Decision, Ignored

ADDRESS_TROUBLE = ("bounced", "address_bounced", "refused: 5")
"""Reasons for which another address is the remedy; a mail that could not be rendered is not mended by one."""


def remind(desk: Desk, box: Box, mail_id: str) -> Decision[Box]:
    """Nobody has dealt with it in time; said again until somebody does."""
    case = next(each for each in box.cases if each.mail_id == mail_id)
    act_by = desk.now + desk.policy.undeliverable.act_within
    later = replace(case, act_by=act_by, reminders=case.reminders + 1)
    fact = MailCaseOverdue(
        mail_id=mail_id,
        template=case.template,
        about=case.about,
        about_version=case.version,
        owner=case.owner or desk.policy.undeliverable.owner,
        missed_at=case.act_by or desk.now,
        act_by=act_by,
        reminder=later.reminders,
    )
    return settle(box, [Step(later, (fact, Alert("ops", "mail_case_overdue", mail_id, act_by).raised(desk.entity_id)))])


def resolve(desk: Desk, box: Box, event: MailCaseResolved) -> Decision[Box] | Ignored:
    """A person dealt with it."""
    case = next((each for each in box.cases if each.mail_id == event.mail_id), None)
    if case is None:
        return Ignored("no_such_case")
    return settle(box, [_closed(desk, case, "resolved", event.decided_by)])


def close(desk: Desk, box: Box, cause: Literal["address_replaced", "erased"], concerns: Callable[[Mail], bool]) -> list[Step]:
    """What resolves itself: those that it concerns."""
    return [_closed(desk, case, cause, None) for case in box.cases if concerns(case)]


def _closed(desk: Desk, case: Mail, cause: Literal["resolved", "address_replaced", "erased"], by: str | None) -> Step:
    fact = MailCaseClosed(
        mail_id=case.mail_id, template=case.template, about=case.about, about_version=case.version, cause=cause, decided_by=by
    )
    return Step(replace(case, case_closed_at=desk.now, case_closed_by=by or cause), (fact,))
