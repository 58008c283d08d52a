"""`offramp policy`: is a policy file right before it is deployed, and what would it change?"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.console import oddities, screen, words
from services.console.oddities import Policy, wider
from services.console.trouble import Trouble
from services.lifecycle.policy import Policy as LifecyclePolicy
from services.notifier.policy import NotifierPolicy
from services.refunds.policy import Policy as RefundsPolicy
from services.runtime import policies
from services.runtime.policies import PolicyError, PolicyFile, Section

MODELS: Mapping[str, type[Section]] = {"lifecycle": LifecyclePolicy, "refunds": RefundsPolicy, "notifier": NotifierPolicy}
Change = tuple[str, str, str]


def check(path: Path) -> int:
    """Prints what is wrong with a file and what is odd about it; 1 if anything is wrong."""
    try:
        file, policy = read(path)
    except Trouble as trouble:
        screen.complain(str(trouble))
        return 1
    found = sorted((file.line(*place), place, why) for place, why in oddities.oddities(policy))
    for line, place, why in found:
        screen.out.print(f"{path}:{line}: {'.'.join(map(str, place))}:", screen.quiet(why))
    count = f"{len(found)} things are odd" if len(found) != 1 else "1 thing is odd"
    screen.out.print(f"{path} can be used.", screen.quiet(f" {count}." if found else ""), sep="")
    return 0


def read(path: Path) -> tuple[PolicyFile, Policy]:
    """All sections, validated by the services' own models. Raises Trouble with a line for each mistake of any of them."""
    try:
        file = policies.opened(path)
    except PolicyError as error:
        raise Trouble(str(error).partition("; set OFFRAMP_POLICY_FILE")[0]) from None
    sections: dict[str, Any] = {}
    mistakes = []
    for name, model in MODELS.items():
        try:
            sections[name] = file.section(name, model)
        except PolicyError as error:
            mistakes.append(str(error))
    if mistakes:
        raise Trouble("\n".join(mistakes))
    return file, Policy(**sections)


def changes(old: Policy, new: Policy) -> list[Change]:
    """(key, old, new) of every number that differs; then those of a plan, a country or both that differ in another way."""
    variants = dict.fromkeys((("", ""), *old.variants, *new.variants))
    differ = {variant: _differences(old.of(*variant), new.of(*variant)) for variant in variants}
    found = []
    for variant, differences in differ.items():
        known = [change for each in wider(*variant) for change in differ.get(each, ())]
        whose = ", ".join(filter(None, variant))
        own = (change for change in differences if change not in known)
        found += [(f"{key} ({whose})" if whose else key, before, after) for key, before, after in own]
    return found


def _differences(old: Policy, new: Policy) -> list[Change]:
    before, after = _numbers(old), _numbers(new)
    return [
        (key, before.get(key, "-"), after.get(key, "-")) for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)
    ]


def _numbers(policy: Policy) -> dict[str, str]:
    sections = {name: getattr(policy, name).model_dump(exclude={"plans", "countries"}) for name in MODELS}
    return dict(_flat("", sections))


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        return [each for key, inner in value.items() for each in _flat(f"{prefix}.{key}" if prefix else str(key), inner)]
    return [(prefix, said(value))]


def said(value: Any) -> str:
    """A value as the file would have it."""
    match value:
        case timedelta():
            return words.span(value).replace(" ", "")
        case datetime():
            return words.moment(value)
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list() | tuple() | set() | frozenset():
            return f"[{', '.join(said(each) for each in value)}]"
        case _:
            return str(value)
