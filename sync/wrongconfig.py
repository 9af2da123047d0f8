"""What is wrong with a config, said without ever repeating a value: values may be secrets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from sync.errors import WrongUse


class Problem(TypedDict):
    """One problem, as ``check --json`` prints it. ``where``: a file with its line, or a variable's name."""

    where: str
    severity: str
    problem: str
    fix: str


def found(where: str, severity: str, problem: str, fix: str) -> Problem:
    """A problem of any ``severity``: error, warning or note."""
    return Problem(where=where, severity=severity, problem=problem, fix=fix)


def problem(where: str, what: str, fix: str) -> Problem:
    """A problem that keeps the config from being used."""
    return found(where, "error", what, fix)


class WrongConfig(WrongUse):
    """The config cannot be used. ``problems`` has everything that is wrong, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        lines = (f"{one['where']}: {one['problem']}" for one in self.problems)
        super().__init__("\n".join(lines), fix="\n".join(one["fix"] for one in self.problems))
