"""A mail's words: one template, two parts (text and HTML), in the customer's language. What a stranger typed comes out as plain text."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_decimal, format_percent, get_currency_symbol
from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from offramp_schemas.base import CURRENCY_EXPONENTS
from services.notifier.mails import MAILS, TEMPLATES
from services.notifier.policy import NotifierPolicy, zone_of
from services.notifier.render_languages import TEMPLATES as FOLDER
from services.notifier.render_languages import best_for, words

FACTS = {kind.__name__: kind for kind in MAILS}
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_BLOCK = re.compile(r"\x02(.)(.*?)\x03", re.DOTALL)
_ADDRESS_LIKE = re.compile(r"://|www\.|@", re.IGNORECASE)
_GAP = re.compile(r"[^\S\xa0\u202f]+")  # what parts words; a no-break space holds together what it stands between
_WIDTH = 72


class Rendered(NamedTuple):
    """One mail, ready to be sent. `subject` is a single line."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class _Language:
    """The two environments of one locale; they differ in how they escape and in their layout."""

    text: SandboxedEnvironment
    html: SandboxedEnvironment


class Renderer:
    """Renders mails. Compiled templates are kept, one set per locale that is asked for."""

    def __init__(self, policy: NotifierPolicy) -> None:
        self._policy = policy
        self._zone = zone_of(policy.time_zone)
        self._loader = FileSystemLoader(FOLDER)
        self._languages: dict[str, _Language] = {}

    def render(self, template: str, locale: str, context: Mapping[str, Any], subscription_id: str, mail_id: str = "") -> Rendered:
        """The mail. `mail_id` is for the page where one unsubscribes.

        Raises what Jinja or the fact's model raises when template and context don't fit.
        """
        language = self._language(best_for(locale))
        values = self.values(template, context, subscription_id, mail_id)
        in_text, in_html = language.text.get_template(f"{template}.jinja"), language.html.get_template(f"{template}.jinja")
        isolated = {key: Markup("<bdi>{}</bdi>").format(values[key]) if values[key] else "" for key in ("plan", "name")}
        subject = _one_line("".join(in_text.blocks["subject"](in_text.new_context(values))))
        return Rendered(subject, _joined(in_text.render(values)), in_html.render(values | isolated | {"subject": subject}).strip() + "\n")

    def values(self, template: str, context: Mapping[str, Any], subscription_id: str, mail_id: str) -> dict[str, Any]:
        """What a template may speak of."""
        data = _harmless(context["data"])
        kind = context["fact"]
        name, plan = data.get("contact", {}).get("name", ""), data.get("plan_name", "")
        return {
            "fact": FACTS[kind].model_validate(data, strict=False) if kind else data,
            "name": "" if _ADDRESS_LIKE.search(name) else _short(name, 60),  # a greeting is no place to advertise
            "plan": _short(plan, 60),
            "links": {key: filled(page, subscription_id, mail_id) for key, page in self._policy.links},
            "marketing": TEMPLATES[template] == "marketing",
            "seller": self._policy.sender.name,
            "free_plan_remains": self._policy.free_plan_remains,
        }

    def _language(self, locale: Locale) -> _Language:
        key = str(locale)
        if key not in self._languages:
            self._languages[key] = _Language(self.environment(locale, "text"), self.environment(locale, "html"))
        return self._languages[key]

    def environment(self, locale: Locale, part: str) -> SandboxedEnvironment:
        """How one part is written in one language: its words, filters and macros."""
        environment = SandboxedEnvironment(
            loader=self._loader,
            autoescape=part == "html",
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.i18n"],
        )
        found = words(locale.language)
        install = environment.install_gettext_callables  # type: ignore[attr-defined] # of the extension
        install(found.gettext, found.ngettext, newstyle=True, pgettext=found.pgettext, npgettext=found.npgettext)
        environment.filters |= {
            "day": lambda moment: _day(moment, self._zone, locale),
            "short_day": lambda moment: _day(moment, self._zone, locale, "medium"),
            "moment": lambda moment: _moment(moment, self._zone, locale),
            "when": lambda text: _moment(datetime.fromisoformat(text), self._zone, locale),
            "percent": lambda number: format_percent(number / 100, locale=locale),
            "number": lambda number: format_decimal(number, locale=locale),
            "money": lambda minor, currency: _money(minor, currency, locale),
            "wrapped": _wrapped,
            "page": lambda page: page if page and self._policy.may_link(page) else None,
        }
        environment.globals |= {"layout": f"_layout.{part}", "language": locale.language, "rtl": locale.text_direction == "rtl"}
        parts: Template = environment.get_template(f"_parts.{part}")
        environment.globals |= {key: value for key, value in vars(parts.module).items() if not key.startswith("_")}
        return environment


