"""The mailbox, and how it misbehaves when it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from dev.mailbox import Mailbox
from dev.places import HOST


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Mailbox]:
    """A mailbox of this test's own."""
    server = await Mailbox.start(tmp_path / "mail")
    yield server
    await server.stop()


async def test_a_mail_arrives_as_it_was_sent(box: Mailbox) -> None:
    await _send(box, "ada@example.com", "Your subscription ends on 3 März")
    [mail] = box.messages()
    assert mail["Subject"] == "Your subscription ends on 3 März"
    assert mail.get_content() == "Grüße\n"


async def test_mails_can_be_asked_for_by_their_recipient(box: Mailbox) -> None:
    await _send(box, "ada@example.com", "first")
    await _send(box, "bob@example.com", "second")
    assert [mail["Subject"] for mail in box.messages(to="bob@example.com")] == ["second"]


async def test_it_refuses_one_recipient_for_good_and_takes_the_others(box: Mailbox) -> None:
    box.refuse("550 5.1.1 Nobody here", recipient="gone@example.com")
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refusal:
        await _send(box, "gone@example.com", "lost")
    await _send(box, "ada@example.com", "kept")
    assert refusal.value.recipients[0].code == 550
    assert [mail["Subject"] for mail in box.messages()] == ["kept"]


async def test_it_refuses_the_next_message_and_takes_the_one_after(box: Mailbox) -> None:
    box.refuse("451 4.3.0 Later", times=1)
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await _send(box, "ada@example.com", "too early")
    await _send(box, "ada@example.com", "in time")
    assert [mail["Subject"] for mail in box.messages()] == ["in time"]


async def test_it_is_slower_than_the_sender_waits(box: Mailbox) -> None:
    box.be_slow(5)
    with pytest.raises(aiosmtplib.SMTPTimeoutError):
        await _send(box, "ada@example.com", "late", timeout=0.2)


async def test_it_delivers_and_loses_the_answer(box: Mailbox) -> None:
    box.lose_the_answer(times=1)
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await _send(box, "ada@example.com", "did it arrive?")
    assert [mail["Subject"] for mail in box.messages()] == ["did it arrive?"]


async def test_it_goes_down_and_comes_back(box: Mailbox) -> None:
    client = aiosmtplib.SMTP(hostname=HOST, port=box.port)
    await client.connect()
    await box.go_down()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await client.noop()
    with pytest.raises(aiosmtplib.SMTPConnectError):
        await _send(box, "ada@example.com", "refused")
    await box.come_back()
    await _send(box, "ada@example.com", "accepted")
    assert [mail["Subject"] for mail in box.messages()] == ["accepted"]


async def test_it_behaves_again_when_told_to(box: Mailbox) -> None:
    box.refuse("451 4.3.0 Later")
    box.behave()
    await _send(box, "ada@example.com", "fine")
    assert len(box.messages()) == 1


async def _send(box: Mailbox, to: str, subject: str, timeout: float = 5) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "offramp@example.com", to, subject
    mail.set_content("Grüße\n")
    await aiosmtplib.send(mail, hostname=HOST, port=box.port, timeout=timeout)
