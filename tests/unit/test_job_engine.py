"""The job engine's tables are those of the library that is installed."""

from __future__ import annotations

import re

import procrastinate
from procrastinate.schema import SchemaManager
from procrastinate.testing import InMemoryConnector

from sync.store.migrate import known_migrations


def _statements(text: str) -> list[str]:
    """Without comments and spaces, so that only what the server sees is compared."""
    return " ".join(re.sub(r"--.*", "", text).split()).split(";")


def test_the_migration_makes_what_the_installed_engine_expects() -> None:
    """When it fails, the library was upgraded: its folder ``sql/migrations`` has the step that becomes ours."""
    ours = next(one.sql for one in known_migrations() if one.name == "jobs")
    theirs = SchemaManager(InMemoryConnector()).get_schema()
    # What makes the language plpgsql is left out: every PostgreSQL since 9.0 has it.
    after = theirs[theirs.index("-- Enums") :]
    assert _statements(ours)[: len(_statements(after)) - 1] == _statements(after)[:-1]
    assert procrastinate.__version__.split(".")[0] == "3"
