"""What names people goes into files that only their owner can read, whatever was there before."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sync.privatefile import opened_private


def _write(path: Path) -> None:
    with os.fdopen(opened_private(path), "w", encoding="utf-8") as file:
        file.write("anna")


def _rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("before", [None, "what stood here before, and was longer"])
def test_a_file_is_closed_to_others_and_holds_nothing_of_before(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "people.csv"
    if before is not None:
        path.write_text(before, encoding="utf-8")
        path.chmod(0o644)
    _write(path)
    assert (path.read_text(encoding="utf-8"), _rights(path)) == ("anna", 0o600)


def test_a_pipe_or_device_that_others_use_keeps_its_rights(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    pipe.chmod(0o666)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _write(pipe)
        assert (os.read(reader, 99), _rights(pipe)) == (b"anna", 0o666)
    finally:
        os.close(reader)
