"""What a mail program makes of the message that goes over the wire."""

from email import policy as email_policy
from email.message import EmailMessage
from email.parser import BytesParser

from hypothesis import given
from hypothesis import strategies as st

from services.notifier.policy import NotifierPolicy, Sender
from services.notifier.render import Rendered
from services.notifier.smtp_message import build

REQUEST = {
    "to": "ada@example.com", "date": "2026-03-02T10:00:00+00:00", "message_id": "<m1@example.com>", "class": "proof",
    "subscription_id": "sub_1", "mail_id": "m1",
}  # fmt: skip
HEADERS = ["From", "Subject", "To", "Date", "Message-ID", "References", "Auto-Submitted", "MIME-Version", "Content-Type"]
WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=300)


def received(subject: str = "Hello", **sender: str) -> EmailMessage:
    policy = NotifierPolicy(sender=Sender(**sender)) if sender else NotifierPolicy()
    content = build(REQUEST, Rendered(subject, "text", "<p>html</p>"), policy).content
    parsed = BytesParser(EmailMessage, policy=email_policy.default).parsebytes(content)
    assert all(len(line) <= 998 for line in content.split(b"\r\n")), "what a mail server takes at most"
    return parsed


@given(WORDS)
def test_any_subject_arrives_word_by_word(text: str) -> None:
    mail = received(text)
    assert mail["Subject"].split() == text.split()
    assert mail.keys() == HEADERS, "and adds no header of its own"


def test_a_subject_that_looks_encoded_is_shown_as_it_was_typed() -> None:
    assert received("=?utf-8?q?Your_bank?= is closed")["Subject"] == "=?utf-8?q?Your_bank?= is closed"


def test_a_long_subject_in_another_alphabet_keeps_its_spaces() -> None:
    subject = "Получихме заявката ви за възстановяване на сума: Про план 49,00 €"
    assert received(subject)["Subject"] == subject


def test_the_sender_is_named_and_answers_go_where_the_seller_wants_them() -> None:
    mail = received(name="Käufer & Söhne, GmbH", address="hello@example.com", reply_to="help@example.com")
    assert (mail["From"].addresses[0].display_name, mail["From"].addresses[0].addr_spec) == ("Käufer & Söhne, GmbH", "hello@example.com")
    assert mail["Reply-To"].addresses[0].addr_spec == "help@example.com"
