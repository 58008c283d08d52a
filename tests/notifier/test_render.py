"""Every mail in text and HTML: complete, plain, and harmless whatever a stranger typed."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from babel.messages.pofile import read_po

from offramp_schemas import FollowUp
from offramp_schemas import lifecycle_events as lifecycle
from offramp_schemas import pause_events as pause
from offramp_schemas import refund_events as refund
from offramp_schemas import retention_events as retention
from offramp_schemas.base import Contact
from offramp_schemas.refund_request import SETTLED_BY
from services.notifier.mails import TEMPLATES, Tell, choose
from services.notifier.policy import NotifierPolicy
from services.notifier.render import Rendered, Renderer
from services.notifier.render_languages import TEMPLATES as FOLDER
from services.notifier.render_languages import best_for, extracted, file_of, languages, update, words
from tests.notifier.given import example
from tests.notifier.letters import LETTERS

RENDERER = Renderer(NotifierPolicy())
VOID = {"meta", "br"}


def render(fact: FollowUp, locale: str = "en", renderer: Renderer = RENDERER) -> Rendered:
    choice = choose(fact)
    assert isinstance(choice, Tell)
    context = {"fact": type(fact).__name__, "data": fact.model_dump(mode="json")}
    return renderer.render(choice.template, locale, context, "sub_1")


def one_line(text: str) -> str:
    return " ".join(text.split())


class Reader(HTMLParser):
    """Reads as a browser would: words, links, and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "title"}:
            self.words += f" {data}"


@pytest.mark.parametrize("language", sorted(languages() - {"en"}))
@pytest.mark.parametrize("method", SETTLED_BY)
def test_how_a_refund_was_settled_is_said_in_the_customers_own_words(method: str, language: str) -> None:
    how, in_english, as_it_is = (_how(each, word) for each, word in ((language, method), ("en", method), (language, "something else")))
    assert len({how, in_english, as_it_is}) == 3
    assert method.rsplit(maxsplit=1)[-1] not in how.lower().split()


def _how(language: str, method: str) -> str:
    """The first row of the mail."""
    text = render(example(refund.RefundSettled, method=method), language).text
    return next(line for line in text.splitlines() if re.match("  .+: ", line)).partition(": ")[2]


def test_a_way_of_settling_that_nobody_has_words_for_is_said_as_it_was_written() -> None:
    for language in languages():
        assert "Rentenmark in an envelope" in render(example(refund.RefundSettled, method="Rentenmark in an envelope"), language).text


@pytest.mark.parametrize(("template", "context"), [each[1:] for each in LETTERS], ids=[each[0] for each in LETTERS])
def test_every_mail_is_complete_in_both_parts(template: str, context: dict[str, Any]) -> None:
    mail = RENDERER.render(template, "en", context, "sub_1")
    assert mail.subject
    assert mail.subject == mail.subject.strip()
    assert len(mail.subject) < 150
    reader = Reader(mail.html)
    assert reader.open == []
    for part in (mail.subject, mail.text, reader.words):
        assert not re.search(r"None|Undefined|undefined|\{\{|\}\}|%\(|\x02|\x03", part)
        assert "\n" not in mail.subject
    assert len(mail.text.split()) > 20
    assert max(len(line) for line in mail.text.splitlines() if "https://" not in line) <= 90
    assert '<html lang="en"' in mail.html
    assert "img" not in reader.tags
    assert all(link.startswith("https://example.com/") for link in reader.links)


@pytest.mark.parametrize(("template", "context"), [each[1:] for each in LETTERS], ids=[each[0] for each in LETTERS])
def test_both_parts_say_the_same(template: str, context: dict[str, Any]) -> None:
    mail = RENDERER.render(template, "en", context, "sub_1")
    reader = Reader(mail.html)
    in_html = set(re.findall(r"\w+", reader.words))
    in_text = set(re.findall(r"\w+", re.sub(r"https://\S+", "", mail.text)))
    assert in_text <= in_html
    assert in_html - in_text <= set(re.findall(r"\w+", mail.subject))
    assert {link for link in reader.links if link not in mail.text} == set()


def test_every_template_is_used_and_every_mail_has_one() -> None:
    files = {file.stem for file in FOLDER.glob("*.jinja") if not file.name.startswith("_")}
    assert files == set(TEMPLATES) == {template for _, template, _ in LETTERS}


def test_a_confirmation_names_all_that_the_customer_has_to_know() -> None:
    fact = example(lifecycle.CancellationScheduled, reason_given=False, reference="CAN-7", data_retained=False)
    text = one_line(render(fact).text)
    for said in (
        "CAN-7",
        "May 1, 2026, 9:12 AM UTC",
        "export your data until: May 6, 2026, 9:12 AM UTC",
        "will not be charged",
        "nothing is paid back",
        "we delete your data",
        "you can undo this",
        "https://example.com/why",
        "https://example.com/account/cancellation",
    ):
        assert said in text


def test_a_reason_that_was_given_is_not_asked_for_again() -> None:
    assert "example.com/why" not in render(example(lifecycle.CancellationScheduled, reason_given=True)).text


