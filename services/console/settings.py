"""The services' settings, read from the environment and, for a second terminal, from the file that `make run` leaves behind."""

import os
from pathlib import Path

from services.console.trouble import Trouble
from services.runtime import settings
from services.runtime.settings import PREFIX, Settings, SettingsError

DEFAULT_ENV_FILE = Path("data/offramp.env")


def load() -> Settings:
    """The settings; the environment wins over the file. Raises Trouble."""
    chosen = os.environ.get(f"{PREFIX}ENV_FILE")
    path = Path(chosen) if chosen else DEFAULT_ENV_FILE
    if path.exists():
        for name, value in variables(path).items():
            if f"{name}_FILE" not in os.environ and name.removesuffix("_FILE") not in os.environ:  # a secret may be given either way
                os.environ.setdefault(name, value)
    elif chosen:
        raise Trouble(f"{PREFIX}ENV_FILE names {path}, which does not exist")
    try:
        return settings.load()
    except SettingsError as error:
        raise Trouble(str(error)) from None


def hint(name: str) -> str:
    """What to add where nothing answers at the default of a setting: whoever is in another directory than `make run` gets that."""
    return "" if PREFIX + name in os.environ else f" There is no {DEFAULT_ENV_FILE} here, which `make run` keeps while it is up."


def variables(path: Path) -> dict[str, str]:
    """`OFFRAMP_…` assignments of a file, one a line; `export` and quotes are allowed. Raises Trouble."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise Trouble(f"{path}:{number}: is not NAME=value")
        if name.startswith(PREFIX):
            found[name] = value.strip().strip("\"'")
    return found
