"""The policy file: one YAML, a section per service, errors that name the line. A version is pinned by what it started."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

SECTIONS = frozenset({"lifecycle", "refunds", "notifier"})
DEFAULT_FILE = Path(__file__).parent.parent / "policy.yaml"


class PolicyError(Exception):
    """A policy that can't be used; the message names file, line and key."""


_DURATION = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?", re.ASCII)


def _duration(value: object) -> object:
    """A bare number is refused: nobody would know its unit."""
    if isinstance(value, timedelta) or (isinstance(value, str) and value.startswith(("P", "-P"))):
        return value
    if isinstance(value, str) and value.strip() and (found := _DURATION.fullmatch(value.strip())):
        days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    raise ValueError("a duration is written like 3d, 1h, 15m or 1d12h")


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(0))]
"""Of a policy: `3d`, `1h`, `15m`, `1d12h` or ISO 8601; never negative."""


class Section(BaseModel):
    """Base of every policy model: frozen, no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Policy = TypeVar("Policy", bound=Section)


@dataclass(frozen=True, slots=True)
class Policies(Generic[Policy]):
    """Every version this service has ever used. `current` is what starts now."""

    version: int
    by_version: Mapping[int, Policy]
    sha256: bytes = field(default=b"", repr=False)

    @property
    def current(self) -> Policy:
        """The policy of whatever starts now."""
        return self.by_version[self.version]

    def __getitem__(self, version: int) -> Policy:
        return self.by_version[version]


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy file that was read; its sections are validated one by one."""

    path: Path
    body: Mapping[str, Any]
    root: Any = field(repr=False)

    def section(self, name: str, model: type[Policy]) -> Policy:
        """A section, validated. Raises PolicyError with a line for each mistake."""
        try:
            return model.model_validate(self.body.get(name) or {})
        except ValidationError as error:
            problems = [
                f"{self.path}:{self.line(name, *each['loc'])}: {'.'.join(str(step) for step in (name, *each['loc']))}: {each['msg']}"
                for each in error.errors(include_url=False)
            ]
            raise PolicyError("\n".join(problems)) from None

    def line(self, *location: str | int) -> int:
        """The line of the deepest key of `location` that the file has."""
        return _line(self.root, location)


def opened(path: Path) -> PolicyFile:
    """The file, whose sections nobody has looked at yet. Raises PolicyError."""
    try:
        text = path.read_text()
    except OSError as error:
        raise PolicyError(f"{path}: can't be read ({error.strerror}); set OFFRAMP_POLICY_FILE to a policy file") from None
    except ValueError:
        raise PolicyError(f"{path}:1: not YAML: not UTF-8") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        raise PolicyError(f"{path}:{mark.line + 1 if mark else 1}: not YAML: {problem or error}") from None
    if not isinstance(body, dict) or root is None:
        raise PolicyError(f"{path}:1: must be a mapping with the sections {', '.join(sorted(SECTIONS))}")
    there_are = ", ".join(sorted(SECTIONS))
    problems = [f"{path}:{_line(root, (name,))}: unknown section {name!r}; there are {there_are}" for name in body if name not in SECTIONS]
    problems += [f"{path}:{line}: {key!r} stands here a second time" for key, line in _repeated(root)]
    if problems:
        raise PolicyError("\n".join(problems))
    return PolicyFile(path, body, root)


def read(path: Path, section: str, model: type[Policy]) -> tuple[Policy, bytes]:
    """The section of the file, validated, and the SHA-256 of its canonical JSON. Raises PolicyError."""
    policy = opened(path).section(section, model)
    return policy, hashlib.sha256(policy.model_dump_json().encode()).digest()


def single(policy: Policy) -> Policies[Policy]:
    """Policies with one version, 1: for tests and previews."""
    return Policies(1, {1: policy})


def _line(node: Any, location: tuple[str | int, ...]) -> int:
    """The line of the deepest key of `location` that the file has."""
    line: int = node.start_mark.line + 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(step)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def _repeated(root: Any) -> Iterator[tuple[str, int]]:
    """Keys that a mapping has twice, with the second one's line: YAML would quietly take the last."""
    nodes, seen = [root], {id(root)}
    while nodes:
        node = nodes.pop()
        keys: set[str] = set()
        children = node.value if isinstance(node, yaml.SequenceNode) else []
        if isinstance(node, yaml.MappingNode):
            children = [value for _, value in node.value]
            for key, _ in node.value:
                if key.value in keys:
                    yield key.value, key.start_mark.line + 1
                keys.add(key.value)
        nodes += [each for each in children if id(each) not in seen]
        seen.update(map(id, children))
