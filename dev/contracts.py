"""A rule for import-linter that it doesn't bring: these modules import nothing but what is listed."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output
from importlinter.domain import fields


class OnlyContract(Contract):
    """Every direct import of `modules` (but `except_modules`) is in `may_import` and not in `may_not_import`.

    All are lists of patterns, in which `*` also stands for dots.

    A list of what is forbidden would be silent about the next library somebody thinks of.
    """

    modules = fields.ListField(subfield=fields.StringField())
    except_modules = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    may_import = fields.ListField(subfield=fields.StringField())
    may_not_import = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Import-linter's hook."""
        found = [name for name in graph.modules if _matches(name, self.modules) and not _matches(name, self.except_modules)]
        wrong = sorted(
            (name, imported)
            for name in found
            for imported in graph.find_modules_directly_imported_by(name)
            if imported != name and (_matches(imported, self.may_not_import) or not _matches(imported, self.may_import))
        )
        # Matching nothing is a rule that a renamed folder has switched off.
        return ContractCheck(kept=bool(found) and not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Import-linter's hook."""
        if not check.metadata["wrong"]:
            output.print_error("No module matches.")
        for name, imported in check.metadata["wrong"]:
            output.print_error(f"{name} is not allowed to import {imported}.")


def _matches(name: str, patterns: object) -> bool:
    """`patterns` is what import-linter has made of a list in the configuration: its types don't say so."""
    return any(fnmatchcase(name, pattern) for pattern in cast("Sequence[str]", patterns))
