"""Reading settings out of parsed TOML: every problem is kept, with its path, and none stops the reading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mapping.qualification.columns import Column, nearest
from mapping.qualification.conditions import Condition, compile_condition
from mapping.qualification.syntax import ConditionProblem


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One thing wrong with a policy. ``path`` is such as ``policy.fit[2].when``, counted from 0.

    ``only_shown``: the policy can judge; what it says could not be shown, or not told apart, in the CRMs.
    """

    path: str
    message: str
    only_shown: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class PolicyProblems(ValueError):
    """A policy cannot be used; ``problems`` holds everything that is wrong with it, in the file's order."""

    def __init__(self, problems: Sequence[PolicyProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


#: Characters of a name that are quoted before what is wrong with what it names.
_TITLE = 80


class Table:
    """One table, read key by key. ``done`` reports the keys that nobody asked for."""

    def __init__(self, path: str, values: Any, problems: list[PolicyProblem], title: str = "") -> None:
        self.path = path
        self._problems = problems
        self._asked: set[str] = set()
        self._values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        self.title = title if len(title) <= _TITLE else f"{title[:_TITLE]}…"
        if not isinstance(values, Mapping):
            problems.append(PolicyProblem(path, f"expected a table, found {_shown(values)}"))

    def problem(self, key: str, message: str, *, only_shown: bool = False) -> None:
        """Keep a problem with the value of ``key``; a rule's name is put before it."""
        path = f"{self.path}.{key}" if key else self.path
        text = f"“{self.title}”: {message}" if self.title else message
        self._problems.append(PolicyProblem(path, text, only_shown))

    def has(self, key: str) -> bool:
        return key in self._values

    def keys(self) -> list[str]:
        return list(self._values)

    def get(self, key: str) -> Any:
        """The raw value, or None; the key counts as asked for."""
        self._asked.add(key)
        return self._values.get(key)

    def _missing(self, key: str, needed: bool) -> bool:
        if key in self._values:
            return False
        if needed:
            self.problem(key, f"{key} is missing")
        return True

    def text(self, key: str, *, default: str = "", needed: bool = False, longest: int | None = None) -> str:
        """A text that says something, of at most ``longest`` characters."""
        value = self.get(key)
        if self._missing(key, needed):
            return default
        if not isinstance(value, str) or not value.strip():
            self.problem(key, f"expected a text, found {_shown(value)}")
            return default
        if longest is not None and len(value.strip()) > longest:
            self.problem(
                key,
                f"expected at most {longest} characters, which is what both CRMs can show, found {len(value.strip())}",
                only_shown=True,
            )
        return value

    def whole(
        self, key: str, *, default: int | None, low: int, high: int, needed: bool = False
    ) -> int | None:
        value = self.get(key)
        if self._missing(key, needed):
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.problem(key, f"expected a whole number, found {_shown(value)}")
            return default
        if not low <= value <= high:
            self.problem(key, f"expected a whole number from {low} to {high}, found {value}")
            return default
        return value

    def positive(self, key: str, *, high: int) -> Decimal | None:
        """A number above zero, exact: ``0.92`` is read as it is written."""
        value = self.get(key)
        if key not in self._values:
            return None
        written = str(value).strip()
        good = not isinstance(value, bool) and re.fullmatch(r"\d{1,12}(\.\d{1,6})?", written)
        if not good or not 0 < Decimal(written) <= high:
            self.problem(key, f"expected a number above 0 and up to {high}, found {_shown(value)}")
            return None
        return Decimal(written)

    def choice(self, key: str, words: Sequence[str], *, default: str, needed: bool = False) -> str:
        value = self.get(key)
        if self._missing(key, needed) or value in words:
            return default if key not in self._values else str(value)
        self.problem(key, f"expected {' or '.join(words)}, found {_shown(value)}{_hint(value, words)}")
        return default

    def choices(self, key: str, words: Sequence[str], *, default: Sequence[str]) -> tuple[str, ...]:
        value = self.get(key)
        if key not in self._values:
            return tuple(default)
        if not isinstance(value, list):
            self.problem(key, f"expected a list of {', '.join(words)}, found {_shown(value)}")
            return tuple(default)
        for word in value:
            if word not in words:
                self.problem(key, f"expected {' or '.join(words)}, found {_shown(word)}{_hint(word, words)}")
        return tuple(dict.fromkeys(word for word in value if word in words))

    def condition(self, key: str, columns: Mapping[str, Column], *, default: str = "") -> Condition | None:
        """A condition that can be used, or None with its problem kept."""
        text = self.text(key, default=default, needed=not default)
        if not text:
            return None
        try:
            return compile_condition(text, columns)
        except ConditionProblem as problem:
            self.problem(key, f"{problem} (at sign {problem.position} of: {text})")
            return None

    def table(self, key: str, *, needed: bool = False) -> Table:
        value = self.get(key)
        missing = self._missing(key, needed)
        return Table(f"{self.path}.{key}" if self.path else key, {} if missing else value, self._problems)

    def tables(self, key: str) -> Iterator[Table]:
        """Each table of a list of tables, titled by its ``name``."""
        value = self.get(key)
        path = f"{self.path}.{key}" if self.path else key
        if value is not None and not isinstance(value, list):
            self._problems.append(PolicyProblem(path, f"expected tables, each headed [[{path}]]"))
            return
        for position, item in enumerate(value or []):
            title = item.get("name") if isinstance(item, Mapping) else None
            yield Table(f"{path}[{position}]", item, self._problems, title if isinstance(title, str) else "")

    def done(self) -> None:
        """Report every key that was not asked for, with the nearest that can be."""
        for key in self._values:
            if key not in self._asked:
                self.problem(key, f"there is no setting {key}{_hint(key, self._asked)}")


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def _hint(value: object, words: Sequence[str] | set[str]) -> str:
    near = nearest(value, words) if isinstance(value, str) else None
    return f"; did you mean {near}?" if near else ""
