"""People are told: alerts once when they begin and once when they are over, and the Monday mail once a week."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from sync.alerts import gap_mended, tell_gap
from sync.app import App
from sync.jobs_notify import look_at_schema, look_for_alerts, send_letters, send_monday_mail
from sync.jobs_watch import Watch, crons_of
from sync.store.standing import Compared
from sync.work import Work

ANNA, BEN = "Anna Sommer <anna@team.example>", "ben@team.example"
WEEK = 7 * 86_400.0


class Chat:
    """A webhook that keeps what it is sent, and answers with ``status``."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.status = 200
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if chat.status == 200:
                    chat.taken.append(body)
                self.send_response(chat.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hooks/secret-word"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def chat() -> Iterator[Chat]:
    started = Chat()
    yield started
    started.close()


def _joined(house: Any, server: Any, chat: Chat | None = None, more: str = "") -> None:
    """The house tells Anna in German and Ben in English."""
    if chat is not None:
        house.environ["LEADPACT_NOTIFY__ALERT_WEBHOOK"] = chat.url
    with (house.folder / "leadpact.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'\n[notify]\nsmtp_host = "127.0.0.1"\nsmtp_port = {server.port}\nencryption = "none"\n'
            f'sender = "Leadpact <leadpact@team.example>"\n{more}\n'
            f'[notify.monday_mail]\n"{ANNA}" = "de"\n"{BEN}" = "en"\n'
            f'[notify.alert_mail]\n"{ANNA}" = "de"\n"{BEN}" = "en"\n'
        )


@contextmanager
def _at_work(house: Any) -> Iterator[tuple[App, Work]]:
    with house.app() as app:
        yield app, app.work()


def _differ(work: Work, leads: int) -> None:
    """What an ``agree`` that found so many unexplained leads leaves behind."""
    work.store.standing.keep_agreement(Compared(work.clock(), 10, 10 - leads, 10 - leads, {}, leads))


def _due_now(house: Any) -> None:
    """The time to the next try has passed."""
    with psycopg.connect(house.database, autocommit=True) as connection:
        connection.execute("UPDATE letter SET not_before = now(), held_until = NULL WHERE state = 'waiting'")


def _states(house: Any, state: str) -> int:
    """How many letters are in this state."""
    with psycopg.connect(house.database, autocommit=True) as connection:
        (row,) = connection.execute("SELECT count(*) FROM letter WHERE state = %s", [state]).fetchall()
    return int(row[0])


def test_an_alert_is_told_once_to_everybody_and_once_more_when_it_is_over(
    furnished: Any, mail_server: Callable[..., Any], chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    server = mail_server()
    _joined(furnished, server, chat)
    with _at_work(furnished) as (app, work):
        assert look_for_alerts(app, work) == ("0 alerts opened, 0 over", ())
        _differ(work, 2)
        with caplog.at_level(logging.WARNING, "sync.alerts"):
            words, (job,) = look_for_alerts(app, work)
            assert words == "1 alerts opened, 0 over"
            assert (job.what, job.lane) == ("letters", "handover")
            look_for_alerts(app, work)
        (line,) = [one.getMessage() for one in caplog.records if one.name == "sync.alerts"]
        assert "for 2 of 10 linked leads both CRMs differ" in line

        # The server does not take Ben's; the others have theirs, and nobody gets it twice.
        server.answers["RCPT", "ben@team.example"] = "550 unknown"
        said, (again,) = send_letters(app, work)
        assert said == "2 sent, 1 wait, 0 unsure: the mail server refuses the recipient (550)"
        assert again.at is not None
        server.answers.clear()
        assert send_letters(app, work)[0] == "0 sent"
        _due_now(furnished)
        assert send_letters(app, work) == ("1 sent", ())
        (german,), (english,) = server.of("anna@"), server.of("ben@")
        assert "2 von 10 verknüpften Leads" in german["Subject"]
        assert "2 of 10 linked leads" in english["Subject"]

    told = furnished.command("--json", "status").document["alerts"]
    assert [(one["kind"], one["about"]) for one in told] == [("disagreement", "unexplained")]
    assert "2 of 10 linked leads" in furnished.command("status").out

    with _at_work(furnished) as (app, work):
        _differ(work, 0)
        assert look_for_alerts(app, work)[0] == "0 alerts opened, 1 over"
        assert send_letters(app, work)[0] == "3 sent"
    assert [len(server.of(name)) for name in ("anna@", "ben@")] == [2, 2]
    assert [one["alerts"][0]["state"] for one in chat.taken] == ["open", "over"]
    assert furnished.command("--json", "status").document["alerts"] == []


def test_what_cannot_leave_waits_is_told_by_the_other_way_and_is_never_sent_twice(
    furnished: Any, mail_server: Callable[..., Any], chat: Chat
) -> None:
    server = mail_server()
    _joined(furnished, server, chat)
    server.answers["MAIL", ""] = "451 later"
    with _at_work(furnished) as (app, work):
        _differ(work, 1)
        look_for_alerts(app, work)
        for _ in range(8):
            _due_now(furnished)
            send_letters(app, work)
        assert len(chat.taken) == 1
        assert not server.taken
        look_for_alerts(app, work)
        _due_now(furnished)
        send_letters(app, work)
        # The mails wait; that they do has come by the webhook.
        for _ in range(4):
            _due_now(furnished)
            send_letters(app, work)
        assert (
            "notices that cannot leave: 1, because the mail server takes the sender later"
            in chat.taken[-1]["text"]
        )

        # Now the server breaks off after the content: nobody knows, so nothing is sent again.
        server.answers.clear()
        server.drops_at = "DATA"
        _due_now(furnished)
        send_letters(app, work)
        assert _states(furnished, "unsure") == 1
        assert len(server.taken) == 1
        server.drops_at = ""
        _due_now(furnished)
        send_letters(app, work)
        subjects = [(str(one["To"]), str(one["Message-ID"])) for one in server.taken]
        assert len(subjects) == len(set(subjects))
        assert len(subjects) == 4
        assert _states(furnished, "unsure") == 1


def test_many_workers_tell_once(furnished: Any, mail_server: Callable[..., Any]) -> None:
    server = mail_server()
    _joined(furnished, server)
    with _at_work(furnished) as (app, work):
        _differ(work, 1)

    def look_and_send(number: int) -> int:
        with _at_work(furnished) as (app, work):
            words, _ = look_for_alerts(app, work)
            send_letters(app, work)
            return int(words.split()[0])

    with ThreadPoolExecutor(4) as pool:
        opened = sum(pool.map(look_and_send, range(4)))
    with _at_work(furnished) as (app, work):
        send_letters(app, work)
    assert opened == 1
    assert [len(server.of(name)) for name in ("anna@", "ben@")] == [1, 1]

    # One is killed while a mail leaves: nobody knows whether it arrived, so nobody sends it again.
    with _at_work(furnished) as (app, work):
        _differ(work, 0)
        look_for_alerts(app, work)
        letter = work.store.letters.take("alerts", 0.0)
        assert letter is not None
        assert work.store.letters.leaves(letter)
        assert send_letters(app, work)[0].startswith("1 sent, 0 wait, 1 unsure")
        assert send_letters(app, work)[0] == "0 sent"
    assert sorted(len(server.of(name)) for name in ("anna@", "ben@")) == [1, 2]


def test_a_gap_lasts_until_it_is_read_again_and_a_field_that_is_gone_until_it_is_back(
    furnished: Any, mail_server: Callable[..., Any]
) -> None:
    _joined(furnished, mail_server())
    with _at_work(furnished) as (app, work):
        assert tell_gap(work, "salesforce changes", "three hours are missing", [ANNA]).opened
        assert not tell_gap(work, "salesforce changes", "three hours are missing", [ANNA]).any
        look_for_alerts(app, work)
        assert look_at_schema(app, work)[0] == "0 alerts opened, 0 over"
        assert [one.kind for one in work.store.alerts.open()] == ["gap"]
    furnished.rewrite("fields.toml", 'hubspot = "jobtitle"', 'hubspot = "jobtitel"')
    with _at_work(furnished) as (app, work):
        assert look_at_schema(app, work)[0] == "1 alerts opened, 0 over"
        assert look_at_schema(app, work)[0] == "0 alerts opened, 0 over"
        kinds = {one.kind: one for one in work.store.alerts.open()}
        assert "HubSpot has no field jobtitel" in str(kinds["schema"].found["problem"])
        assert gap_mended(work, "salesforce changes", [ANNA]).cleared
    furnished.rewrite("fields.toml", 'hubspot = "jobtitel"', 'hubspot = "jobtitle"')
    with _at_work(furnished) as (app, work):
        work.store.alerts.keep_lengths({("salesforce", "Lead", "Title"): 9_999})
        assert look_at_schema(app, work)[0] == "1 alerts opened, 1 over"
        (open_,) = work.store.alerts.open()
        assert (open_.found["field"], open_.found["before"]) == ("Title", 9_999)


# --- the Monday mail -----------------------------------------------------------------------------------------


def _weekly(house: Any, watches: int) -> int:
    """Several workers look at the schedules; how many Monday mails are queued as jobs."""
    with house.app() as app:
        app.work()
        settings = house.settings()
        crons = {"mail": crons_of(settings.schedule)["mail"]}
        for _ in range(watches):
            Watch(app, settings.worker, crons, ZoneInfo("Europe/Berlin")).look()
        jobs = [row for row in app.store.jobs.listed() if row.what == "mail"]
        for job in jobs:
            app.store.jobs.drop(job.id)
    return len(jobs)


def _body(message: Any, kind: str = "plain") -> str:
    return str(message.get_body((kind,)).get_content())


def test_the_monday_mail_comes_once_a_week_in_each_language_and_what_was_missed_once(
    furnished: Any, mail_server: Callable[..., Any]
) -> None:
    house, server = furnished, mail_server()
    _joined(house, server)
    for number in range(3):
        house.couple(
            f"person{number}@shop{number}.example",
            {"company": f"Versand {number} <GmbH>", "annualrevenue": "50000000"},
            hubspot={"industry": "E-Commerce"},
        )
    house.sync()
    assert _weekly(house, 2) == 0
    house.later(3 * 86_400.0)  # Monday, 10:00 in Berlin
    assert _weekly(house, 3) == 1
    assert _weekly(house, 3) == 0
    backup = house.folder / "sunday.backup"
    assert house.command("db", "backup", str(backup)).code == 0
    with _at_work(house) as (app, work):
        assert send_monday_mail(app, work) == ("2 sent", ())
        assert send_monday_mail(app, work) == ("0 sent", ())
    # What was sent after a backup is not sent again when it is restored.
    restored = house.command("db", "restore", "--yes", str(backup))
    assert restored.code == 0, restored.err
    with _at_work(house) as (app, work):
        assert send_monday_mail(app, work) == ("0 sent", ())
    (german,), (english,) = server.of("anna@"), server.of("ben@")
    assert german["Subject"].startswith("Leads der Woche: ")
    assert "16.11.2026 bis 22.11.2026" in _body(german)
    assert "16 Nov 2026 to 22 Nov 2026" in _body(english)
    for title in ("Neu in der Woche", "Überfällige Übergaben", "Ausgaben", "Ziele", "Fünf Leads zum Ansehen"):
        assert title in _body(german)
        assert title in _body(german, "html")
    everything = "".join(_body(one, kind) for one in server.taken for kind in ("plain", "html"))
    assert not [word for word in ("Anna", "Sommer", "person1@", "@shop") if word in everything]
    assert "<GmbH>" not in _body(german, "html")

    # Three weeks in which nobody worked: one mail, about the last of them.
    house.later(3 * WEEK + 3_600)
    assert _weekly(house, 3) == 1
    with _at_work(house) as (app, work):
        assert send_monday_mail(app, work)[0] == "2 sent"
    assert "07.12.2026 bis 13.12.2026" in _body(server.of("anna@")[-1])


def test_a_monday_mail_that_could_not_leave_gives_way_to_the_next_one(
    furnished: Any, mail_server: Callable[..., Any]
) -> None:
    house, server = furnished, mail_server()
    _joined(house, server, more="names = true\n")
    house.couple("dora@shop.example", {"firstname": "Dora", "lastname": "Winter"})
    house.sync()
    server.answers["RCPT", "ben@team.example"] = "450 full"
    with _at_work(house) as (app, work):
        said, (again,) = send_monday_mail(app, work)
        assert said == "1 sent, 1 wait, 0 unsure: the mail server takes the recipient later (450)"
        assert again.what == "mail"
        assert again.at is not None
    _due_now(house)
    with _at_work(house) as (app, work):
        # Whatever became of that job: whoever looks for alerts sees that a mail waits.
        assert [job.what for job in look_for_alerts(app, work)[1]] == ["mail"]
    house.later(timedelta(days=7).total_seconds())
    server.answers.clear()
    with _at_work(house) as (app, work):
        assert send_monday_mail(app, work) == ("2 sent", ())
    assert [len(server.of(name)) for name in ("anna@", "ben@")] == [2, 1]
    assert "16 Nov 2026 to 22 Nov 2026" in _body(server.of("ben@")[0])
