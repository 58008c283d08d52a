"""Named SQL files: `-- name: claim` opens a query, the comment under it says why."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def load(path: Path) -> Mapping[str, str]:
    """The queries of one file by name. Raises ValueError where a name is used twice."""
    _, *parts = _NAME.split(path.read_text())
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: a query name is used twice")
    return MappingProxyType({name: body.strip() for name, body in zip(names, bodies, strict=True)})
