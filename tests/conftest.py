"""What every test may ask for."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import resource
import ssl
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from connectors.sandbox import credentials
from sync.logs import FIELDS, ROOMS

#: Examples of a rule that names no number of its own.
EXAMPLES = int(os.environ.get("LEADPACT_TEST_EXAMPLES", "50"))
# How long an example takes is the machine's matter; a busy one must not fail a rule.
settings.register_profile("leadpact", deadline=None, max_examples=EXAMPLES)
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


@dataclass
class MailServer:
    """A real SMTP server on this machine. ``answers``: step (MAIL, RCPT, DATA) and address to what it says instead.

    ``drops_at``: the step at which it breaks off, for DATA after it has taken the content.
    """

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    answers: dict[tuple[str, str], str] = field(default_factory=dict)
    drops_at: str = ""

    def _said(self, step: str, address: str, server: Any) -> str | None:
        if self.drops_at == step:
            server.transport.abort()
        return self.answers.get((step, address)) or self.answers.get((step, ""))

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        refused = self._said("MAIL", address, server)
        if refused is None:
            envelope.mail_from = address
        return refused or "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        refused = self._said("RCPT", address, server)
        if refused is None:
            envelope.rcpt_tos.append(address)
        return refused or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        refused = self._said("DATA", "", server)
        if refused is None:
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.taken.append(message)
        return refused or "250 OK"

    def of(self, address: str) -> list[EmailMessage]:
        """The mails that came for an address."""
        return [one for one in self.taken if address in str(one["To"])]


@pytest.fixture
def mail_server() -> Iterator[Callable[..., MailServer]]:
    """Starts mail servers: ``mail_server(tls=CONTEXT, users={"name": "password"})``."""
    from aiosmtpd.smtp import SMTP, AuthResult

    loop, servers = asyncio.new_event_loop(), []
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def start(
        *, tls: ssl.SSLContext | None = None, users: dict[str, str] | None = None, port: int = 0
    ) -> MailServer:
        served = MailServer()

        def known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
            good = (users or {}).get(data.login.decode()) == data.password.decode()
            return AuthResult(success=good, handled=False)

        def protocol() -> SMTP:
            return SMTP(
                served,
                hostname="mail.test",
                tls_context=tls,
                require_starttls=tls is not None,
                authenticator=known if users else None,
                auth_required=bool(users),
                loop=loop,
            )

        async def listening() -> asyncio.Server:
            return await loop.create_server(protocol, "127.0.0.1", port)

        server = asyncio.run_coroutine_threadsafe(listening(), loop).result(60)
        servers.append(server)
        served.port = server.sockets[0].getsockname()[1]
        return served

    yield start

    async def ended() -> None:
        for server in servers:
            server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(ended(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: to look for garbage in it is a fifth of each worker's collecting."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


#: The files that take longest begin first: one that begins last keeps one worker busy while the others are done.
LONGEST = (
    *("main_job/kills/", "service/storm/", "faults/", "main_job/machine/", "test_real_input", "service/"),
    *("test_backfill", "test_walkthrough", "test_two_workers", "test_rows_asked_for", "test_csv_copy"),
    *("browser/", "test_generate_leads_effects", "test_backtest_generated", "web_endpoints/", "test_values_"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stories before contracts before units, and the longest stories first; else in the order of their files."""

    def place(item: pytest.Item) -> tuple[int, int]:
        kinds = ("story", "contract")
        kind = next((n for n, name in enumerate(kinds) if f"/tests/{name}/" in str(item.path)), len(kinds))
        long = next((n for n, name in enumerate(LONGEST) if name in str(item.path)), len(LONGEST))
        return kind, long

    items.sort(key=place)


class Leaks(logging.Handler):
    """Hears what our loggers say and reads what processes have logged, and keeps what should never stand there."""

    #: The sandbox's credentials, Salesforce's session ids, and whatever a test calls planted-….
    secret = re.compile(
        "|".join(
            re.escape(secret)
            for name, secret in vars(credentials).items()
            if name.endswith(("_TOKEN", "_SECRET"))
        )
        + r"|planted-[\w-]+|\b00D\w{12,15}![\w.]+"
    )
    #: The same, and people's addresses.
    never = re.compile(secret.pattern + r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.example\b")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        extra = [str(record.__dict__[name]) for name in FIELDS if name in record.__dict__]
        self.look(record.name, " ".join([record.getMessage(), *extra]))

    def look(self, where: str, said: str, never: re.Pattern[str] = never) -> None:
        """Keep each secret that was said, with its place."""
        self.found += [f"{where}: {secret}" for secret in sorted(set(never.findall(said)))]

    def look_into(self, folder: Path) -> None:
        """Read every log below a folder: of processes and commands, and of the database that they started.

        What a command answered (``*.out``) may name whoever was asked for, and holds no secret.
        """
        for log in (*folder.rglob("*.log"), *folder.rglob("postgresql/log")):
            if log.is_file():
                self.look(log.name, log.read_text("utf-8", errors="replace"))
        for answer in folder.rglob("said/*.out"):
            self.look(answer.name, answer.read_text("utf-8", errors="replace"), self.secret)

    def taken(self) -> list[str]:
        """What was found since the last time."""
        found, self.found = self.found, []
        return found


@pytest.fixture(scope="session")
def leaks() -> Iterator[Leaks]:
    """Listens to all our loggers as long as there are tests."""
    heard = Leaks()
    for room in ROOMS:
        logging.getLogger(room).addHandler(heard)
    yield heard
    for room in ROOMS:
        logging.getLogger(room).removeHandler(heard)


@pytest.fixture(autouse=True)
def _no_log_tells_a_secret(leaks: Leaks, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test makes our program or its processes log, no secret and nobody's address is in it."""
    is_story = "/tests/story/" in str(request.path) and "tmp_path" in request.fixturenames
    folder: Path | None = request.getfixturevalue("tmp_path") if is_story else None
    leaks.taken()
    yield
    if folder is not None:
        leaks.look_into(folder)
    assert not leaks.taken()


@pytest.fixture
def many_open_files() -> Iterator[None]:
    """More files than select() can tell apart (1,024), as in a process that has done much."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4_096:
        pytest.skip(f"this machine lets a process open {hard:,} files, and 4,096 are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4_096), hard))
    with ExitStack() as opened:
        for _ in range(1_100):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
