"""`make mails`: every mail in every language as one page to look at, light and dark, wide and on a small telephone.

It writes build/mails/index.html, and beside it a file per mail.
"""

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from services.notifier.mails import TEMPLATES
from services.notifier.policy import NotifierPolicy
from services.notifier.render import Rendered, Renderer
from services.notifier.render_languages import languages
from tests.notifier.letters import LETTERS

WHERE = Path("build/mails")
LONGEST = {
    "name": "Wolfeschlegelsteinhausenbergerdorff, Hubert Blaine Ekaterina Nazarievna",
    "plan_name": "Donaudampfschifffahrtsgesellschaft",
}
_DARK = re.compile(r"@media \(prefers-color-scheme: dark\)")
_PAGE = Markup(
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Mails</title><style>'
    "body{{font:14px/1.5 sans-serif;margin:2em;background:#e8eaed}}iframe{{border:1px solid #9aa5b1;background:#fff;margin:0 1em 1em 0}}"
    "pre{{display:inline-block;vertical-align:top;background:#fff;padding:1em;width:38em;white-space:pre-wrap}}</style>"
    "<h1>{count} mails</h1><nav>{nav}</nav>{mails}</html>"
)
_MAIL = Markup(
    '<h2 id="{name}">{name} <small>{mail_class}</small></h2><p>{subject}</p>'
    '<iframe src="{name}.html" width="640" height="620" loading="lazy"></iframe>'
    '<iframe src="{name}.dark.html" width="320" height="620" loading="lazy"></iframe><pre>{text}</pre>'
)


def longest(context: Mapping[str, Any]) -> dict[str, Any]:
    """The same mail for somebody with the longest of names."""
    data = dict(context["data"])
    if "contact" in data:
        data |= {"contact": data["contact"] | {"name": LONGEST["name"]}, "plan_name": LONGEST["plan_name"]}
    return {**context, "data": data}


def mails(language: str) -> Iterator[tuple[str, str, Rendered]]:
    """Name, template and mail; the first of each template once more with the longest names."""
    renderer = Renderer(NotifierPolicy())
    seen: set[str] = set()
    for name, template, context in LETTERS:
        yield f"{language}-{name}", template, renderer.render(template, language, context, "sub_4hT9kQ2m", "mail_1")
        if template not in seen:
            seen.add(template)
            yield f"{language}-{name}-longest", template, renderer.render(template, language, longest(context), "sub_4hT9kQ2m", "mail_1")


def main() -> None:
    """Writes the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("languages", nargs="*", default=sorted(languages()))
    WHERE.mkdir(parents=True, exist_ok=True)
    shown = []
    for language in parser.parse_args().languages:
        for name, template, mail in mails(language):
            (WHERE / f"{name}.html").write_text(mail.html)
            (WHERE / f"{name}.dark.html").write_text(_DARK.sub("@media all", mail.html))
            shown.append(_MAIL.format(name=name, mail_class=TEMPLATES[template], subject=mail.subject, text=mail.text))
    nav = Markup(" ").join(Markup('<a href="#{0}-alert-refund_failed">{0}</a>').format(each) for each in sorted(languages()))
    (WHERE / "index.html").write_text(_PAGE.format(count=len(shown), nav=nav, mails=Markup("").join(shown)))
    print(f"{len(shown)} mails: {escape((WHERE / 'index.html').resolve())}")  # noqa: T201 - for the person at the terminal


if __name__ == "__main__":
    main()
