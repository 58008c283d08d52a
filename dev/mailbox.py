"""A mail server that delivers everything to one Maildir, and misbehaves on request."""

from __future__ import annotations

import asyncio
import email.policy
import mailbox
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from itertools import count
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from dev.places import HOST, StackError, claim_port

_LARGEST = 32 * 1024 * 1024  # bytes
_numbers = count(1)


@dataclass
class _Trouble:
    """One way of misbehaving. `left` is how many messages it still concerns; None for all."""

    recipient: str | None = None
    left: int | None = None
    reply: str | None = None
    seconds: float = 0.0
    hangs_up: bool = False

    def concerns(self, recipient: str) -> bool:
        return self.left != 0 and self.recipient in {None, recipient}

    def strikes(self) -> None:
        if self.left is not None:
            self.left -= 1


@dataclass
class Mailbox:
    """The server and its Maildir. It lives in this process, on the event loop that started it."""

    maildir: Path
    port: int
    _server: asyncio.Server | None = None
    _troubles: list[_Trouble] = field(default_factory=list)
    _sessions: set[SMTP] = field(default_factory=set)

    @classmethod
    async def start(cls, maildir: Path, port: int | None = None) -> Mailbox:
        """Listen on a free port, or on the one that was chosen. Raises StackError if that is in use."""
        server = cls(maildir, claim_port(port, "the mailbox"))
        mailbox.Maildir(maildir, create=True)
        await server.come_back()
        return server

    async def stop(self) -> None:
        """Stop listening and hang up on everybody. The mails stay where they are."""
        await self.go_down()

    # What it is told to do wrong. Each call adds to the ones before; `behave` ends them all.

    def refuse(self, reply: str, recipient: str | None = None, times: int | None = None) -> None:
        """Answer recipients (or one of them, or the next few messages) with an SMTP reply: `"451 4.3.0 Later"`, `"550 5.1.1 Nobody"`."""
        self._troubles.append(_Trouble(recipient, times, reply=reply))

    def be_slow(self, seconds: float, recipient: str | None = None, times: int | None = None) -> None:
        """Take this long to accept a recipient."""
        self._troubles.append(_Trouble(recipient, times, seconds=seconds))

    def lose_the_answer(self, recipient: str | None = None, times: int | None = None) -> None:
        """Deliver the message, and hang up instead of saying so: the sender can't know."""
        self._troubles.append(_Trouble(recipient, times, hangs_up=True))

    def behave(self) -> None:
        """Do everything right from now on."""
        self._troubles.clear()

    async def go_down(self) -> None:
        """Refuse connections and hang up on those there are."""
        if self._server is None:
            return
        self._server.close()
        for session in list(self._sessions):
            _hang_up(session)
        await self._server.wait_closed()
        self._server = None

    async def come_back(self) -> None:
        """Listen again, on the same port."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._session, HOST, self.port)
        except OSError as problem:
            raise StackError(f"The mailbox can't listen on {HOST}:{self.port}: {problem.strerror}. Choose another port.") from problem

    # What came in.

    def messages(self, to: str | None = None) -> list[EmailMessage]:
        """The mails that arrived, oldest first, to everybody or to one address."""
        parser = BytesParser(EmailMessage, policy=email.policy.default)
        files = sorted((self.maildir / "new").iterdir(), key=lambda file: (file.stat().st_mtime_ns, file.name))
        mails = [parser.parsebytes(file.read_bytes()) for file in files]
        return [mail for mail in mails if to in {None, mail["X-RcptTo"]}]

    def _session(self) -> SMTP:
        return _Session(self._sessions, _Delivery(self.maildir, self._troubles))


class _Session(SMTP):
    """One connection, known to the mailbox so that it can hang up."""

    def __init__(self, open_ones: set[SMTP], delivery: _Delivery) -> None:
        super().__init__(delivery, hostname="mailbox.invalid", enable_SMTPUTF8=True, data_size_limit=_LARGEST)
        self._open_ones = open_ones

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open_ones.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_ones.discard(self)
        super().connection_lost(error)


class _Delivery:
    """What the server asks for every recipient and every message; the names are aiosmtpd's.

    aiosmtpd's own Maildir handler parses, rewrites and syncs every message: 6 ms each, and the mailbox was the slowest part of all.
    """

    def __init__(self, maildir: Path, troubles: list[_Trouble]) -> None:
        self._maildir, self._troubles = maildir, troubles

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        for trouble in [each for each in self._troubles if each.concerns(address) and not each.hangs_up]:
            trouble.strikes()
            await asyncio.sleep(trouble.seconds)
            if trouble.reply is not None:
                return trouble.reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self._deliver(envelope)
        for trouble in self._troubles:
            if trouble.hangs_up and any(trouble.concerns(each) for each in envelope.rcpt_tos):
                trouble.strikes()
                _hang_up(server)
        return "250 OK"

    def _deliver(self, envelope: Envelope) -> None:
        """Written beside and moved in whole, as Maildir wants it; with the envelope in front, as aiosmtpd does it."""
        name = f"{time.time_ns()}.{next(_numbers)}.{HOST}"
        fields = f"X-MailFrom: {envelope.mail_from}\nX-RcptTo: {', '.join(envelope.rcpt_tos)}\n".encode()
        content = envelope.content.encode() if isinstance(envelope.content, str) else envelope.content or b""
        (self._maildir / "tmp" / name).write_bytes(fields + content.replace(b"\r\n", b"\n"))
        (self._maildir / "tmp" / name).rename(self._maildir / "new" / name)


def _hang_up(session: SMTP) -> None:
    if isinstance(session.transport, asyncio.Transport):
        session.transport.abort()
