"""Real SMTP: what arrives, what it means when it doesn't, and connections that are used again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from dev.mailbox import Mailbox
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import retention_events as retention
from offramp_schemas.base import Contact
from services.notifier.policy import NotifierPolicy
from services.notifier.render import Renderer
from services.notifier.smtp import MailServer, Postman
from services.runtime.calls import Unknown, Unreachable
from tests.notifier.given import NOW, Desk, example

POLICY = NotifierPolicy()
RENDERER = Renderer(POLICY)


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[Mailbox]:
    server = await Mailbox.start(tmp_path / "maildir")
    yield server
    await server.stop()


@pytest.fixture
async def postman(mailbox: Mailbox) -> AsyncIterator[Postman]:
    async with MailServer("127.0.0.1", mailbox.port, connections=2, timeout=1.5, rest=0) as server:
        yield Postman(server, POLICY, RENDERER)


def request(number: int = 1, **changes: Any) -> dict[str, Any]:
    """What the notifier's rules ask for."""
    desk = Desk(f"sub_{number}")
    desk.hear(example(lifecycle.CancellationScheduled, **changes))
    return dict(desk.calls[0].request)


async def test_a_mail_arrives_as_it_was_meant(postman: Postman, mailbox: Mailbox) -> None:
    asked = request()
    answer = await postman(asked)
    [mail] = mailbox.messages()
    assert answer["accepted"] is True
    assert answer["rendered"].startswith("Subject: Your cancellation is confirmed")
    assert mail["To"] == "aoife.byrne@example.com"
    assert mail["From"] == "Example <hello@example.com>"
    assert mail["Message-ID"] == asked["message_id"] == answer["message_id"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] is None
    assert mail["Date"].datetime.astimezone(UTC) == NOW
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert plain.get_content().splitlines() == answer["rendered"].split("\n\n", 1)[1].splitlines()
    assert '<html lang="en"' in html.get_content()


async def test_mails_about_one_subscription_are_one_thread(postman: Postman, mailbox: Mailbox) -> None:
    for each in (request(1), request(1, version=9), request(2)):
        await postman(each)
    threads = [mail["References"] for mail in mailbox.messages()]
    assert len(threads) == 3
    assert len(set(threads)) == 2


async def test_a_recipient_that_does_not_exist_is_a_definite_answer(postman: Postman, mailbox: Mailbox) -> None:
    mailbox.refuse("550 5.1.1 Nobody", times=1)
    assert await postman(request(1)) == {"refused": 550}
    assert (await postman(request(2)))["accepted"] is True


async def test_later_means_that_it_was_not_done(postman: Postman, mailbox: Mailbox) -> None:
    mailbox.refuse("451 4.3.0 Later", times=1)
    with pytest.raises(Unreachable):
        await postman(request(1))
    assert (await postman(request(1)))["accepted"] is True
    assert len(mailbox.messages()) == 1


async def test_a_server_that_is_down_was_certainly_not_reached(postman: Postman, mailbox: Mailbox) -> None:
    await postman(request(1))
    await mailbox.go_down()
    with pytest.raises(Unreachable):
        await postman(request(2))
    await mailbox.come_back()
    assert (await postman(request(2)))["accepted"] is True


