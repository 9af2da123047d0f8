"""Every promise names the test that keeps it, and that test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROMISES = re.findall(
    r"^\| (.+?) \| `(\S+?)::(\w+)` \|$", (ROOT / "docs/promises.md").read_text("utf-8"), re.M
)


def _tests_of(name: str) -> set[str]:
    """The tests of the one file of this name."""
    (path,) = (ROOT / "tests").rglob(name)
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize(("promise", "file", "test"), PROMISES, ids=[test for _, _, test in PROMISES])
def test_a_promise_is_kept_by_a_test_that_exists(promise: str, file: str, test: str) -> None:
    assert promise.endswith(".")
    assert test in _tests_of(file)


def test_every_line_of_the_tables_is_a_promise() -> None:
    lines = [
        line
        for line in (ROOT / "docs/promises.md").read_text("utf-8").splitlines()
        if line.startswith("|") and not line.startswith(("|---", "| promise"))
    ]
    assert len(lines) == len(PROMISES) > 20
