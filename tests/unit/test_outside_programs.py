"""Other people's programs are installed once per machine and lock file, whoever comes first."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from bench.outside import NotToBeHad, cache, installed, run_installer


def test_whoever_comes_first_installs_and_the_others_wait(tmp_path: Path) -> None:
    began, found = [], []

    def install(folder: Path) -> None:
        began.append(folder)
        (folder / "program").write_text("whole")

    def ask() -> None:
        folder = installed(tmp_path / "cache", "program", [b"lock"], install)
        found.append((folder / "program").read_text())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(began), found) == (1, ["whole"] * 4)


def test_what_a_killed_installation_left_is_thrown_away(tmp_path: Path) -> None:
    def killed(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        installed(tmp_path, "program", [b"lock"], killed)
    folder = installed(tmp_path, "program", [b"lock"], lambda folder: (folder / "whole").touch())
    assert {path.name for path in folder.iterdir()} == {"whole", "installed"}


def test_another_lock_is_another_folder(tmp_path: Path) -> None:
    one, other = (installed(tmp_path, "program", [lock], lambda _: None) for lock in (b"one", b"other"))
    assert one != other


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("npm error code ENOTFOUND", NotToBeHad),
        ("error: Request failed after 3 retries\n  Caused by: dns error", NotToBeHad),
        ("npm error code EINTEGRITY", RuntimeError),
        ("error: hash mismatch", RuntimeError),
    ],
)
def test_a_registry_out_of_reach_is_told_from_a_failure(
    tmp_path: Path, said: str, kind: type[Exception]
) -> None:
    failing = [sys.executable, "-c", f"import sys; sys.stderr.write({said!r}); sys.exit(1)"]
    with pytest.raises(kind):
        run_installer("npm", failing, tmp_path)


def test_the_cache_is_where_it_is_told_to_be(tmp_path: Path) -> None:
    assert cache({"LEADPACT_TEST_CACHE": str(tmp_path)}) == tmp_path
    assert cache({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "leadpact-tests"
    assert cache({}) == Path(os.path.expanduser("~")) / ".cache" / "leadpact-tests"
