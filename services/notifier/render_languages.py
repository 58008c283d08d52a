"""Languages: one catalogue each, `locales/<language>/LC_MESSAGES/offramp.po`, compiled when it is loaded.

`python -m services.notifier.render_languages` brings the catalogues up to date with the templates. A new language: copy en's, translate.
"""

import gettext
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

HERE = Path(__file__).parent
TEMPLATES, LOCALES = HERE / "templates", HERE / "locales"
FALLBACK = "en"
_OPTIONS = {"**": {"extensions": "jinja2.ext.i18n", "trimmed": "true", "newstyle_gettext": "true"}}


def file_of(language: str) -> Path:
    """Its one file."""
    return LOCALES / language / "LC_MESSAGES" / "offramp.po"


@cache
def languages() -> frozenset[str]:
    """Those that have a catalogue."""
    return frozenset(file.parent.parent.name for file in LOCALES.glob("*/LC_MESSAGES/offramp.po"))


def best_for(locale: str) -> Locale:
    """How dates, money and words are written for a customer's locale: its own region when its language is spoken here, else English."""
    try:
        wanted = Locale.parse(locale.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return Locale(FALLBACK)
    return wanted if wanted.language in languages() else Locale(FALLBACK)


@cache
def words(language: str) -> gettext.GNUTranslations:
    """Its catalogue. What is not translated stays English, which is what the templates are written in."""
    compiled = BytesIO()
    with file_of(language).open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def extracted() -> Catalog:
    """Every text of the templates."""
    catalog = Catalog(fuzzy=False)
    found = extract_from_dir(
        TEMPLATES, [("**.mjml", "ignore"), ("**", "jinja2.ext:babel_extract")], _OPTIONS, comment_tags=("Translators:",)
    )
    for file, _, message, comments, context in found:
        catalog.add(message, None, [(file, 1)], auto_comments=comments, context=context)
    return catalog


def update(language: str) -> bytes:
    """The catalogue's file as it should be: new texts are added, gone ones dropped, translations kept."""
    source = extracted()
    with file_of(language).open("rb") as file:
        catalog = read_po(file, locale=language)
    source.creation_date = catalog.creation_date
    catalog.update(source, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    written = BytesIO()
    write_po(written, catalog, width=120, omit_header=False, sort_output=True, include_lineno=False)
    return written.getvalue()


if __name__ == "__main__":
    for each in sorted(languages()):
        file_of(each).write_bytes(update(each))
