"""A TOML file and the line on which each of its keys stands.

``tomllib`` gives values without lines, so the text is walked a second time. The walk relies on the text being
valid: it only has to know where keys and values begin and end.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sync.wrongconfig import WrongConfig, problem

#: Names a value in nested tables: keys, and numbers (from 0) for the items of a list.
KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_STRINGS = tuple(
    re.compile(pattern, re.DOTALL)
    # Three quotes close a long string, and up to two more may stand before them as part of it.
    for pattern in (
        r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})(?!")',
        r"'''.*?'''(?:'{0,2})(?!')",
        r'"(?:[^"\\]|\\.)*"',
        r"'[^']*'",
    )
)
_BARE_VALUE = re.compile(r"[^,\]}#\r\n]+")
_LINE = re.compile(r"at line (\d+)")
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")

#: What ``tomllib`` says and what people understand. Its other words may quote the text, so they are not shown.
_SAID = (
    ("Cannot overwrite a value", "this key stands in the file twice"),
    ("Cannot declare", "this table stands in the file twice"),
    ("Duplicate inline table key", "a key stands twice in these braces"),
    ("Invalid value", "there is no value that TOML knows: a text needs quotation marks"),
    ("Expected '='", "an = is missing between a key and its value"),
    ("Expected newline", "something follows the value on its line"),
    ("Unescaped '\\'", "a \\ in a text with \" must be doubled, or write the text with '"),
    ("Expected \"'", "a quotation mark is missing at the end of a text"),
    ("Expected ']", "a ] is missing at the end of a table's name"),
    ("Unclosed array", "a ] or a comma is missing in a list"),
    ("Unclosed inline table", "a } or a comma is missing"),
    ("Unterminated string", "a quotation mark is missing at the end of a text"),
    ("Illegal character", "a quotation mark is missing, or a character stands here that no text may hold"),
)


@dataclass(frozen=True)
class TomlFile:
    """What a file holds, and its ``text``. ``name`` is what people are told."""

    name: str
    data: dict[str, Any] = field(repr=False)
    text: str = field(repr=False)

    @cached_property
    def lines(self) -> dict[KeyPath, int]:
        """The line of each key path, from 1. Looked for when somebody asks: most files have nothing wrong."""
        return lines_of(self.text)

    def where(self, path: KeyPath) -> str:
        """``leadpact.toml:12`` for a key, for the nearest table around it, or the file's name alone."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return f"{self.name}:{self.lines[path[:end]]}"
        return self.name


def read_toml(path: Path, name: str) -> TomlFile:
    """Read a file. Raises WrongConfig when it cannot be read or is not TOML; the text is never repeated."""
    wrong = None
    try:
        # Windows editors put a byte order mark in front.
        text = path.read_text(encoding="utf-8-sig")
        return TomlFile(name, tomllib.loads(text), text)
    except OSError as error:
        wrong = problem(
            name, f"cannot be read: {(error.strerror or 'unknown reason').lower()}", "name a file that can be"
        )
    except UnicodeDecodeError:
        wrong = problem(name, "is not written in UTF-8", "save the file as UTF-8")
    except tomllib.TOMLDecodeError as error:
        wrong = problem(*_invalid(name, text, str(error)))
    except ValueError:
        wrong = problem(name, "is no name of a file", "name a file that can be read")
    # Raised out here, so that the first error, which may quote the text, is not carried along.
    raise WrongConfig([wrong])


def _invalid(name: str, text: str, said: str) -> tuple[str, str, str]:
    found = _LINE.search(said)
    line = int(found[1]) if found else max(len(text.splitlines()), 1)
    what = next((ours for theirs, ours in _SAID if said.startswith(theirs)), "this is not TOML")
    return f"{name}:{line}", what, "correct this line, or the one before it"


def parse_path(path: str) -> KeyPath:
    """``policy.fit[2].when`` as ``("policy", "fit", 2, "when")``."""
    return tuple(int(number) if number else key for number, key in _STEP.findall(path))


def lines_of(text: str) -> dict[KeyPath, int]:
    """The line of every table, key and list item of a valid TOML text."""
    walk = _Walk(text.replace("\r\n", "\n"))
    walk.document()
    return walk.lines


class _Walk:
    """Goes through a text once, from front to back."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._items: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        self._take(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._take(_BLANK)

    def _header(self) -> KeyPath:
        many = self._text.startswith("[[", self._at)
        self._skip(2 if many else 1)
        line = self._line
        keys = self._keys()
        self._skip(2 if many else 1)
        path: KeyPath = ()
        for key in keys[:-1]:
            path = self._latest((*path, key))
            self.lines.setdefault(path, line)
        path = (*path, keys[-1])
        if many:
            self._items[path] = self._items.get(path, -1) + 1
            self.lines.setdefault(path, line)
            path = (*path, self._items[path])
        self.lines[path] = line
        return path

    def _latest(self, path: KeyPath) -> KeyPath:
        """Below a list of tables, a name means the list's last table."""
        return (*path, self._items[path]) if path in self._items else path

    def _pair(self, table: KeyPath) -> None:
        line = self._line
        path = table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._skip(1)
        self._take(_SPACE)
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._take(_SPACE)
            raw = self._take(_KEY)
            keys.append(next(iter(tomllib.loads(f"{raw} = 0"))))
            self._take(_SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._skip(1)

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at]
        if first == "[":
            self._list(path)
        elif first == "{":
            self._braces(path)
        elif first in "\"'":
            self._take(next(kind for kind in _STRINGS if kind.match(self._text, self._at)))
        else:
            self._take(_BARE_VALUE)

    def _list(self, path: KeyPath) -> None:
        number = 0
        self._open()
        while self._text[self._at] != "]":
            self.lines[(*path, number)] = self._line
            self._value((*path, number))
            number += 1
            self._comma()
        self._skip(1)

    def _braces(self, path: KeyPath) -> None:
        self._open()
        while self._text[self._at] != "}":
            self._pair(path)
            self._comma()
        self._skip(1)

    def _open(self) -> None:
        self._skip(1)
        self._take(_BLANK)

    def _comma(self) -> None:
        self._take(_BLANK)
        if self._text[self._at] == ",":
            self._open()

    def _skip(self, characters: int) -> None:
        self._at += characters

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        taken = found[0] if found else ""
        self._at += len(taken)
        self._line += taken.count("\n")
        return taken
