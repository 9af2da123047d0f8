"""Where a command speaks to: tables and sentences on a terminal, plain text in a pipe, or one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

#: What a value out of a CRM must not do to whoever reads it: ring, step back over a word, begin the line again.
_UNSEEN = dict.fromkeys((7, 8, 11, 12, 13))


class Screen:
    """Where a command speaks to. ``as_json``: nothing is printed but the one document."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    @cached_property
    def _console(self) -> Console:
        # Here and not above: a pipe and --json do without, and it is a twentieth of the start.
        from rich.console import Console

        return Console(file=sys.stdout, highlight=False, emoji=False, markup=False)

    def say(self, text: str = "") -> None:
        """A line for people; silent with ``--json``."""
        if self.as_json:
            return
        if sys.stdout.isatty():
            self._console.print(text)
        else:
            print(text.translate(_UNSEEN), file=sys.stdout)  # noqa: T201 - a pipe gets plain lines

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Rows for people: a table on a terminal, tab-separated lines in a pipe."""
        if self.as_json:
            return
        if not sys.stdout.isatty():
            for row in rows:
                print("\t".join(_cell(cell) for cell in row), file=sys.stdout)  # noqa: T201 - a pipe gets plain lines
            return
        from rich.table import Table

        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(_cell(cell) for cell in row))
        self._console.print(table)

    def document(self, content: Mapping[str, Any]) -> None:
        """The JSON document; printed only with ``--json``."""
        if self.as_json:
            text = json.dumps(content, ensure_ascii=False, default=str)
            print(text, file=sys.stdout)  # noqa: T201 - the document belongs on stdout, and nothing else does


def _cell(value: Any) -> str:
    return "" if value is None else " ".join(str(value).split())
