"""What can stop a command, and the exit code that says so (the contract's table)."""

from __future__ import annotations


class Stopped(Exception):
    """A command ends early. ``exit_code`` is what the shell sees; ``fix`` says what a person can do."""

    exit_code = 1

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class WrongUse(Stopped):
    """Wrong use or wrong config: nothing was started."""

    exit_code = 2


class GuardStopped(Stopped):
    """A guard stopped the run (cap, moved record, unapproved first run): nothing more was written."""

    exit_code = 3


class DatabaseAway(Stopped):
    """The database cannot be reached or cannot be used."""

    exit_code = 4


class DatabaseNewer(DatabaseAway):
    """A newer program has migrated the database: this one is to be replaced."""


class CrmAway(Stopped):
    """A CRM cannot be reached or will not let us in."""

    exit_code = 4
