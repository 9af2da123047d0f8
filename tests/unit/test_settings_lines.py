"""The line of every key, in files that are hard to read."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.initdir import TEMPLATES, template
from sync.tomlfile import KeyPath, TomlFile, lines_of, parse_path, read_toml

NASTY = """\
# [not.a.table]
top = "x"   # = [y]
a.b."c.d" = 1
'quoted key' . x = 2

[table . "with dot.s"]   # [comment]
text = \"\"\"
[not.a.table]
key = "no key"
quotes: "" and \\"\"\" and a \\\\\"\"\"
after = 1
raw = '''
[[nor.this]]
''''
end = "] } # \\" ="
list = [ # comment ]
  1, [2,
  3], "a, ]", { deep = { er = 1 }, x.y = '}' },   # }
  1979-05-27 07:32:00,
]
inline = { a = [1, 2], "b c" = 'd' }

[[many]]
name = "first"
[many.child]
x = 1
[[many.sub]]
y = 1
[[many.sub]]
y = 2

[[many]]
name = "second"
  [[many.sub]]
  y = 3
  [many.sub.deeper]
  z = 1
"""


def line_with(text: str, start: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if line.strip().startswith(start))


@pytest.mark.parametrize(
    ("path", "start"),
    [
        (("top",), "top ="),
        (("a", "b", "c.d"), "a.b"),
        (("a", "b"), "a.b"),
        (("quoted key", "x"), "'quoted key'"),
        (("table", "with dot.s"), "[table"),
        (("table", "with dot.s", "text"), "text ="),
        (("table", "with dot.s", "after"), "after ="),
        (("table", "with dot.s", "raw"), "raw ="),
        (("table", "with dot.s", "end"), "end ="),
        (("table", "with dot.s", "list"), "list ="),
        (("table", "with dot.s", "list", 0), "1, [2"),
        (("table", "with dot.s", "list", 1, 1), "3],"),
        (("table", "with dot.s", "list", 3, "deep", "er"), "3],"),
        (("table", "with dot.s", "list", 3, "x", "y"), "3],"),
        (("table", "with dot.s", "list", 4), "1979"),
        (("table", "with dot.s", "inline", "b c"), "inline ="),
        (("many",), "[[many]]"),
        (("many", 0, "name"), 'name = "first"'),
        (("many", 0, "child", "x"), "x = 1"),
        (("many", 0, "sub", 1, "y"), "y = 2"),
        (("many", 1, "name"), 'name = "second"'),
        (("many", 1, "sub", 0, "y"), "y = 3"),
        (("many", 1, "sub", 0, "deeper", "z"), "z = 1"),
    ],
)
def test_a_key_is_found_on_its_line(path: KeyPath, start: str) -> None:
    assert lines_of(NASTY)[path] == line_with(NASTY, start)


def every_path(value: Any, above: KeyPath = ()) -> set[KeyPath]:
    if isinstance(value, dict):
        inner = [every_path(child, (*above, key)) for key, child in value.items()]
    elif isinstance(value, list):
        inner = [every_path(child, (*above, number)) for number, child in enumerate(value)]
    else:
        inner = []
    return set().union({above} if above else set(), *inner)


@pytest.mark.parametrize("text", [NASTY, *map(template, TEMPLATES), "", "# nothing", "a=1"])
def test_every_key_has_a_line_and_no_line_is_made_up(text: str) -> None:
    assert set(lines_of(text)) == every_path(tomllib.loads(text))


def test_windows_line_ends_count_once() -> None:
    assert lines_of(NASTY.replace("\n", "\r\n")) == lines_of(NASTY)


_KEYS = st.text("ab.\"' #[]{}=\\é", min_size=1, max_size=4)
_VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text("a\"'[]{}#=,\\\n é", max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


def as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_toml(key)} = {as_toml(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[ # ]\n" + "".join(f"{as_toml(child)} , # }}\n" for child in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@given(st.lists(st.tuples(_KEYS, st.dictionaries(_KEYS, _VALUES, max_size=4)), max_size=4))
def test_any_valid_file_is_walked_to_its_end(tables: list[tuple[str, dict[str, Any]]]) -> None:
    """Lists of tables under any names, holding any values, in a file that ``tomllib`` takes."""
    text = "".join(
        f"[[{as_toml(name)}]] # [[x]]\n"
        + "".join(f"{as_toml(key)} = {as_toml(value)}\n" for key, value in table.items())
        for name, table in tables
    )
    assert set(lines_of(text)) == every_path(tomllib.loads(text))


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("policy.fit[2].when", ("policy", "fit", 2, "when")),
        ("nurture[0]", ("nurture", 0)),
        ("fields.email", ("fields", "email")),
        ("", ()),
    ],
)
def test_a_path_is_taken_apart(path: str, parts: KeyPath) -> None:
    assert parse_path(path) == parts


def test_a_missing_key_is_told_by_the_table_around_it(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("\n[a]\nb = 1\n")
    found: TomlFile = read_toml(tmp_path / "x.toml", "x.toml")
    assert found.where(("a", "c")) == "x.toml:2"
    assert found.where(("z",)) == "x.toml"
