"""What ``leadpact init`` writes: the config in three files, commented, ready for credentials."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from sync.errors import WrongUse

#: In the order in which people read them: connections, fields, policy.
TEMPLATES = ("leadpact.toml", "fields.toml", "policy.toml")


def template(name: str) -> str:
    """The text of one of ``TEMPLATES``."""
    return files("sync").joinpath("templates", name).read_text(encoding="utf-8")


def write_config(directory: Path) -> list[Path]:
    """Write the three files into ``directory``, made if need be, and return them.

    Raises WrongUse, before anything is written, where one of them is there already, and where the directory
    cannot be written to.
    """
    targets = [directory / name for name in TEMPLATES]
    there = [target.name for target in targets if target.exists()]
    if there:
        raise WrongUse(
            f"{directory} has {', '.join(there)} already; nothing was written",
            fix="name another directory, or move the old files away",
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for target in targets:
            # "x": a file that somebody else makes meanwhile is not overwritten.
            with target.open("x", encoding="utf-8", newline="\n") as file:
                file.write(template(target.name))
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        raise WrongUse(
            f"{directory} cannot be written to: {why}", fix="name a directory that can be"
        ) from error
    return targets
