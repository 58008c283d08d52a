"""Sends mails: connections are reused, several at once, and every failure is told apart by what it means for the mail."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

import aiosmtplib
import structlog
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from services.notifier.policy import NotifierPolicy
from services.notifier.render import Renderer
from services.notifier.smtp_message import Outgoing, Unsendable, build
from services.runtime.calls import Unknown, Unreachable

log = structlog.get_logger()
_TEMPORARY, _PERMANENT = 400, 500


class Refused(Exception):
    """The mail server will never take this mail. `code` is its reply."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class MailServer:
    """A few connections to one mail server. Use it as a context manager. `timeout` is seconds of machine time per command.

    Where one could not connect, nobody else tries for `rest` seconds: else thousands of mails would find out one by one.
    Who has waited `patience` seconds for a connection to be free was certainly not sent.
    """

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Literal["none", "starttls", "tls"] = "none"
    connections: int = 4
    timeout: float = 6.0
    rest: float = 1.0
    patience: float = 10.0
    _rests_until: float = field(default=float("-inf"), init=False)
    _idle: list[SMTP] = field(default_factory=list, init=False)
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._turns = asyncio.Semaphore(self.connections)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Says goodbye on every idle connection."""
        while self._idle:
            client = self._idle.pop()
            try:
                await client.quit(timeout=1)
            except (SMTPException, OSError):
                client.close()

    async def send(self, mail: Outgoing) -> None:
        """Returns when the server has taken it. Raises Refused (never), Unreachable (not yet) or Unknown (perhaps it did)."""
        async with self._turn():
            client = await self._introduced(mail)
            try:
                await self._addressed(client, mail)
                await self._handed_over(client, mail)
            except BaseException:
                client.close()  # in whatever state: the next mail begins afresh
                raise
            self._idle.append(client)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.patience):
                await self._turns.acquire()
        except TimeoutError:
            raise Unreachable("no connection to the mail server was free") from None
        try:
            yield
        finally:
            self._turns.release()

    async def _introduced(self, mail: Outgoing) -> SMTP:
        """A connection that knows the sender. An idle one may have been closed by the server, then a new one is made."""
        while self._idle:
            client = self._idle.pop()
            try:
                await self._from(client, mail)
                return client
            except SMTPResponseException as error:
                client.close()
                if error.code != aiosmtplib.SMTPStatus.domain_unavailable:  # 421: only this connection is over
                    raise _sorted(error) from error
            except (SMTPException, OSError):
                client.close()
        client = await self._connected()
        try:
            await self._from(client, mail)
        except SMTPException as error:
            client.close()
            raise _sorted(error) from error
        return client

    async def _connected(self) -> SMTP:
        if time.monotonic() < self._rests_until:
            raise Unreachable("no connection to the mail server a moment ago")
        client = SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            timeout=self.timeout,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
        )
        try:
            await client.connect()
        except (SMTPException, OSError) as error:
            client.close()
            self._rests_until = time.monotonic() + self.rest
            raise Unreachable(f"no connection to the mail server ({type(error).__name__})") from error
        return client

    @staticmethod
    async def _from(client: SMTP, mail: Outgoing) -> None:
        if mail.to.isascii() and mail.sender.isascii():
            await client.mail(mail.sender)
        elif client.supports_extension("smtputf8"):
            await client.mail(mail.sender, options=["SMTPUTF8"], encoding="utf-8")
        else:
            raise SMTPResponseException(aiosmtplib.SMTPStatus.mailbox_unavailable, "no SMTPUTF8")

    @staticmethod
    async def _addressed(client: SMTP, mail: Outgoing) -> None:
        try:
            await client.rcpt(mail.to, encoding="utf-8")
        except SMTPException as error:
            raise _sorted(error) from error

    @staticmethod
    async def _handed_over(client: SMTP, mail: Outgoing) -> None:
        try:
            await client.data(mail.content)
        except SMTPResponseException as error:
            raise _sorted(error) from error
        except (SMTPException, OSError) as error:
            raise Unknown(f"the mail server's answer never came ({type(error).__name__})") from error


def _sorted(error: SMTPException) -> Exception:
    """Before the message was handed over, nothing but a definite no keeps it from being tried again."""
    if isinstance(error, SMTPResponseException) and error.code >= _PERMANENT:
        return Refused(error.code)
    code = f" {error.code}" if isinstance(error, SMTPResponseException) else ""
    return Unreachable(f"the mail server did not take it ({type(error).__name__}{code})")


@dataclass(frozen=True, slots=True)
class Postman:
    """Does the calls of kind `mail`: renders and sends. Answers `accepted` with the text, or `refused` with a code."""

    server: MailServer
    policy: NotifierPolicy
    renderer: Renderer

    async def __call__(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises Unreachable or Unknown when there is no definite answer."""
        try:
            rendered = self.renderer.render(
                request["template"], request["locale"], request["context"], request["subscription_id"], request["mail_id"]
            )
            mail = build(request, rendered, self.policy)
        except Unsendable as error:
            return {"refused": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever a template does wrong, the mail becomes a person's case and not an endless try
            log.error("mail_not_renderable", what=request.get("template"), error=type(error).__name__)
            return {"refused": "not_renderable"}
        try:
            await self.server.send(mail)
        except Refused as error:
            return {"refused": error.code}
        return {"accepted": True, "message_id": request["message_id"], "rendered": f"Subject: {rendered.subject}\n\n{rendered.text}"}
