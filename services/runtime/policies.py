"""The policy file: one YAML, a section per service, errors that name the line. A version is pinned by what it started."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from services.runtime.policy_values import STORED, changed, known_country

SECTIONS = frozenset({"lifecycle", "refunds", "notifier"})
DEFAULT_FILE = Path(__file__).parent.parent / "policy.yaml"


class PolicyError(Exception):
    """A policy that can't be used; the message names file, line and key."""


class Section(BaseModel):
    """Base of every policy model: frozen, no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Varied(Section):
    """A section in which plans and countries say what differs for them. The country's word is the last, since it is the law's.

    What can't be meant of a plan, of a country, or of both together is a mistake of the file.
    """

    plans: dict[str, dict[str, Any]] = Field(default_factory=dict)
    countries: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def of(self, plan: str, country: str) -> Self:
        """What holds for a plan in a country. Not for every event: `Policies.of` remembers it."""
        return self._of(plan, country, STORED)

    def _of(self, plan: str, country: str, context: str | None = None) -> Self:
        rules = self
        for changes in (self.plans.get(plan), self.countries.get(country)):
            if changes is not None:
                rules = type(self).model_validate(changed(rules.model_dump(exclude=set(_LAYERS)), changes), context=context)
        return rules

    @model_validator(mode="after")
    def _every_combination_can_be_meant(self, info: ValidationInfo) -> Self:
        if info.context == STORED:  # it was looked at before
            return self
        alone = [*self._mistakes("plans"), *self._mistakes("countries")]
        if mistakes := alone or [each for plan in self.plans for each in self._mistakes("countries", plan)]:
            raise ValidationError.from_exception_data(type(self).__name__, mistakes)
        return self

    def _mistakes(self, layer: str, plan: str = "") -> Iterator[InitErrorDetails]:
        for name, changes in getattr(self, layer).items():
            for key in changes.keys() & _LAYERS:
                yield _mistake((layer, name, key), f"neither plans nor countries can be said of {name} alone")
            try:
                self._of(name, "") if layer == "plans" else self._of(plan, known_country(name))
            except ValidationError as error:
                beside = f" (for the plan {plan})" if plan else ""
                yield from (_mistake((layer, name, *each["loc"]), f"{each['msg']}{beside}") for each in error.errors(include_url=False))
            except ValueError as error:
                yield _mistake((layer, name), str(error))


_LAYERS = ("plans", "countries")


def _mistake(place: tuple[str | int, ...], problem: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("said", "{problem}", {"problem": problem}), loc=place, input=None)


class Whose(Protocol):
    """Whoever has a plan and a country."""

    @property
    def plan(self) -> str:
        """Its id."""

    @property
    def country(self) -> str:
        """ISO 3166, two letters."""


class Begun(Whose, Protocol):
    """What keeps the numbers that it began with."""

    @property
    def policy_version(self) -> int:
        """The version of then; plan and country are those of then, too."""


Policy = TypeVar("Policy", bound=Section)
VariedPolicy = TypeVar("VariedPolicy", bound=Varied)


@dataclass(frozen=True, slots=True)
class Policies(Generic[Policy]):
    """Every version this service has ever used. `current` is what starts now."""

    version: int
    by_version: Mapping[int, Policy]
    sha256: bytes = field(default=b"", repr=False)
    _found: dict[tuple[int, str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def current(self) -> Policy:
        """The policy of whatever starts now."""
        return self.by_version[self.version]

    def of(self: "Policies[VariedPolicy]", whose: Whose) -> VariedPolicy:
        """What holds now for their plan and country."""
        return self._of(self.version, whose)

    def begun(self: "Policies[VariedPolicy]", what: Begun) -> VariedPolicy:
        """What holds for something that began under a version, whatever came later."""
        return self._of(what.policy_version, what)

    def _of(self: "Policies[VariedPolicy]", version: int, whose: Whose) -> VariedPolicy:
        policy = self.by_version[version]
        plan, country = whose.plan, whose.country
        key = version, plan if plan in policy.plans else "", country if country in policy.countries else ""
        found: VariedPolicy | None = self._found.get(key)
        if found is None:
            found = self._found[key] = policy.of(plan, country)
        return found


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


class _Loader(yaml.SafeLoader):
    """Leaves `no` to the models, which know whether a country is meant or a yes or no."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def opened(path: Path) -> PolicyFile:
    """The file, whose sections nobody has looked at yet. Raises PolicyError."""
    try:
        text = path.read_text()
    except OSError as error:
        raise PolicyError(f"{path}: can't be read ({error.strerror}); set OFFRAMP_POLICY_FILE to a policy file") from None
    except ValueError:
        raise PolicyError(f"{path}:1: not YAML: not UTF-8") from None
    try:
        root = yaml.compose(text, Loader=_Loader)
        body = yaml.load(text, Loader=_Loader)  # noqa: S506  # it is a safe one
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
