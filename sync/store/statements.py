"""Named SQL statements, read from the .sql files of this package.

A statement starts with a line ``-- its_name --`` and ends where the next one starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


@cache
def load_statements() -> Mapping[str, str]:
    """Every named statement of ``sync/store/sql``, read once a process. Raises ValueError when a name is used twice."""
    statements: dict[str, str] = {}
    folder = files("sync.store").joinpath("sql")
    for source in sorted(folder.iterdir(), key=lambda entry: entry.name):
        parts = _NAME.split(source.read_text(encoding="utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in statements:
                raise ValueError(f"{source.name}: the statement {name} is there twice")
            statements[name] = text.strip().rstrip(";")
    return MappingProxyType(statements)
