"""The file of a new account: made once in a process, and copied for every account after."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from connectors.sandbox.keeping import bring_back

#: Makes a file with SQLite's help and closes it.
Make = Callable[[Path], None]


def lay_down(path: Path, make: Make) -> None:
    """Put a file as ``make`` makes it where there is none; one that is there stays as it is."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    for ending in ("-wal", "-shm"):
        # What is left of a file that somebody removed is not this one's.
        path.with_name(path.name + ending).unlink(missing_ok=True)
    # Replaced in one step: a kill between the two lines leaves no half file.
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(_made(make))
    os.replace(draft, path)


def start_again(database: sqlite3.Connection, make: Make) -> None:
    """Make an open database what ``make`` makes; whoever else has it open sees one transaction."""
    with TemporaryDirectory(prefix="leadpact-sandbox-") as folder:
        file = Path(folder) / "new.sqlite"
        file.write_bytes(_made(make))
        bring_back(file, database)


@cache
def _made(make: Make) -> bytes:
    with TemporaryDirectory(prefix="leadpact-sandbox-") as folder:
        file = Path(folder) / "new.sqlite"
        make(file)
        return file.read_bytes()
