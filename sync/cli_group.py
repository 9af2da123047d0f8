"""Groups of commands that are announced by name and sentence, and imported when one of them is chosen.

What a command works with takes a second to import, and ``leadpact --help`` needs none of it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click


class Announced(click.Command):
    """A command that is known by its name and the first sentence of its help. ``place``: ``MODULE:NAME`` of it."""

    def __init__(self, name: str, says: str, place: str) -> None:
        super().__init__(name, help=says)
        self._place = place

    def command(self) -> click.Command:
        """The command itself, imported."""
        module, _, name = self._place.partition(":")
        with _imports_only():
            found = getattr(import_module(module), name)
        assert isinstance(found, click.Command), self._place
        return found


@contextmanager
def _imports_only() -> Iterator[None]:
    """Imports make a hundred thousand objects that stay. Looking through them for garbage, again and again while they
    are made and ever after, would take a tenth of the start."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_on:
            gc.enable()


class LateGroup(click.Group):
    """A group whose commands are imported when they are asked for; its help tells them without that."""

    def __init__(self, *settings: Any, late: Mapping[str, tuple[str, str]], **more: Any) -> None:
        """``late``: name to place (``MODULE:NAME``) and sentence; the rest is click's."""
        super().__init__(*settings, **more)
        for name, (place, says) in late.items():
            self.add_command(Announced(name, says, place))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported; None where there is none of that name."""
        found = super().get_command(ctx, cmd_name)
        return found.command() if isinstance(found, Announced) else found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The names and sentences, as a group tells them that has its commands at hand."""
        click.Group(commands=self.commands).format_commands(ctx, formatter)
