"""From numbers to alerts: what is beyond a limit, and when it is over. And every sentence in both languages."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sync.alerts import Changed, Facts, findings, well_within
from sync.cron import parse_cron
from sync.freshness import LaneFreshness
from sync.mails.alert_mail import alert_mail, as_document
from sync.mails.words_alerts import FIX, FRAME, SAID, fix_of, said
from sync.mails.words_monday import MONDAY
from sync.schema_drift import shorter
from sync.sections_notify import KINDS, AlertSettings
from sync.store.alerts import Alert
from sync.store.inbox import Waiting
from sync.store.jobs import JobRow
from sync.store.letters import Trouble
from sync.store.offsets import PullLog
from sync.store.standing import Backlog, Budget, Compared, ReadTo

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOTHING = Facts(
    at=NOW,
    lanes=[],
    inbox=[],
    read_to=[],
    due=None,
    backlog=Backlog(0, None, 0, None, 0, None, 0),
    budgets=[],
    agreements=[],
    parked=[],
    letters=[],
)
PARKED = JobRow(
    id=7,
    lane="live",
    what="drain",
    state="parked",
    since=NOW,
    age_seconds=1.0,
    attempts=5,
    not_before=None,
    failures=5,
    deaths=0,
    kind="NotAllowed",
    place="connectors.session:1",
    said="HubSpot does not let us in",
    fix="renew the token",
)


def compared(same: int, unexplained: int = 0, linked: int = 1000) -> Compared:
    return Compared(NOW, linked, same, same, {}, unexplained)


def backlog(hours: float, held: int = 0) -> Backlog:
    return Backlog(held, NOW - 99 * HOUR if held else None, 3, NOW - hours * HOUR, 0, None, 0)


def pull_log(minutes: float, problem: str) -> PullLog:
    heard = NOW - timedelta(minutes=minutes)
    return PullLog("hubspot journal", "hubspot", {}, heard, heard, problem=problem)


def names(limits: AlertSettings | None = None, **facts: Any) -> list[str]:
    return [one.name for one in findings(replace(NOTHING, **facts), limits or AlertSettings())]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({}, []),
        # Freshness: a lane that somebody waits for, an inbox that stays full, a run that does not end.
        ({"lanes": [LaneFreshness("live", 9, 60.0, 1_801.0)]}, ["freshness.lane"]),
        ({"lanes": [LaneFreshness("live", 9, 60.0, 1_799.0)]}, []),
        ({"lanes": [LaneFreshness("backfill", 9, 60.0, 90_000.0)]}, []),
        ({"inbox": [Waiting("hubspot", 4, 9, NOW - HOUR, 0)]}, ["freshness.inbox"]),
        ({"inbox": [Waiting("hubspot", 4, 9, NOW - HOUR / 4, 0)]}, []),
        ({"inbox": [Waiting("hubspot", 0, 0, None, 2)]}, ["job.inbox"]),
        (
            {"read_to": [ReadTo("hubspot", "contacts", NOW - 2 * HOUR, 1, None)], "due": NOW - HOUR},
            ["freshness.late"],
        ),
        ({"read_to": [ReadTo("hubspot", "contacts", NOW - HOUR / 2, 1, None)], "due": NOW - HOUR}, []),
        # A run that comes only at night is not late in the morning.
        ({"read_to": [ReadTo("hubspot", "contacts", NOW - 9 * HOUR, 1, None)], "due": NOW - 10 * HOUR}, []),
        ({"read_to": [ReadTo("hubspot", "contacts", NOW - 9 * HOUR, 1, None)], "due": None}, []),
        # Refused: by age, not by number; what is held is no matter of this.
        ({"backlog": backlog(25)}, ["refused.oldest"]),
        ({"backlog": backlog(23, held=9)}, []),
        # Quota: what the CRM said today.
        ({"budgets": [Budget("hubspot", "day", 91, 100, NOW)]}, ["quota.day"]),
        ({"budgets": [Budget("hubspot", "day", 90, 100, NOW)]}, []),
        ({"budgets": [Budget("hubspot", "day", 100, 100, NOW - 25 * HOUR)]}, []),
        ({"budgets": [Budget("hubspot", "day", 5, 0, NOW)]}, []),
        # Disagreement: what nobody can explain, and a fall against what was usual.
        ({"agreements": [compared(999, unexplained=1)]}, ["disagreement.unexplained"]),
        ({"agreements": [compared(940), *[compared(1000)] * 3]}, ["disagreement.share"]),
        ({"agreements": [compared(960), *[compared(1000)] * 3]}, []),
        ({"agreements": [compared(500), *[compared(1000)] * 2]}, []),
        ({"agreements": [compared(0, linked=0), *[compared(1000)] * 5]}, []),
        ({"parked": [PARKED, replace(PARKED, id=8)]}, ["job.parked", "job.parked"]),
        ({"logs": [pull_log(31, "not allowed")]}, ["freshness.log"]),
        ({"logs": [pull_log(29, "not allowed")]}, []),
        ({"logs": [pull_log(31, "")]}, []),
        ({"letters": [Trouble("waiting", True, 2, "…")]}, ["mail.waiting"]),
        ({"letters": [Trouble("unsure", False, 1, "…")]}, ["mail.unsure"]),
    ],
)  # fmt: skip
def test_a_number_beyond_its_limit_is_found_and_no_other(facts: dict[str, Any], found: list[str]) -> None:
    assert names(**facts) == found


def test_a_job_that_is_tried_anew_and_parked_again_stays_one_alert() -> None:
    first, again = (replace(PARKED, id=number, fold="1:drain:hubspot:live") for number in (7, 9))
    for parked in ([first], [first, again], [again]):
        found = findings(replace(NOTHING, parked=parked), AlertSettings())
        assert [one.about for one in found] == ["job 1:drain:hubspot:live"]


def test_what_is_muted_is_not_found() -> None:
    facts = {"parked": [PARKED], "backlog": backlog(25)}
    assert names(AlertSettings(mute="job, mail"), **facts) == ["refused.oldest"]


def test_an_open_alert_lasts_until_its_number_is_well_within_the_limit() -> None:
    limits = AlertSettings()
    lane = [LaneFreshness("live", 9, 60.0, 1_700.0)]
    assert not names(limits, lanes=lane)
    assert names(well_within(limits), lanes=lane) == ["freshness.lane"]
    assert not names(well_within(limits), lanes=[LaneFreshness("live", 9, 60.0, 1_600.0)])


def test_a_field_has_shrunk_when_it_takes_less_than_it_ever_did() -> None:
    key = ("salesforce", "Lead", "Title")
    before = {key: 128, ("hubspot", "contacts", "city"): 65_536}
    (found,) = shorter({key: 80, ("hubspot", "contacts", "city"): 65_536}, before)
    assert said(found.as_stored(), "en") == "Salesforce: Title takes 80 characters now, and took 128"
    assert not shorter({key: 255}, before)
    assert not shorter({("salesforce", "Lead", "New__c"): 5}, before)


# --- what is said --------------------------------------------------------------------------------------------


def _holes(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("table", [SAID, FIX, FRAME, MONDAY], ids=["said", "fix", "frame", "monday"])
def test_every_sentence_is_there_in_both_languages_with_the_same_values(table: Any) -> None:
    assert {key: set(words) for key, words in table.items()} == {key: {"de", "en"} for key in table}
    assert [key for key, words in table.items() if _holes(words["de"]) != _holes(words["en"])] == []


def test_every_kind_of_alert_has_a_sentence_and_a_fix() -> None:
    assert SAID.keys() == FIX.keys()
    assert {key.partition(".")[0] for key in SAID} == set(KINDS)


def test_every_sentence_finds_its_values() -> None:
    facts = replace(
        NOTHING,
        lanes=[LaneFreshness("handover", 9, 60.0, 2_000.0)],
        inbox=[Waiting("salesforce", 4, 9, NOW - HOUR, 2)],
        read_to=[ReadTo("hubspot", "contacts", NOW - 2 * HOUR, 1, None)],
        due=NOW - HOUR,
        backlog=backlog(25),
        budgets=[Budget("salesforce", "day", 95, 100, NOW)],
        agreements=[compared(900, unexplained=5), *[compared(1000)] * 3],
        parked=[PARKED],
        letters=[Trouble("waiting", True, 2, "it is away"), Trouble("unsure", False, 1, "it broke off")],
        logs=[pull_log(31, "not allowed")],
    )
    found = findings(facts, AlertSettings())
    assert {one.name for one in found} == {
        key for key in SAID if key.partition(".")[0] not in ("schema", "gap", "rates")
    }
    for one in found:
        for language in ("de", "en"):
            assert "{" not in said(one.as_stored(), language) + fix_of(one.as_stored(), language)


def _alert(number: int, about: str, over: bool = False) -> Alert:
    values = {"name": "refused.oldest", "records": 3, "hours": 25}
    return Alert(number, "refused", about, values, NOW - HOUR, NOW, NOW if over else None)


def test_an_alert_is_written_about_in_the_readers_language_with_what_to_do() -> None:
    changed = Changed((_alert(1, "oldest"),), (_alert(2, "other", over=True),))
    berlin = ZoneInfo("Europe/Berlin")
    german, english = (alert_mail(changed, language, berlin) for language in ("de", "en"))
    assert (
        german.subject == "Leadpact: 3 Datensätze hat ein CRM abgelehnt, der älteste wartet seit 25 Stunden"
    )
    assert "Zu tun: `leadpact refused` nennt je Ursache die Abhilfe" in german.text
    assert "(von 23.11.2026, 06:00 bis 23.11.2026, 07:00)" in german.text
    assert "(since 23 Nov 2026, 06:00)" in english.text
    assert "Over:" in english.text
    for mail in (german, english):
        plain = re.sub(r"<[^>]+>", " ", mail.html)
        assert all(word in plain for word in ("25", "leadpact refused"))


def test_a_mail_about_the_end_alone_says_so_in_its_subject() -> None:
    over = Changed((), (_alert(2, "oldest", over=True),))
    assert alert_mail(over, "en", ZoneInfo("UTC")).subject.startswith("Leadpact: over: a CRM refused")


def test_a_webhook_gets_a_line_for_a_chat_and_the_same_for_a_program() -> None:
    document = as_document(Changed((_alert(1, "oldest"),), ()))
    assert document["text"].startswith(
        "Leadpact: a CRM refused 3 records, the oldest waits for 25 hours. To do:"
    )
    (alert,) = document["alerts"]
    assert (alert["number"], alert["kind"], alert["state"], alert["until"]) == (1, "refused", "open", None)


def test_html_of_an_alert_is_escaped() -> None:
    values = {"name": "schema.gone", "problem": "HubSpot has no <b>field</b>", "fix": "x"}
    changed = Changed((Alert(1, "schema", "x", values, NOW, NOW, None),), ())
    assert "<b>field" not in alert_mail(changed, "de", ZoneInfo("UTC")).html


def test_the_due_time_of_a_run_lies_a_whole_limit_back() -> None:
    """A nightly run at one is late from half past one on."""
    cron, zone = parse_cron("0 1 * * *"), ZoneInfo("UTC")
    assert cron.last(NOW - HOUR / 2, zone) == datetime(2026, 11, 23, 1, tzinfo=UTC)
