"""The layout of the HTML part: written in MJML, compiled by a person who changes it, and kept beside its source.

`python -m services.notifier.render_layout` compiles it; with `--check` it only says whether that was forgotten.
"""

import re
import sys
from pathlib import Path

from services.notifier.render_languages import TEMPLATES

SOURCE, COMPILED = TEMPLATES / "_layout.mjml", TEMPLATES / "_layout.html"


class LayoutError(Exception):
    """A layout that mail programs would not understand."""


def compile_layout(source: str) -> str:
    """HTML with Jinja in it. Raises LayoutError for a tag that MJML does not have: mrml passes it through as if it were HTML."""
    import mrml  # noqa: PLC0415 - a tool of development: services run with what was compiled

    try:
        html = mrml.to_html(source, render_options=mrml.RenderOptions(fonts={})).content  # no fonts: they would be fetched
    except OSError as error:
        raise LayoutError(str(error)) from None
    if unknown := sorted(set(re.findall(r"</?(mj[\w-]*)", html))):
        raise LayoutError(f"MJML has no {', '.join(unknown)}")
    return re.sub(r"\n[ \t]+", "\n", html).strip() + "\n"


def main(arguments: list[str]) -> int:
    """0, or 1 when the compiled layout is not what the source says."""
    compiled = compile_layout(SOURCE.read_text())
    if "--check" not in arguments:
        COMPILED.write_text(compiled)
    elif COMPILED.read_text() != compiled:
        sys.stderr.write(f"{Path(COMPILED).name} is stale: python -m services.notifier.render_layout\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