def test_what_stays_usable_is_said_when_something_does() -> None:
    generous = Renderer(NotifierPolicy(free_plan_remains=True))
    assert "stays free for you" in one_line(render(example(lifecycle.CancellationScheduled), renderer=generous).text)
    assert "stays free for you" not in one_line(render(example(lifecycle.CancellationScheduled)).text)


def test_issued_is_never_said_to_have_arrived() -> None:
    text = one_line(render(example(refund.RefundIssued)).text)
    assert "it is not in your account yet" in text
    assert "arrived" not in text


def test_a_page_that_is_not_configured_is_left_out() -> None:
    bare = Renderer(NotifierPolicy.model_validate({"links": dict.fromkeys(type(NotifierPolicy().links).model_fields)}))
    for _, template, context in LETTERS:
        mail = bare.render(template, "en", context, "sub_1")
        links = Reader(mail.html).links
        assert links in ([], ["https://example.com/act"])  # what refunds asks the customer to do, on a host of ours
        assert re.findall(r"https://\S+", mail.text) == links


def test_a_page_can_carry_the_subscription_and_nothing_of_it_escapes() -> None:
    policy = NotifierPolicy.model_validate({"links": {"undo": "https://example.com/undo?s={subscription}"}})
    choice_context = {"fact": "CancellationScheduled", "data": example(lifecycle.CancellationScheduled).model_dump(mode="json")}
    mail = Renderer(policy).render("cancellation_scheduled", "en", choice_context, 'sub_1&x="><b>')
    assert "https://example.com/undo?s=sub_1%26x%3D%22%3E%3Cb%3E" in mail.text


def test_a_providers_page_elsewhere_is_not_linked_to() -> None:
    assert "elsewhere" not in render(example(refund.RefundActionNeeded, action_url="https://elsewhere.example/act")).html
    assert "https://example.com/act" in render(example(refund.RefundActionNeeded, action_url="https://example.com/act")).html


@pytest.mark.parametrize(
    "typed",
    [
        "{{7*7}}",
        "{0.__class__}",
        "%(plan)s %d %",
        "<script>alert(1)</script>",
        "</title><img src=x onerror=alert(1)>",
        '"><a href="https://evil.example">',
        "Anna\u2028Bcc: a@b.example",
        "\u202eannA",
        "א" * 40,
        "Ä" * 300,
        "\u200b",
        "'; drop table mails; --",
        "{% include '/etc/passwd' %}",
    ],
)
def test_what_a_stranger_typed_is_harmless_text(typed: str) -> None:
    contact = Contact.model_construct(email="a@example.com", name=typed, locale="en")
    for fact in (
        example(lifecycle.CancellationScheduled, contact=contact, plan_name=typed),
        example(lifecycle.CancellationRejected, rule="not_account_owner", contact=contact, plan_name=typed, requester_name=typed),
        example(refund.RefundRejected, rule="decided_by_person", contact=contact, plan_name=typed, note=typed),
    ):
        mail = render(fact)
        reader = Reader(mail.html)
        assert not {"script", "img"} & set(reader.tags)
        assert not [link for link in reader.links if not link.startswith("https://example.com/")]
        assert "49 subscription" not in mail.text
        assert "root:" not in mail.text
        assert mail.subject.splitlines() == [mail.subject]
        assert "\u202e" not in mail.subject + mail.text + mail.html
        if typed == "{{7*7}}":
            assert "{{7*7}}" in reader.words


def test_a_greeting_is_no_place_for_advertising() -> None:
    contact = Contact(email="a@example.com", name="Win at www.evil.example now")
    mail = render(example(lifecycle.CancellationScheduled, contact=contact))
    assert "evil" not in mail.text + mail.html
    assert mail.text.startswith("Hello,")


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (4900, "EUR", "€49.00"),
        (4900, "JPY", "¥4,900"),
        (4900, "KWD", "KWD 4.900"),
        (123456789, "HUF", "HUF 1,234,567.89"),
        (5, "USD", "$0.05"),
    ],
)
def test_money_has_the_decimals_of_its_currency(minor: int, currency: str, said: str) -> None:
    mail = render(example(refund.RefundApproved, amount_minor=minor, currency=currency))
    assert said in one_line(mail.subject)


def test_an_amount_and_its_currency_stay_on_one_line() -> None:
    mail = render(example(refund.RefundApproved, amount_minor=4900, currency="KWD"))
    assert "KWD\xa04.900" in mail.subject
    assert "KWD\xa04.900" in mail.text


@pytest.mark.parametrize(
    ("locale", "day"),
    [
        ("en", "May 1, 2026"),
        ("en-GB", "1 May 2026"),
        ("en_IE", "1 May 2026"),
        ("et", "1. mai 2026"),
        ("de", "May 1, 2026"),
        ("xx", "May 1, 2026"),
        ("zzzz-9999", "May 1, 2026"),
    ],
)
def test_a_date_is_written_as_the_customer_does_and_in_english_while_their_language_is_not_spoken(locale: str, day: str) -> None:
    assert day.replace(" ", "\xa0") in render(example(lifecycle.CancellationScheduled), locale=locale).subject


