"""`.env.example`: every variable of the compose files and every setting of the services, with what it is for.

`python -m dev.env_example` writes it anew; `--check` fails when it is stale.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import SecretStr

from services.runtime.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / ".env.example"
COMPOSE = tuple(ROOT / name for name in ("docker-compose.yml", "docker-compose.secure.yml"))
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
_SET_BY_COMPOSE = re.compile(rf"^\s*(?:environment: \{{.*)?({PREFIX}\w+): (?!\$\{{)", re.MULTILINE)
_SET_BY_THE_IMAGE = {f"{PREFIX}BIND", f"{PREFIX}PORT"}
_ABOUT = {
    "BIND": "where the ports below listen: 127.0.0.1 is this machine alone",
    "KAFKA_PORT": "Kafka, for producers and consumers on this machine",
    "POSTGRES_PORT": "Postgres, for looking",
    "CONSOLE_PORT": "the test clock by HTTP",
    "MAILDEV_PORT": "MailDev: every mail, as a page and as JSON (/api/email)",
    "PROVIDER_PORT": "the sandbox payment provider",
    "KAFKA_UI_PORT": "kafka-ui, with the profile tools",
    "SECRETS": "where deploy/compose/setup has put passwords and certificates",
    "POLICY_FILE": "the numbers in the rules: copy it, change it, and restart the services",
    "ENV_FILE": "where the services have the rest of this file from",
    "IMAGE": "what Offramp's own image is called",
    "PYTHON_IMAGE": "what it is built on",
    "POSTGRES_IMAGE": "PostgreSQL 18",
    "KAFKA_IMAGE": "Apache Kafka 4.4, KRaft",
    "MAILDEV_IMAGE": "",
    "KAFKA_UI_IMAGE": "",
    "KAFKA_CONSOLE_PASSWORD": "docker-compose.secure.yml with kafka-ui: what is in secrets/kafka_console_password",
}
_PROFILES = """\
# What runs besides the services. sandbox: a payment provider to play with. Add tools for kafka-ui: sandbox,tools
COMPOSE_PROFILES=sandbox

# Encrypted, with passwords and least rights:
#COMPOSE_FILE=docker-compose.yml:docker-compose.secure.yml
"""


class Undescribed(Exception):
    """A compose file and this one disagree about the variables there are."""


def text() -> str:
    """What the file has to say. Raises Undescribed."""
    compose = "".join(path.read_text(encoding="utf-8") for path in COMPOSE)
    used = {name: default for name, default in _VARIABLE.findall(compose) if not name.startswith(PREFIX)}
    if used.keys() != _ABOUT.keys():
        raise Undescribed(f"dev/env_example.py and the compose files disagree about {', '.join(sorted(used.keys() ^ _ABOUT.keys()))}")
    return "\n".join([
        "# What can be chosen for `docker compose`. deploy/compose/setup copies it to .env. What is commented out has that value anyway.",
        "# A value with a $ in it stands in single quotes: elsewhere compose takes what follows for a variable. setup tells of such.",
        "",
        _PROFILES,
        *_lines((name, used[name], about) for name, about in _ABOUT.items()),
        "",
        "# The services.",
        *_lines(_settings(compose)),
        "",
    ])  # fmt: skip


def _settings(compose: str) -> Iterator[tuple[str, str, str]]:
    """Those that the compose files leave to be chosen."""
    fixed = {each for name in _SET_BY_COMPOSE.findall(compose) for each in (name, name.removesuffix("_FILE"))} | _SET_BY_THE_IMAGE
    defaults = dict(_VARIABLE.findall(compose))
    for field, info in Settings.model_fields.items():
        name = f"{PREFIX}{field.upper()}"
        about = info.description or ""
        if name in fixed - defaults.keys() or about.startswith(("prepare:", "command line:")):
            continue
        hidden = info.default is None or isinstance(info.default, SecretStr)
        default = defaults.get(name, "" if hidden else str(info.default))
        yield name, default, about


def _lines(variables: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    for name, default, about in variables:
        yield from textwrap.wrap(about, 130, initial_indent="# ", subsequent_indent="# ")
        yield f"#{name}={default}"


def main() -> int:
    """Exit status 1 when it is stale, and was only to be checked."""
    try:
        wanted = text()
    except Undescribed as problem:
        print(problem, file=sys.stderr)
        return 1
    if "--check" not in sys.argv[1:]:
        EXAMPLE.write_text(wanted, encoding="utf-8")
    elif not EXAMPLE.exists() or EXAMPLE.read_text(encoding="utf-8") != wanted:
        print(".env.example is stale. `python -m dev.env_example` writes it anew.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
