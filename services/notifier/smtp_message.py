"""A rendered mail as the message that goes over the wire. Nothing a stranger typed can become a header of its own."""

import uuid
from binascii import b2a_qp
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import policy as email_policy
from email.header import Header
from email.headerregistry import Address
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from services.notifier.policy import NotifierPolicy
from services.notifier.render import Rendered, filled
from services.runtime.decision import id_of

THREADS = uuid.UUID("5f0e5b52-51a3-5c5f-8d3e-3a1f3f0e0003")
_POLICY = email_policy.SMTP
_END = "\r\n"


class Unsendable(Exception):
    """A mail that must not leave, whatever the mail server thinks."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to one recipient, ready to be sent."""

    sender: str
    to: str
    content: bytes


def build(request: Mapping[str, Any], rendered: Rendered, policy: NotifierPolicy) -> Outgoing:
    """The message. All mails about one subscription refer to one invented message, so that mail programs show them together.

    Raises Unsendable for advertising that could not be unsubscribed from.
    """
    to, sender = ascii_domain(request["to"]), ascii_domain(policy.sender.address)
    headers = _whose(policy.sender.name, sender, policy.sender.reply_to) + _subject(_line(rendered.subject))
    headers += _own(
        {
            "To": to,
            "Date": format_datetime(datetime.fromisoformat(request["date"])),
            "Message-ID": request["message_id"],
            "References": f"<{id_of(THREADS, request['subscription_id'])}@{policy.sender.domain}>",
            "Auto-Submitted": "auto-generated",
        }
    )
    if request["class"] == "marketing":
        headers += _way_out(filled(policy.links.unsubscribe, request["subscription_id"], request["mail_id"]))
    return Outgoing(sender, to, headers + _alternatives(rendered))


def _way_out(page: str | None) -> bytes:
    """One click by POST (RFC 8058). In one line each: folded, a long address would be encoded, and not every program decodes it."""
    if page is None:
        raise Unsendable("links.unsubscribe is not configured")
    return f"List-Unsubscribe: <{page}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".encode("ascii")


def _alternatives(rendered: Rendered) -> bytes:
    """Both parts. Written by hand, since `set_content` takes several times as long as rendering; a boundary with `=_` can't be in them."""
    text, html = (b2a_qp(part.replace("\n", "\r\n").encode()) for part in (rendered.text, rendered.html))
    return b"".join(
        (
            b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="=_offramp"\r\n\r\n',
            b'--=_offramp\r\nContent-Type: text/plain; charset="utf-8"\r\n',
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
            text,
            b'\r\n--=_offramp\r\nContent-Type: text/html; charset="utf-8"\r\n',
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
            html,
            b"\r\n--=_offramp--\r\n",
        )
    )


def _own(headers: Mapping[str, str]) -> bytes:
    """Ours, or such that the contract leaves nothing to fold: written as they are, since parsing takes longer than rendering the mail."""
    return b"".join(f"{name}: {value}\r\n".encode() if value.isascii() else _folded(name, value) for name, value in headers.items())


def _subject(line: str) -> bytes:
    """In several times less time than `EmailMessage`, and with every space. What looks as if it were encoded already is encoded again."""
    charset = "us-ascii" if line.isascii() and "=?" not in line else "utf-8"
    return f"Subject: {Header(line, charset, header_name='Subject').encode(linesep=_END)}\r\n".encode("ascii")


@lru_cache(maxsize=16)
def _whose(name: str, address: str, reply_to: str | None) -> bytes:
    """The sender's headers: the same in every mail."""
    written = _folded("From", str(Address(_line(name), addr_spec=address)))
    return written + _folded("Reply-To", reply_to) if reply_to else written


def _folded(name: str, value: str) -> bytes:
    written: bytes = _POLICY.fold_binary(name, _POLICY.header_factory(name, value))
    return written


def ascii_domain(address: str) -> str:
    """Its domain in the letters that every mail server knows (`kõrv.example` is `xn--krv-ona.example`)."""
    local, _, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}@{domain.encode('idna').decode()}"


def _line(text: str) -> str:
    return " ".join(text.split())
