"""Fewer leads become opportunities than before: told once, in the Monday mail as well, and over when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from sync.jobs_kinds import FROM_MEMORY, Given, do
from sync.jobs_notify import send_letters, send_monday_mail

ANNA, BEN = "anna@team.example", "ben@team.example"
DAY = 86_400.0


def _joined(house: Any, server: Any) -> None:
    with (house.folder / "leadpact.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'\n[notify]\nsmtp_host = "127.0.0.1"\nsmtp_port = {server.port}\nencryption = "none"\n'
            f'sender = "Leadpact <leadpact@team.example>"\n'
            f'[notify.monday_mail]\n"{ANNA}" = "de"\n"{BEN}" = "en"\n'
            f'[notify.alert_mail]\n"{ANNA}" = "de"\n"{BEN}" = "en"\n\n'
            "[alerts]\noutcome_days = 30\n"
        )


def _come(house: Any, batch: str, leads: int, reached: int) -> None:
    """So many people come, sales talk to all of them, and two weeks later so many are opportunities."""
    talked = {"notes_last_contacted": "2026-11-19T08:00:00Z", "num_contacted_notes": "1"}
    contacts = house.load(
        "hubspot",
        *(
            {"email": f"{batch}{number}@shop{number}.example", "company": f"Shop {number}", **talked}
            for number in range(leads)
        ),
    )
    house.sync()
    house.later(16 * DAY)
    for contact in contacts[:reached]:
        house.edit("hubspot", contact, lifecyclestage="opportunity")
    house.sync()
    house.later(40 * DAY)


def _look(house: Any) -> str:
    with house.app() as app:
        return do("rates", Given(app, app.memory(), "backfill")).words


def _monday(house: Any, server: Any) -> tuple[str, str]:
    house.later(7 * DAY)
    with house.app() as app:
        send_monday_mail(app, app.work())
    texts = [
        part.get_content().replace("\u00a0", " ")
        for name in ("anna@", "ben@")
        for part in server.of(name)[-1].walk()
        if part.get_content_type() == "text/plain"
    ]
    return texts[0], texts[1]


def test_a_base_rate_that_fell_is_told_once_and_when_it_is_over(
    furnished: Any, mail_server: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    house, server = furnished, mail_server()
    _joined(house, server)
    assert _look(house) == "0 leads held against those before them; 0 alerts opened, 0 over"
    assert "No lead is old enough yet to say" in _monday(house, server)[1]
    house.later(15 * DAY)

    _come(house, "early", 48, 24)
    _come(house, "late", 32, 0)
    with caplog.at_level(logging.WARNING, "sync.alerts"):
        assert _look(house) == "32 leads held against those before them; 2 alerts opened, 0 over"
        assert _look(house) == "32 leads held against those before them; 0 alerts opened, 0 over"
    lines = [one.getMessage() for one in caplog.records if one.name == "sync.alerts"]
    fallen = (
        "of all leads 0.0% (0.0 to 10.7, 32 leads) reached the stage Opportunity lately, and 50.0%"
        " (36.4 to 63.6, 48 leads) before"
    )
    assert sum(fallen in line for line in lines) == 1
    with house.app() as app:
        assert send_letters(app, app.work())[0] == "2 sent"
    assert fallen in house.command("status").out
    german, english = _monday(house, server)
    assert f"- {fallen}." in english
    assert (
        "- Von allen Leads erreichten zuletzt 0,0 % (0,0 bis 10,7, 32 Leads) die Stufe Verkaufschance,"
        " davor 50,0 % (36,4 bis 63,6, 48 Leads)."
    ) in german

    # As many as among all before them: it is over, and that is told once.
    _come(house, "again", 30, 9)
    assert _look(house) == "30 leads held against those before them; 0 alerts opened, 2 over"
    with house.app() as app:
        assert send_letters(app, app.work())[0] == "2 sent"
        assert app.work().store.alerts.open() == []
    assert "Nothing moved, compared with the leads before them" in _monday(house, server)[1]


def test_who_does_not_want_to_hear_of_it_does_not_and_no_crm_is_asked(furnished: Any) -> None:
    house = furnished
    with (house.folder / "leadpact.toml").open("a", encoding="utf-8") as file:
        file.write('\n[alerts]\noutcome_days = 30\nmute = "rates"\n')
    house.later(15 * DAY)
    _come(house, "early", 48, 24)
    _come(house, "late", 32, 0)
    mark = house.mark()
    assert _look(house).endswith("0 alerts opened, 0 over")
    assert house.mark() == mark
    assert "rates" in FROM_MEMORY


def _moved(house: Any) -> list[str]:
    """What is open after a look, a sentence's subject each."""
    _look(house)
    with house.app() as app:
        return [one.about for one in app.memory().store.alerts.open()]


def _alerting(house: Any, more: str = "") -> None:
    with (house.folder / "leadpact.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[alerts]\noutcome_days = 30\n{more}")


def test_history_that_deletion_periods_took_moves_no_rate(furnished: Any) -> None:
    """Of those who converted early verdicts go, of the others none: a half of each part did."""
    house = furnished
    _alerting(house, "[privacy.keep_days]\nopportunity = 60\n")
    house.later(15 * DAY)
    _come(house, "early", 48, 24)
    _come(house, "late", 32, 16)
    # Of one who came early the newest verdict is of today: it is no first one.
    early = next(
        one for one, values in house.records("hubspot").items() if values["email"].startswith("early0@")
    )
    house.edit("hubspot", early, jobtitle="Head of Marketing")
    house.sync()
    assert _moved(house) == []
    with house.app() as app:
        assert not do("retention", Given(app, app.memory(), "backfill")).words.startswith("0 rows")
    assert _moved(house) == []

    # The verdicts of those who came since are all there, and a backtest says who is left out.
    told = house.command("--json", "policy", "backtest", "--horizon", "30").document
    assert told["leads"] + sum(told["apart"].values()) == 32
    assert "verdicts of that time have been deleted" in told["warnings"][0]


@pytest.mark.parametrize("age", [0, 200])
def test_who_was_in_the_crms_before_leadpact_moves_no_rate(furnished: Any, age: int) -> None:
    """Of 200 a third had converted, and who had not is no measure of who comes; also where the records are new."""
    house = furnished
    _alerting(house)
    _stock(house, "old", 200, 60)
    house.later(age * DAY)
    house.sync()
    house.later(5 * DAY)
    _come(house, "new", 50, 15)
    assert _moved(house) == []


def _stock(house: Any, batch: str, leads: int, reached: int) -> None:
    talked = {"notes_last_contacted": "2026-11-19T08:00:00Z", "num_contacted_notes": "1"}
    house.load(
        "hubspot",
        *(
            {
                **{"email": f"{batch}{number}@altshop{number}.example", "company": f"Altshop {number}"},
                **{"lifecyclestage": "opportunity" if number < reached else "lead", **talked},
            }
            for number in range(leads)
        ),
    )
