"""What pydantic found wrong, said in our own words: its own may repeat the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.section import OURS

#: Kind of error to what is wrong and what to do.
_WORDS: Mapping[str, tuple[str, str]] = {
    "missing": ("is missing", "add it"),
    "bool": ("must be true or false", "write true or false, without quotation marks"),
    "int": ("must be a whole number", "write a whole number, without quotation marks"),
    "float": ("must be a number", "write a number, without quotation marks"),
    "finite_number": ("must be a number", "write an ordinary number"),
    "string": ("must be a text", 'write it in quotation marks, such as "text"'),
    "model": ("must be a table", "write it as a table of settings, such as [name]"),
    "dict": ("must be a table", "write it as a table, such as { name = … }"),
    "mapping": ("must be a table", "write it as a table, such as { name = … }"),
    "dataclass": ("must be a table", "write it as a table of settings, such as [name]"),
    "enum": ("is none of the words allowed here", "use one of them"),
}
_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("gt", "must be more than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def words_of(error: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong with a value and what to do, made from the kind of the error alone."""
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == OURS:
        return str(error["msg"]), "correct it"
    if kind == "literal_error":
        # What is expected is ours; what was found is not shown.
        return f"must be {context['expected']}", "use one of these words"
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"{words} {context[key]:g}", "choose another number"
    if kind in ("int_from_float", "int_parsing_size"):
        return _WORDS["int"]
    stem = kind.removesuffix("_type").removesuffix("_parsing")
    return _WORDS.get(stem, ("cannot be understood", "compare it with config.example.toml"))
