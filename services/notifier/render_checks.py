"""`python -m services.notifier.render_checks`: what would make a mail wrong in some language, found before one is sent.

A catalogue with a text that is missing, unsure or has other placeholders; a template that speaks of what is not there; a stale layout.
"""

import re
import sys
from collections.abc import Callable, Iterator
from functools import cache

from babel import Locale
from babel.messages import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import Environment, TemplateSyntaxError, meta, nodes

from services.notifier.policy import NotifierPolicy
from services.notifier.render import FACTS, Renderer
from services.notifier.render_languages import FALLBACK, TEMPLATES, extracted, file_of, languages, update
from services.notifier.render_layout import COMPILED, SOURCE, compile_layout

_PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
ALERT = {"audience", "cause", "count", "first", "since", "until"}
"""What a digest for people of ours has instead of a fact."""


def catalogue_problems(language: str, catalogue: Catalog) -> Iterator[str]:
    """Every text of the templates that this language could not say."""
    for wanted in extracted():
        if not wanted.id:
            continue
        said = catalogue.get(wanted.id if isinstance(wanted.id, str) else wanted.id[0], wanted.context)
        name = f"{language}: {_singular(wanted)!r}"
        if said is None:
            yield f"{name} is missing"
        elif said.fuzzy:
            yield f"{name} is marked as fuzzy"
        elif language != FALLBACK:
            yield from (f"{name} {problem}" for problem in _message_problems(wanted, said))


def _singular(message: Message) -> str:
    return message.id if isinstance(message.id, str) else str(message.id[0])


def _message_problems(wanted: Message, said: Message) -> Iterator[str]:
    forms = [said.string] if isinstance(said.string, str) else list(said.string or ())
    if not all(forms):
        yield "is not translated"
        return
    names = set(_PLACEHOLDER.findall(str(wanted.id)))
    counted = {"num"} if len(forms) > 1 or not isinstance(wanted.id, str) else set()  # a form for one day may do without the number
    for form in forms:
        found = set(_PLACEHOLDER.findall(form))
        if found - names or names - found - counted:
            yield f"has the placeholders {sorted(found)} instead of {sorted(names)}"
        elif "%" in _PLACEHOLDER.sub("", form).replace("%%", "") and names:
            yield "has a broken placeholder"


@cache
def _spoken() -> tuple[Environment, set[str]]:
    """How templates are compiled, and whatever they may speak of."""
    renderer = Renderer(NotifierPolicy())
    environment = renderer.environment(Locale(FALLBACK), "text")
    return environment, set(renderer.values("alert", {"fact": None, "data": {}}, "", "")) | set(environment.globals)


def template_problems(name: str, source: str) -> Iterator[str]:
    """Names that nobody gives the template, filters that there are not, and fields that no fact has."""
    environment, known = _spoken()
    try:
        tree = environment.parse(source)
        yield from (f"{name}: there is no {each}" for each in sorted(meta.find_undeclared_variables(tree) - known))
    except TemplateSyntaxError as error:
        yield f"{name}:{error.lineno}: {error.message}"
        return
    fields = ALERT | {field for kind in FACTS.values() for field in kind.model_fields}
    for node in tree.find_all(nodes.Getattr):
        if isinstance(node.node, nodes.Name) and node.node.name == "fact" and node.attr not in fields:
            yield f"{name}: no fact has {node.attr}"


def problems() -> Iterator[str]:
    """Everything there is to mend."""
    for language in sorted(languages()):
        with file_of(language).open("rb") as file:
            yield from catalogue_problems(language, read_po(file, locale=language))
        if file_of(language).read_bytes() != update(language):
            yield f"{language}: the catalogue is stale (python -m services.notifier.render_languages)"
    for path in sorted(TEMPLATES.glob("*.jinja")):
        yield from template_problems(path.name, path.read_text())
    if compile_layout(SOURCE.read_text()) != COMPILED.read_text():
        yield "_layout.html is stale (python -m services.notifier.render_layout)"


def main(found: Callable[[], Iterator[str]] = problems) -> int:
    """1 when there is something to mend."""
    lines = list(found())
    sys.stderr.writelines(f"{line}\n" for line in lines)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
