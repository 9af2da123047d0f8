"""What every command gets: where the config is, how to speak, and how options are read."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import click

from sync.console import Screen
from sync.settings import Settings, load_settings


class Context:
    """What every command gets: where the config is and how to speak."""

    def __init__(self, config: Path | None, *, as_json: bool, verbose: bool) -> None:
        self.config = config
        self.screen = Screen(as_json=as_json)
        self.verbose = verbose

    def settings(self) -> Settings:
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
