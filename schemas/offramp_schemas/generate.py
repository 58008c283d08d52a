"""What is generated from the models and committed: JSON Schemas, `docs/events.md` and `docs/asyncapi.json`.

python -m offramp_schemas.generate                    write them
python -m offramp_schemas.generate --check            fail when they are stale, and say what differs
python -m offramp_schemas.generate --release 0.2.0    keep schemas and examples as published: from now on they only grow
"""

import argparse
import difflib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offramp_schemas import asyncapi, examples, overview
from offramp_schemas.base import Event
from offramp_schemas.compatibility import breaking_changes
from offramp_schemas.topics import TOPIC_OF, TYPE_OF

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parent.parent
JSON_SCHEMAS = PACKAGE / "json-schemas"
RELEASED = PACKAGE / "released"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_name(event: type[Event]) -> str:
    """`payment-failed.v1.json`"""
    return f"{event.kebab()}.v{event.VERSION}.json"


def json_schema(event: type[Event]) -> dict[str, Any]:
    """The schema of an event's `data`. Fields it doesn't know are allowed: readers are tolerant."""
    return {"$schema": _DIALECT, "$id": f"{TYPE_OF[event]}.json", **event.model_json_schema()}


def documents() -> dict[Path, str]:
    """Every generated file and what it should say."""
    schemas = {JSON_SCHEMAS / schema_name(event): _json(json_schema(event)) for event in TOPIC_OF}
    return {**schemas, ROOT / "docs" / "events.md": overview.markdown(), ROOT / "docs" / "asyncapi.json": _json(asyncapi.document())}


def stale() -> list[str]:
    """What differs from the committed files, one line each; empty: nothing does."""
    wanted = documents()
    problems = [f"{_shown(path)}: {_difference(path, text)}" for path, text in wanted.items() if _read(path) != text]
    problems += [f"{_shown(path)}: no event of that name any longer" for path in sorted(JSON_SCHEMAS.glob("*.json")) if path not in wanted]
    return problems


def write() -> None:
    """Brings the files up to date."""
    wanted = documents()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in JSON_SCHEMAS.glob("*.json"):
        if path not in wanted:
            path.unlink()


def broken_promises(released: Path = RELEASED) -> list[str]:
    """Why the models don't fit what was published, over all releases; empty: they do."""
    current = {schema_name(event): json_schema(event) for event in TOPIC_OF}
    problems = []
    for path in sorted(released.glob("*/json-schemas/*.json")):
        if path.name not in current:
            problems.append(f"{path.parent.parent.name} {path.name}: the event was removed")
            continue
        changes = breaking_changes(json.loads(path.read_text(encoding="utf-8")), current[path.name])
        problems += [f"{path.parent.parent.name} {path.name}: {change}" for change in changes]
    return problems


def release(version: str) -> None:
    """Copies schemas and examples to `released/<version>/`. Raises ValueError where that would break what was published before."""
    if problems := broken_promises():
        raise ValueError("the models break what was published; make them a new major version:\n" + "\n".join(problems))
    folder = RELEASED / version
    for event in TOPIC_OF:
        for path, text in (
            (folder / "json-schemas" / schema_name(event), _json(json_schema(event))),
            (folder / "examples" / schema_name(event), examples.path(event).read_text(encoding="utf-8")),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m offramp_schemas.generate", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="only say what is stale, and fail if anything is")
    parser.add_argument("--release", metavar="VERSION", help="keep the present schemas and examples as published")
    chosen = parser.parse_args(arguments)
    if without := [path for event in TOPIC_OF if not (path := examples.path(event)).exists()]:
        sys.stderr.writelines(f"{_shown(path)} is missing: every event has an example\n" for path in without)
        return 1
    if chosen.check:
        problems = [*stale(), *broken_promises()]
        if problems:
            problems.append("Run `python -m offramp_schemas.generate`. What breaks a released schema needs a new major version.")
        sys.stderr.writelines(f"{problem}\n" for problem in problems)
        return 1 if problems else 0
    write()
    if chosen.release:
        try:
            release(chosen.release)
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _difference(path: Path, wanted: str) -> str:
    found = _read(path)
    if found is None:
        return "is missing"
    lines = [
        line
        for line in difflib.unified_diff(found.splitlines(), wanted.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]
    return f"{len(lines)} lines differ, first {lines[0][:100]!r}" if lines else "its last line differs"


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