@pytest.mark.parametrize(("rest", "knocks"), [(60, 2), (0, 20)])
async def test_that_a_server_can_not_be_reached_is_found_out_for_all(rest: float, knocks: int) -> None:
    knocked = 0

    def slam_the_door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal knocked
        knocked += 1
        writer.close()

    async with await asyncio.start_server(slam_the_door, "127.0.0.1") as door:
        port = door.sockets[0].getsockname()[1]
        async with MailServer("127.0.0.1", port, connections=2, rest=rest) as server:
            postman = Postman(server, POLICY, RENDERER)
            answers = await asyncio.gather(*(postman(request(number)) for number in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unreachable}
    assert knocked == knocks


async def test_who_finds_no_connection_free_was_certainly_not_sent(mailbox: Mailbox) -> None:
    mailbox.be_slow(0.1)
    async with MailServer("127.0.0.1", mailbox.port, connections=1, patience=0) as server:
        postman = Postman(server, POLICY, RENDERER)
        answers = await asyncio.gather(*(postman(request(number)) for number in (1, 2)), return_exceptions=True)
        assert [isinstance(answer, Unreachable) for answer in answers] == [False, True]
        assert (await postman(request(2)))["accepted"] is True


async def test_a_connection_that_the_server_closed_while_idle_goes_unnoticed(postman: Postman, mailbox: Mailbox) -> None:
    await postman(request(1))
    await mailbox.go_down()
    await mailbox.come_back()
    assert (await postman(request(2)))["accepted"] is True


async def test_a_server_too_slow_to_take_the_recipient_was_not_reached(postman: Postman, mailbox: Mailbox) -> None:
    mailbox.be_slow(4.0, times=1)
    with pytest.raises(Unreachable):
        await postman(request(1))
    assert (await postman(request(1)))["accepted"] is True


async def test_an_answer_lost_after_the_message_is_unknown_and_the_repeat_has_the_same_message_id(
    postman: Postman, mailbox: Mailbox
) -> None:
    mailbox.lose_the_answer(times=1)
    with pytest.raises(Unknown):
        await postman(request(1))
    await postman(request(1))
    assert len({mail["Message-ID"] for mail in mailbox.messages()}) == 1


async def test_several_mails_go_at_once_over_few_connections_that_are_used_again(postman: Postman, mailbox: Mailbox) -> None:
    await asyncio.gather(*(postman(request(number)) for number in range(40)))
    assert len(mailbox.messages()) == 40
    assert len(postman.server._idle) == 2


async def test_one_refusal_among_many_harms_no_other(postman: Postman, mailbox: Mailbox) -> None:
    mailbox.refuse("550 5.1.1 Nobody", recipient="nobody@example.com")
    nobody = Contact(email="nobody@example.com", name="Nobody")
    answers = await asyncio.gather(*(postman(request(n, **({"contact": nobody} if n % 5 == 0 else {}))) for n in range(20)))
    assert [answer.get("refused") for answer in answers] == [550 if n % 5 == 0 else None for n in range(20)]


@pytest.mark.parametrize("typed", ["Team\r\nBcc: thief@evil.example", "Team\u2028Bcc: thief@evil.example", "Team\x85Bcc: x", "Ü" * 300])
async def test_what_a_stranger_typed_never_becomes_a_header_or_a_recipient(postman: Postman, mailbox: Mailbox, typed: str) -> None:
    contact = Contact.model_construct(email="a@example.com", name=typed, locale="en")
    asked = request(contact=contact, plan_name=typed)
    await postman(asked)
    [mail] = mailbox.messages()
    assert mail["Bcc"] is None
    assert mail["X-RcptTo"] == "a@example.com"
    assert len(mail.get_all("Subject", [])) == 1


async def test_an_address_in_other_letters_is_written_as_mail_servers_know_it(postman: Postman, mailbox: Mailbox) -> None:
    for address in ("anna@kõrv.example", "õie@example.com"):
        assert (await postman(request(contact=Contact(email=address, name="Anna"))))["accepted"] is True
    assert {mail["X-RcptTo"] for mail in mailbox.messages()} == {"anna@xn--krv-ona.example", "õie@example.com"}


async def test_a_mail_that_can_not_be_rendered_is_a_definite_answer(postman: Postman, mailbox: Mailbox) -> None:
    assert await postman(request() | {"template": "nothing"}) == {"refused": "not_renderable"}
    assert await postman(request() | {"context": {"fact": "CancellationScheduled", "data": {}}}) == {"refused": "not_renderable"}
    assert mailbox.messages() == []


async def test_advertising_needs_a_way_out(mailbox: Mailbox) -> None:
    desk = Desk()
    desk.hear(example(retention.RetentionOffered))
    desk.wait(POLICY.hold_status)
    asked = dict(desk.calls[0].request)
    policy = NotifierPolicy.model_validate({"links": {"unsubscribe": None}})
    async with MailServer("127.0.0.1", mailbox.port) as server:
        assert "unsubscribe" in str((await Postman(server, policy, Renderer(policy))(asked))["refused"])
        assert (await Postman(server, POLICY, RENDERER)(asked))["accepted"] is True
    [mail] = mailbox.messages()
    page = f"https://example.com/unsubscribe/sub_1/{asked['mail_id']}"
    assert mail["List-Unsubscribe"] == f"<{page}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain = mail.get_body(("plain",))
    assert isinstance(plain, EmailMessage)
    assert page in plain.get_content()
    assert "not advertising" not in plain.get_content()


async def test_the_whole_way_from_a_fact_to_the_mailbox(postman: Postman, mailbox: Mailbox) -> None:
    desk = Desk()
    desk.hear(example(lifecycle.CancellationScheduled))
    desk.answer(desk.calls[0], dict(await postman(desk.calls[0].request)))
    assert desk.mail("cancellation_scheduled").state == "sent"
    assert "Reference: CAN-7Q2M4X" in (desk.mail("cancellation_scheduled").rendered or "")
