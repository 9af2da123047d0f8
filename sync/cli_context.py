"""What every command gets: where the config is, how to speak, and how options are read."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.screen import Screen

if TYPE_CHECKING:
    from sync.settings import Settings


class Context:
    """What every command gets: where the config is and how to speak."""

    def __init__(self, config: Path | None, *, as_json: bool, verbose: bool) -> None:
        self.config = config
        self.screen = Screen(as_json=as_json)
        self.verbose = verbose

    def settings(self) -> Settings:
        # Here and not above: a command that reads no config begins without its sections.
        from sync.settings import load_settings

        return load_settings(self.config, os.environ)


def wanted_time(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as problem:
        raise click.BadParameter("a time looks like 2026-11-22T09:00+01:00") from problem
    if moment.tzinfo is None:
        raise click.BadParameter("a time needs its zone, for example 2026-11-22T09:00+01:00 or …Z")
    return moment


def age(length: timedelta) -> str:
    """A length of time for people, in its largest unit."""
    seconds = max(int(length.total_seconds()), 0)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