def filled(page: str | None, subscription_id: str, mail_id: str) -> str | None:
    """A page of the seller's with its placeholders filled in."""
    return page.replace("{subscription}", quote(subscription_id, safe="")).replace("{mail}", quote(mail_id, safe="")) if page else None


def _harmless(value: Any) -> Any:
    """Texts of one line, without what can't be seen or turns the reading direction: they may come from anybody."""
    if isinstance(value, str):
        return " ".join(_INVISIBLE.sub("", value).split()) or ("-" if value else "")
    if isinstance(value, dict):
        return {key: _harmless(each) for key, each in value.items()}
    return [_harmless(each) for each in value] if isinstance(value, list) else value


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _one_line(text: str) -> str:
    return _GAP.sub(" ", text).strip()


def _joined(blocks: str) -> str:
    """The text part: its parts mark what they say, everything between them is the template's own layout."""
    written = ""
    before = ""
    for kind, block in _BLOCK.findall(blocks):
        between = "" if not written else "\n" if kind == before == "r" else "\n\n"
        written, before = written + between + block.strip("\n"), kind
    return written + "\n"


@lru_cache(maxsize=4096)
def _wrapped(text: str, indent: str = "") -> str:
    """Lines of at most 72 characters; a longer word stays whole."""
    lines = [indent]
    for word in _GAP.split(text.strip()):
        if len(lines[-1]) + len(word) >= _WIDTH and lines[-1].strip():
            lines.append(indent)
        lines[-1] += word if lines[-1] == indent else f" {word}"
    isolate = any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in text)
    return "\n".join(f"\u2068{line}\u2069" if isolate else line for line in lines)


@lru_cache(maxsize=4096)
def _day(moment: datetime, zone: tzinfo, locale: Locale, length: Literal["long", "medium"] = "long") -> str:
    """It stays on one line. A subject has no room for the long one."""
    local = moment.astimezone(zone)
    written = format_date(local, length, locale=locale).replace(" ", "\xa0")
    if locale.language == "fr" and local.day == 1:
        return written.replace("1\xa0", "1er\xa0", 1)  # which CLDR leaves to the writer
    return written


@lru_cache(maxsize=4096)
def _moment(moment: datetime, zone: tzinfo, locale: Locale) -> str:
    """Day, hour and the name of the time zone: a deadline at midnight must not look like a whole day more."""
    local = moment.astimezone(zone)
    hour = format_time(local, "short", tzinfo=zone, locale=locale).replace(" ", "\xa0")
    return f"{_day(moment, zone, locale)}, {hour}\xa0{local.tzname()}"


@lru_cache(maxsize=4096)
def _money(minor: int, currency: str, locale: Locale) -> str:
    """As many decimals as the currency has by ISO 4217, which CLDR shortens for some."""
    digits = CURRENCY_EXPONENTS[currency]
    pattern = locale.currency_formats["standard"]
    amount = format_decimal(Decimal(minor).scaleb(-digits), "#,##0" + ("." + "0" * digits if digits else ""), locale=locale)
    symbol = get_currency_symbol(currency, locale=locale)
    prefix, suffix = pattern.prefix[0], pattern.suffix[0]
    if prefix.endswith("¤") and symbol[-1].isalpha():
        prefix += "\xa0"  # KWD 4.900, but €4.90
    return f"{prefix}{amount}{suffix}".replace("¤", symbol).strip()
