"""A policy as a file that people read: TOML with a comment on every rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
#: In a file for people a long text stands on lines of its own.
_LONG = 100


def policy_text(table: Mapping[str, Any], head: Sequence[str], about: Mapping[str, Sequence[str]]) -> str:
    """The tables of a policy as TOML. ``head``: comment lines for the top; ``about``: those of a rule, by name."""
    lines = [f"# {line}".rstrip() for line in head]
    for name, value in table.items():
        if isinstance(value, Mapping):
            lines += _table(name, value, about)
        else:
            lines += _tables(name, value, about)
    return "\n".join(lines) + "\n"


def _table(path: str, table: Mapping[str, Any], about: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A table with a heading: its plain values first, then the tables inside it; those deeper stand on one line."""
    yield ""
    yield f"[{path}]"
    for key, value in table.items():
        if not isinstance(value, Mapping) and not _is_tables(value):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield ""
            yield f"[{path}.{_key(key)}]"
            yield from (f"{_key(name)} = {_value(inner)}" for name, inner in value.items())
    for key, value in table.items():
        if _is_tables(value):
            yield from _tables(f"{path}.{_key(key)}", value, about)


def _tables(
    path: str, items: Sequence[Mapping[str, Any]], about: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    for item in items:
        yield ""
        for line in about.get(str(item.get("name", "")), ()) if path != "nurture" else ():
            yield f"# {line}"
        yield f"[[{path}]]"
        for key, value in item.items():
            yield f"{_key(key)} = {_value(value)}"


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _quoted(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return _text(value)
        case Mapping():
            inner = ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items())
            return f"{{ {inner} }}"
        case _:
            return f"[{', '.join(_value(one) for one in value)}]"


def _text(text: str) -> str:
    spreads = "\n" in text or len(text) > _LONG
    if spreads and "'''" not in text and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        # A line break right after the quotes does not count; the one before the closing ones does.
        return f"'''\n{text}'''"
    return _quoted(text)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
