"""The rules that hold everywhere, each broken on purpose."""

from __future__ import annotations

import pytest

from tests.architecture.house import House

_ILL_TYPED = {
    "a function without types": ("def price(amount):\n    return amount\n", "no-untyped-def"),
    "a value of another type": ('PRICE: int = "12"\n', "assignment"),
    "a silenced check that names nothing": ('PRICE: int = "12"  # type: ignore\n', "ignore-without-code"),
    "a silenced check that isn't needed any more": ("PRICE: int = 12  # type: ignore[assignment]\n", "unused-ignore"),
}
_BAD_STYLE = {
    "an open end": ("# TODO: the rest\n", "FIX002"),
    "a blind except": ('"""A."""\n\ntry:\n    import offramp_schemas\nexcept Exception:\n    offramp_schemas = None\n', "BLE001"),
    "a moment without a zone": ('"""A."""\n\nfrom datetime import datetime\n\nAT = datetime(2026, 11, 23)\n', "DTZ001"),
    "a public function without a word about it": ('"""A."""\n\n\ndef price() -> int:\n    return 12\n', "D103"),
    "a print in a service": ('"""A."""\n\nprint("here")\n', "T201"),
    "a relative import": ('"""A."""\n\nfrom . import states\n', "TID252"),
    "a lint check silenced wholesale": ('"""A."""\n\nimport os  # noqa\n', "PGH004"),
    "a line nobody can read at once": (f'"""A {"very " * 30} long line."""\n', "E501"),
    "a function nobody can follow": (
        '"""A."""\n\n\ndef maze(turn: int) -> int:\n    """Lead astray."""\n'
        + "".join(f"    if turn == {n}:\n        turn += {n}\n" for n in range(11))
        + "    return turn\n",
        "C901",
    ),
}


@pytest.mark.parametrize("fault", _ILL_TYPED)
def test_mypy_sees(fault: str, bare_house: House) -> None:
    source, code = _ILL_TYPED[fault]
    bare_house.plant("planted.py", source)
    status, output = bare_house.verdict("mypy", "planted.py")
    assert (status, f"[{code}]" in output) == (1, True), output


@pytest.mark.parametrize("fault", _BAD_STYLE)
def test_ruff_sees(fault: str, bare_house: House) -> None:
    source, code = _BAD_STYLE[fault]
    bare_house.plant("services/runtime/planted.py", source)
    status, output = bare_house.verdict("ruff", "check", "--output-format", "concise", ".")
    assert (status, code in output) == (1, True), output
