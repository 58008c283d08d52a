"""Whatever happens in whatever order: an open mail wakes, a timer that fires is gone, and no mail exists twice."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from offramp_schemas import Event
from offramp_schemas.email_feedback import EmailBounced, EmailComplained, MailCaseResolved, Unsubscribed
from offramp_schemas.notification_events import AlertRaised
from services.notifier.causes import ERASED
from services.notifier.correspondence import is_nobodys
from services.notifier.states import Correspondence, Digest
from tests.notifier.given import FACTS, NOTIFIER, Desk, example

EXAMPLES = [example(kind) for kind in FACTS]
facts = st.tuples(st.just("fact"), st.integers(0, len(FACTS) - 1), st.integers(1, 12))
answers = st.tuples(st.just("answer"), st.integers(0, 50), st.sampled_from(["accepted", "refused", "unreachable", "unknown"]))
bounces = st.tuples(st.just("bounce"), st.integers(0, 50), st.sampled_from(["hard", "soft"]))
others = st.tuples(st.just("other"), st.integers(0, 50), st.sampled_from(["complains", "unsubscribes", "resolves"]))
waits = st.tuples(st.just("wait"), st.integers(1, 5000), st.none())
steps = st.lists(st.one_of(facts, answers, bounces, others, waits), max_size=30)


def play(desk: Desk, step: tuple[str, int, object]) -> None:
    match step:
        case "fact", number, int(version):
            desk.hear(EXAMPLES[number].model_copy(update={"version": version}))
        case "answer", number, str(word) if desk.calls:
            call = desk.calls[number % len(desk.calls)]
            desk.answer(call, {"refused": 550} if word == "refused" else None, word if word.startswith("un") else None)
        case "bounce", number, str(kind) if desk.mails:
            desk.hear(example(EmailBounced, message_id=desk.mails[number % len(desk.mails)].message_id, kind=kind))
        case "other", number, str(word) if desk.mails:
            mail = desk.mails[number % len(desk.mails)]
            kinds: dict[str, Event] = {
                "complains": example(EmailComplained, message_id=mail.message_id),
                "unsubscribes": example(Unsubscribed, message_id=mail.message_id),
                "resolves": example(MailCaseResolved, mail_id=mail.mail_id),
            }
            desk.hear(kinds[word])
        case "wait", minutes, None:
            desk.wait(timedelta(minutes=minutes))


def check(desk: Desk) -> None:
    assert desk.state is not None
    timers = NOTIFIER.timers(desk.state)
    for mail in desk.state.mails:
        assert mail.state == "queued"
        assert [timer for timer in timers if timer.name.endswith(mail.mail_id)]
        assert not mail.asked or desk.calls
    if isinstance(desk.state, Correspondence):
        open_refunds = {about for about, fact in desk.state.facts.items() if fact.deadline_at}
        assert {f"silent:{about}" for about in open_refunds} <= {timer.name for timer in timers}
        waiting = [mail for mail in desk.state.mails if not mail.asked]
        assert not desk.state.opted_out or all(mail.mail_class != "marketing" for mail in waiting)
        assert not [mail for mail in waiting if is_nobodys(desk.state, mail)]
    closed = desk.state.closed
    assert not {mail.mail_id for mail in closed} & {mail.mail_id for mail in desk.state.mails}
    assert len({call.key for call in desk.calls}) == len(desk.calls)
    assert all(mail.mail_class != "proof" or mail.state != "suppressed" or mail.reason == ERASED for mail in closed)
    assert {f"case:{case.mail_id}" for case in desk.state.cases} <= {timer.name for timer in timers}
    assert all(case.address is None and case.context is None for case in desk.state.cases)
    assert len([mail for mail in closed if mail.state == "sent"]) == len({mail.mail_id for mail in closed if mail.state == "sent"})


@settings(max_examples=150, deadline=None)
@given(steps)
def test_a_correspondence_never_forgets_a_mail(history: list[tuple[str, int, object]]) -> None:
    desk = Desk()
    for step in history:
        play(desk, step)
        if desk.state:
            check(desk)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.just(("alert", 0, None)), answers, bounces, waits), max_size=30))
def test_a_digest_never_forgets_an_alert(history: list[tuple[str, int, object]]) -> None:
    desk = Desk("ops:ops:renewal_missing")
    raised = 0
    for step in history:
        if step[0] == "alert":
            desk.hear(AlertRaised(audience="ops", cause="renewal_missing", about=f"sub_{raised}", subscription_id=f"sub_{raised}"))
            raised += 1
        else:
            play(desk, step)
        if desk.state:
            check(desk)
    if isinstance(desk.state, Digest):
        counted = {call.request["mail_id"]: call.request["context"]["data"]["count"] for call in desk.calls}
        unmade = sum(1 for mail in desk.state.closed if mail.tries == 0)
        assert sum(counted.values()) + desk.state.count == raised or unmade
        assert desk.state.count == 0 or desk.state.closes_at