def test_the_french_first_of_a_month_is_an_ordinal() -> None:
    first = example(lifecycle.CancellationScheduled, ends_at=datetime(2026, 5, 1, 9, tzinfo=UTC))
    assert "1er\xa0mai\xa02026" in render(first, locale="fr").subject
    assert "11\xa0mai\xa02026" in render(example(lifecycle.CancellationScheduled, ends_at=datetime(2026, 5, 11, tzinfo=UTC)), "fr").subject


def test_data_that_is_kept_at_the_customers_wish_is_not_said_to_be_deleted() -> None:
    kept = example(lifecycle.CancellationScheduled, data_retained=True, deletion_due_at=datetime(2027, 5, 1, tzinfo=UTC))
    text = one_line(render(kept).text)
    assert "we delete your data" not in text
    assert "We keep your data until: May 1, 2027" in text


@pytest.mark.parametrize("stage", ["retained", "deletion_due", "deleted"])
def test_nobody_is_sent_to_an_export_that_is_over(stage: str) -> None:
    fact = example(lifecycle.SubscriptionEnded, asked_now=False, end_reason="pause_expired", data_stage=stage)
    text = one_line(render(fact).text)
    assert "export" not in text.lower()
    assert ("you left it" in text) == (stage != "deleted")


def test_whose_data_will_be_deleted_is_told_in_words_nobody_can_miss() -> None:
    mail = render(example(pause.SubscriptionPaused, data_retained=False, deletion_due_at=datetime(2026, 4, 12, tzinfo=UTC)))
    assert "your data is deleted after Apr\xa012,\xa02026" in mail.subject
    assert re.search(r"^! Your data will be deleted", mail.text, re.MULTILINE)
    assert 'class="warn"' in mail.html


def test_a_pause_that_was_offered_is_told_with_the_end_of_the_cancellation() -> None:
    told = [one_line(render(example(pause.SubscriptionPaused, by_offer=offered)).text) for offered in (True, False)]
    assert ["The cancellation is off, and the pause" in text for text in told] == [True, False]


def test_only_who_asked_for_the_end_of_a_pause_is_asked_whether_it_was_them() -> None:
    told = [render(example(pause.SubscriptionResumed, reference=reference)).text for reference in ("RES-1", None)]
    assert ["If this was not you" in text for text in told] == [True, False]


@pytest.mark.parametrize("rejected", [pause.PauseRejected, pause.ResumeRejected, pause.ReactivationRejected])
def test_whom_to_ask_instead_is_never_left_open(rejected: type[FollowUp]) -> None:
    assert "on your invoices" in one_line(render(example(rejected, rule="managed_by_reseller", reseller=None)).text)


def test_a_win_back_never_promises_data_that_is_gone() -> None:
    for step in (1, 2):
        text = one_line(render(example(retention.WinBackDue, step=step, retained_until=None, data_stage="deleted")).text)
        assert "as you left it" not in text
        assert "empty account" in text


@pytest.mark.parametrize("language", sorted(languages()))
def test_who_returns_to_a_free_plan_is_not_told_of_a_price_or_of_a_period_that_was_paid(language: str) -> None:
    back = example(pause.SubscriptionReactivated, at_once=True, price_minor=0, renews_at=None, card_last4=None)
    text = one_line(render(back, language).text)
    assert "0.00" not in text
    assert "0,00" not in text
    paid = "Your %(plan)s subscription is back, as you asked. What you had paid for still runs, so nothing was charged."
    assert one_line(words(language).gettext(paid) % {"plan": back.plan_name}) not in text


def test_only_advertising_says_that_it_is() -> None:
    for _, template, context in LETTERS:
        mail = RENDERER.render(template, "en", context, "sub_1", "mail_1")
        assert ("https://example.com/unsubscribe/sub_1/mail_1" in mail.text) == (TEMPLATES[template] == "marketing")
        assert ("not advertising" in one_line(mail.text)) == (TEMPLATES[template] != "marketing" and template != "alert")


def test_how_money_was_paid_is_said_in_the_customers_language() -> None:
    paid = [render(example(refund.RefundSettled, method=each)).text for each in ("bank_transfer", "bank transfer", "Postal order 7")]
    assert ["Bank transfer" in text for text in paid] == [True, True, False]
    assert "Postal order 7" in paid[2]


def test_a_deadline_names_hour_and_zone_of_the_policy() -> None:
    tallinn = Renderer(NotifierPolicy(time_zone="Europe/Tallinn"))
    assert "May 1, 2026, 12:12 PM EEST" in one_line(render(example(lifecycle.CancellationScheduled), renderer=tallinn).text)


def test_english_is_spoken_and_every_word_of_the_templates_is_in_its_catalogue() -> None:
    assert "en" in languages()
    with file_of("en").open("rb") as file:
        listed = {message.id for message in read_po(file) if message.id}
    assert listed == {message.id for message in extracted() if message.id}
    assert file_of("en").read_bytes() == update("en")


def test_a_language_is_negotiated() -> None:
    assert [str(best_for(each)) for each in ("en-GB", "en", "fr-FR", "de-AT", "")] == ["en_GB", "en", "fr_FR", "en", "en"]
