"""States of a pretend account that were kept under a name: copies of its files, in its own folder.

``kept/SIDE/NAME/`` holds a copy of each file of a side, made by SQLite's backup, so that it is whole whatever else
reads or writes meanwhile. It outlives a restart and a ``reset``, as the folder does.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from connectors.sandbox.side import ControlRefused

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Shelf:
    """The kept states of one side. ``folder`` is the account's, ``side`` the side's name."""

    def __init__(self, folder: Path, side: str) -> None:
        self._place = folder / "kept" / side

    def names(self) -> list[str]:
        """What states are kept, in the order of their names."""
        if not self._place.is_dir():
            return []
        return sorted(each.name for each in self._place.iterdir() if _NAME.fullmatch(each.name))

    def keep(self, name: str, files: Mapping[str, sqlite3.Connection]) -> None:
        """Copy files as they are now; an earlier state of that name goes.

        ``files`` maps the name of each to an open connection without a transaction. Raises ControlRefused for a
        name that is none.
        """
        wanted, fresh = self._folder_of(name), self._place / ".new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for file, database in files.items():
            with closing(sqlite3.connect(fresh / file)) as copy:
                database.backup(copy)
        # All files or none: a state of half an account would be worse than none after a kill.
        shutil.rmtree(wanted, ignore_errors=True)
        fresh.rename(wanted)

    def find(self, name: str) -> Path:
        """The folder of a kept state. Raises ControlRefused where there is none of that name."""
        found = self._folder_of(name)
        if not found.is_dir():
            known = ", ".join(self.names()) or "none yet"
            raise ControlRefused(f"to: no state was kept as {name!r}; there are: {known}")
        return found

    def _folder_of(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ControlRefused("a name was expected: lower case letters, digits, - and _, at most 64")
        return self._place / name


def bring_back(kept: Path, database: sqlite3.Connection) -> None:
    """Make an open database what a kept file holds; whoever else has it open sees one transaction."""
    (page,) = database.execute("PRAGMA page_size").fetchone()
    with closing(sqlite3.connect(kept)) as copy:
        if copy.execute("PRAGMA page_size").fetchone() == (page,):
            copy.backup(database)
        else:
            _with_pages_of(page, copy, database)


def _with_pages_of(page: int, copy: sqlite3.Connection, database: sqlite3.Connection) -> None:
    """For what another version kept, whose pages had another size: an open file cannot take those over."""
    with tempfile.TemporaryDirectory() as place:
        copy.execute(f"PRAGMA page_size = {page}")
        copy.execute("VACUUM INTO ?", (str(Path(place) / "kept"),))
        with closing(sqlite3.connect(Path(place) / "kept")) as fitting:
            fitting.backup(database)
