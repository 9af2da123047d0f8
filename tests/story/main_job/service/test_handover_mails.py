"""Mails about handovers go by the one outbox: each once, tried again while nothing has left, and told of if not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from sync.jobs_notify import look_for_alerts, send_letters

SANA = "sana.okafor@leadpact-sandbox.example"
MATEO = "mateo.lindqvist@leadpact-sandbox.example"
HOT = {
    **{"industry": "RETAIL", "annualrevenue": "40000000", "jobtitle": "Head of Marketing"},
    **{"country": "Germany", "num_conversion_events": "3", "recent_conversion_date": "2026-11-19T10:00:00Z"},
    **{"hs_analytics_num_visits": "7", "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z"},
}


class Sales:
    """A house whose hot leads go to one person, who is told by mail."""

    def __init__(self, house: Any, server: Any) -> None:
        self.house, self.server = house, server
        route = f'tasks = false\n\n[[handover.routes]]\nname = "All"\nto = "{SANA}"\n\n[locale]'
        house.rewrite("leadpact.toml", "\n[locale]", f"\n{route}")
        with (house.folder / "leadpact.toml").open("a", encoding="utf-8") as file:
            file.write(
                f'\n[notify]\nsmtp_host = "127.0.0.1"\nsmtp_port = {server.port}\nencryption = "none"\n'
                'sender = "leadpact@team.example"\n'
            )

    def lead(self, name: str) -> tuple[str, str]:
        """A hot lead in both CRMs: its contact and its lead."""
        found: tuple[str, str] = self.house.couple(f"{name}@shop-{name}.example", hubspot=HOT)
        return found

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.house.database, autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []

    def states(self) -> list[tuple[str, str]]:
        """(recipient, state) of every mail about a handover, in the order of their queueing."""
        wanted = "SELECT recipient, state FROM letter WHERE what = 'handover' ORDER BY queued_at, about"
        return [(str(who), str(state)) for who, state in self.ask(wanted)]

    def wait(self) -> None:
        """The time to the next try has passed."""
        self.ask("UPDATE letter SET not_before = now(), held_until = NULL WHERE state = 'waiting'")

    def send(self) -> str:
        """What the job says that sends all mails."""
        with self.house.app() as app:
            return str(send_letters(app, app.work())[0])


@pytest.fixture
def sales(furnished: Any, mail_server: Callable[..., Any]) -> Sales:
    return Sales(furnished, mail_server())


def test_a_mail_that_cannot_leave_waits_for_the_job_is_told_of_and_comes_once(sales: Sales) -> None:
    house, server = sales.house, sales.server
    sales.lead("one")
    server.answers["MAIL", ""] = "451 later"
    assert house.sync().numbers.refused == 0
    assert sales.states() == [(SANA, "waiting")]
    said = [one["problem"] for one in house.command("--json", "check").document["problems"]]
    assert [
        one for one in said if "was not told of 1 handovers: the mail server takes the sender later" in one
    ]
    for _ in range(2):
        sales.wait()
        assert "0 sent, 1 wait" in sales.send()
    with house.app() as app:
        work = app.work()
        assert look_for_alerts(app, work)[0] == "1 alerts opened, 0 over"
        assert [one.kind for one in work.store.alerts.open()] == ["mail"]

    server.answers.clear()
    sales.wait()
    assert sales.send() == "0 sent; 1 sent of handovers"
    assert sales.send() == "0 sent"
    house.later(60)
    house.sync()
    (mail,) = server.taken
    assert mail["To"] == SANA
    assert str(mail["Subject"]).startswith("Neuer Lead: Erstkontakt bis ")
    assert "shop-one" not in mail.as_string()


def test_a_mail_of_which_nobody_knows_whether_it_arrived_is_not_sent_again(sales: Sales) -> None:
    sales.lead("one")
    sales.server.drops_at = "DATA"
    sales.house.sync()
    sales.server.drops_at = ""
    sales.wait()
    sales.house.later(60)
    sales.house.sync()
    assert sales.send() == "0 sent"
    assert sales.states() == [(SANA, "unsure")]
    assert len(sales.server.taken) == 1


def test_who_was_told_before_the_outbox_is_not_told_again_and_who_waited_is_told(sales: Sales) -> None:
    house = sales.house
    sales.lead("waits")
    sales.lead("told")
    sales.server.answers["MAIL", ""] = "451 later"
    house.sync()
    # As a program from before the outbox leaves its rows: one it could not send, and one that it took to send it.
    sales.ask("DELETE FROM letter")
    sales.ask("UPDATE notice SET mail_done_at = NULL WHERE number = (SELECT min(number) FROM notice)")
    sales.server.answers.clear()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: house.command("sync"), range(3)))
    assert sales.states() == [(SANA, "sent")]
    assert len(sales.server.taken) == 1


def test_a_mail_that_is_no_longer_true_does_not_leave_and_a_new_owner_gets_one(sales: Sales) -> None:
    house = sales.house
    house.rewrite("leadpact.toml", 'language = "de"', 'language = "en"')
    users = house.look("salesforce", "state", object="User", limit="100")["records"]
    ids = {row["Email"]: row["Id"] for row in users}
    (_, given), (_, touched) = sales.lead("given"), sales.lead("touched")
    sales.server.answers["MAIL", ""] = "451 later"
    house.sync()
    house.later(60)
    house.edit("salesforce", given, OwnerId=ids[MATEO])
    house.edit("salesforce", touched, Status="Working - Contacted")
    house.sync()
    sales.server.answers.clear()
    sales.wait()
    sales.send()
    assert sorted(sales.states()) == [(MATEO, "sent"), (SANA, "dropped"), (SANA, "dropped")]
    (mail,) = sales.server.taken
    assert mail["To"] == MATEO
    assert str(mail["Subject"]).startswith("New lead: first touch by ")
