"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is the machine's matter; a busy one must not fail a rule.
settings.register_profile("leadpact", deadline=None)
settings.load_profile("leadpact")

REQUIRE_ALL = os.environ.get("LEADPACT_REQUIRE_ALL") == "1"


def _beside_the_checkout(*parts: str) -> Path:
    folder = Path(__file__).resolve().parents[1].parent.joinpath("shared", *parts)
    if not folder.is_dir():
        reason = f"the public rows ({'/'.join(parts)}) are not beside this checkout"
        if REQUIRE_ALL:
            pytest.fail(f"{reason}, and LEADPACT_REQUIRE_ALL=1 demands them")
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public rows and recorded payloads; the test is skipped where it is missing."""
    return _beside_the_checkout("data")


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """The folder of the wire contracts; the test is skipped where it is missing."""
    return _beside_the_checkout("reference")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which tests did not run, by name and number, so that a green run hides nothing."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"not run here: {len(skipped)}")
        for number, report in enumerate(skipped, 1):
            reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
            terminalreporter.write_line(f"{number}. {report.nodeid}: {str(reason).removeprefix('Skipped: ')}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything has to run, a skip is a failure, whatever its reason."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if REQUIRE_ALL and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = max(session.exitstatus, pytest.ExitCode.TESTS_FAILED)


#: The files that take longest begin first: one that begins last keeps one worker busy while the others are done.
LONGEST = ("main_job/kills/", "main_job/machine/", "service/", "test_two_workers", "faults/", "test_backfill")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stories before contracts before units, and the longest stories first; else in the order of their files."""

    def place(item: pytest.Item) -> tuple[int, int]:
        kinds = ("story", "contract")
        kind = next((n for n, name in enumerate(kinds) if f"/tests/{name}/" in str(item.path)), len(kinds))
        long = next((n for n, name in enumerate(LONGEST) if name in str(item.path)), len(LONGEST))
        return kind, long

    items.sort(key=place)
