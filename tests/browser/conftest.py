"""A browser without a screen, and the report of a business that was made up: large enough to fill every table."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mapping.lead import LEAD_FIELDS
from mapping.qualification.columns import columns_for
from mapping.qualification.conditions import compile_condition
from mapping.qualification.handover_flags import EVIDENCE
from mapping.qualification.policy import load_policy
from sync.reports.costrows import CostRow
from sync.reports.costs import Costs, Spent
from sync.reports.declared import Channel, Goal
from sync.reports.document import Document
from sync.reports.goals import Counted, Frozen, stand
from sync.reports.journeys import FACTS, HISTORY, journeys
from sync.reports.page import as_page
from sync.reports.tell import Counting, tell
from sync.reports.voice import Voice

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
#: Channel to its kind, its leads, the chance of each step, its costs a month, and its campaigns.
CHANNELS: dict[str, tuple[str, int, tuple[float, ...], int, tuple[str, ...]]] = {
    "Suche (bezahlt)": (
        "online",
        260,
        (0.34, 0.42, 0.6, 0.3),
        2600,
        ("SEA Marke", "SEA Produkttexte", "SEA Shop"),
    ),
    "Messen": ("offline", 120, (0.55, 0.6, 0.7, 0.62), 2900, ("Handelstage Köln", "Shop-Forum München")),
    "Newsletter": ("online", 310, (0.15, 0.3, 0.5, 0.15), 700, ("Newsletter",)),
    "Empfehlung": ("referral", 60, (0.7, 0.7, 0.75, 0.6), 300, ("Kunden werben Kunden",)),
    "Researched <shops> & co.": ("outbound", 90, (0.1, 0.3, 0.5, 0.2), 500, ("Anschreiben",)),
}
OWNERS = ("ines@sommer.example", "mateo@sommer.example", "sana@sommer.example", None)
STEPS = ("lead", "mql", "sql", "opportunity", "customer")
_ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
    ),
)


def _share(count: int, of: int) -> dict[str, Any]:
    return {"count": count, "of": of, "of_what": "", "share": count / of}


#: As ``handover_told.timing`` and ``review_rows`` tell it.
HANDOVER: dict[str, Any] = {
    "qualified": 12,
    "handed_over": 240,
    "met": _share(161, 221),
    "breached": _share(60, 221),
    "not_decided": 19,
    "touched": 214,
    "median_work_seconds": 5_400.0,
    "p90_work_seconds": 28_800,
    "waiting": _share(26, 240),
    "accepted": _share(122, 240),
    "rejected": _share(61, 240),
    "recycled": _share(23, 240),
    "withdrawn": _share(8, 240),
    "reassigned": _share(14, 240),
    "rejected_by_reason": [
        {"reason": "zu früh", **_share(40, 61)},
        {"reason": "kein Budget", **_share(20, 61)},
        {"reason": "Frau Sommer ist nicht mehr da", **_share(1, 61)},
    ],
    "explored": {
        **{"drawn": 18, "handed_over": 18},
        **{"touched": _share(15, 18), "accepted": _share(3, 18), "rejected": _share(9, 18)},
    },
    "too_early": _share(31, 240),
    "too_late": _share(9, 240),
}
DISPUTED: dict[str, Any] = {
    "lead": "4f1c",
    "email": "eva@shop.example",
    "cycle": 1,
    "marketing": {
        "mql_at": "2026-11-02T08:00:00+00:00",
        "score": 62,
        "fit": 40,
        "engagement": 22,
        "temperature": "hot",
        "hot_since": "2026-11-02T08:00:00+00:00",
        "last_sign_at": None,
        "points": [
            {"rule": "Mid-size online shop", "points": 25},
            {"rule": "Filled in a form", "points": 20},
        ],
    },
    "sales": {
        "owner": "005000000000001AAA",
        "handed_over_at": "2026-11-02T08:00:01+00:00",
        "due_at": "2026-11-02T10:00:01+00:00",
        "first_touch_at": "2026-11-02T09:30:00+00:00",
        "touched_by": "contacted",
        "state": "rejected",
        "reason": "zu früh",
        "answered_at": "2026-11-04T09:00:00+00:00",
        "lost_on": None,
        "lost_reason": None,
        "work_seconds": 5399,
        "in_time": True,
    },
    "rule": {"kind": "rule", "name": "Filled in a form", "points": 20, "score_without": 42, "hot_from": 60},
    "policy": "abc",
}


#: Accepted, and lost to a competitor afterwards.
LOST: dict[str, Any] = {
    **DISPUTED,
    "lead": "9ab2",
    "email": "max@versand.example",
    "marketing": {**DISPUTED["marketing"], "hot_since": "2026-10-19T08:00:00+00:00"},
    "sales": {
        **{
            **DISPUTED["sales"],
            "state": "accepted",
            "reason": None,
            "in_time": False,
            "work_seconds": 39_600,
        },
        **{"lost_on": "2026-11-17", "lost_reason": "Konkurrenz war schneller"},
    },
    "rule": {"kind": "temperature", "name": "hot", "points": 60, "score_before": 52, "days_hot": 14},
}
_FLAGS = (("too_early", "rejected_as_not_ready"), ("too_late", "lost_to_a_competitor"))
_FILLED: dict[str, dict[str, tuple[str, ...]]] = {
    "rejected_as_not_ready": {"de": ("zu früh", "2 Tage"), "en": ("zu früh", "2 days")},
    "lost_to_a_competitor": {
        "de": (
            "Konkurrenz war schneller",
            "heiß seit 19.10.2026, übergeben 02.11.2026, Erstkontakt 04.11.2026, verloren 17.11.2026",
        ),
        "en": (
            "Konkurrenz war schneller",
            "hot since 19 Oct 2026, handed over 2 Nov 2026, first touched 4 Nov 2026, lost 17 Nov 2026",
        ),
    },
}


def disputed_in(language: Literal["de", "en"]) -> list[dict[str, Any]]:
    """Both disputed leads with the evidence in a language, as ``review_rows`` tells them."""
    return [
        {**row, "flags": [{"flag": flag, "because": because, "evidence": said}]}
        for row, (flag, because) in zip((DISPUTED, LOST), _FLAGS, strict=True)
        for said in [EVIDENCE[because][language].format(*_FILLED[because][language])]
    ]


def _life(random: Random, lead: str, start: datetime, chances: tuple[float, ...]) -> list[dict[str, Any]]:
    """The verdicts of one lead, from its first as a prospect or lead on."""
    score = random.randint(5, 90)
    rows, moment, track = [], start, random.choice(["price-guide", "find-your-topic"]) if score < 45 else None
    warmth = "hot" if score >= 60 else "wavering" if score >= 35 else "cold"

    def verdict(stage: str, track: str | None) -> None:
        rows.append(
            {
                "lead_id": lead,
                "decided_at": moment,
                "stage": stage,
                "score": score,
                "temperature": warmth,
                "nurture_track": track,
                "cycle": 1,
            }
        )

    verdict("prospect", None)
    moment += timedelta(hours=random.randint(1, 40))
    verdict("nurture" if track else "lead", track)
    for step, chance, days in zip(STEPS[1:], chances, (9, 4, 16, 34), strict=True):
        moment += timedelta(days=random.expovariate(1 / days))
        if moment > NOW or random.random() > chance * (0.45 + score / 90):
            break
        verdict(step, None)
    return rows


def _leads() -> tuple[pl.DataFrame, pl.DataFrame]:
    random = Random("report")
    history: list[dict[str, Any]] = []
    facts: list[dict[str, Any]] = []
    for name, (_, count, chances, _, campaigns) in CHANNELS.items():
        for number in range(count):
            lead, start = f"{name}{number}", NOW - timedelta(days=random.uniform(1, 360))
            life = _life(random, lead, start, chances)
            history += life
            bought = life[-1]["stage"] == "customer"
            facts.append(
                {
                    "lead_id": lead,
                    "highest_stage": "lead",
                    "channel": name if random.random() > 0.06 else None,
                    "campaign": random.choice(campaigns),
                    "owner": OWNERS[len(facts) % len(OWNERS)],
                    "interested": True,
                    "interest_at": start if random.random() < 0.8 else None,
                    "volume": Decimal(random.randint(8, 60) * 1000) if bought else None,
                    "channel_missing": "blank" if random.random() < 0.7 else "unfit",
                    "hubspot_channel": "Newsletter" if random.random() < 0.1 else name,
                    "salesforce_channel": name,
                }
            )
    more = {name: pl.String() for name in ("channel_missing", "hubspot_channel", "salesforce_channel")}
    return pl.DataFrame(history, schema=dict(HISTORY)), pl.DataFrame(facts, schema={**FACTS, **more})


def _costs() -> Costs:
    random, rows = Random("costs"), []
    for name, (_, _, _, amount, campaigns) in CHANNELS.items():
        for month in range(14):
            first = date(2025 + (10 + month) // 12, (10 + month) % 12 + 1, 1)
            kind = (
                random.choice(["media", "staff"])
                if name != "Messen"
                else random.choice(["stand", "travel", "staff"])
            )
            planned = Decimal(amount * random.randint(80, 120)) / 100
            spent = planned * Decimal(random.randint(85, 125)) / 100 if first <= NOW.date() else None
            last = first + timedelta(days=27)
            rows.append(
                CostRow(name, random.choice(campaigns), first, last, kind, planned, spent, "EUR", "made up")
            )
    fair = CostRow(
        "Messen",
        "Digitalmesse Hamburg",
        date(2027, 2, 9),
        date(2027, 2, 11),
        "stand",
        Decimal(14000),
        None,
        "EUR",
        "x",
    )
    return Costs((*rows, fair), {"JPY": Spent(Decimal(900_000), Decimal(850_000))})


def _goal(key: str, label: str, first: date, last: date, number: int, rate: str) -> Goal:
    return Goal(
        key, label, first, last, None, "first_interest", "prospect", number, "customer", Decimal(rate)
    )


def _counting() -> Counting:
    history, facts = _leads()
    rows = journeys(history, facts, BERLIN).join(
        facts.select("lead_id", "channel_missing", "hubspot_channel", "salesforce_channel"), on="lead_id"
    )
    closed = _goal("q3", "Anfragen im 3. Quartal", date(2026, 7, 1), date(2026, 9, 30), 2000, "0.02")
    running = _goal(
        "q4", "2.000 Anfragen an Shops, 2 % davon Kunden", date(2026, 10, 1), date(2026, 12, 31), 2000, "0.02"
    )
    frozen = Frozen(closed.digest, Counted(2114, 37), datetime(2026, 10, 1, 6, tzinfo=UTC))
    policy = load_policy(
        {"policy": {"temperature": {"hot": {"total": 60}, "wavering": {"total": 35}},
                    "labels": {"hot": "heiß", "wavering": "schwankend", "cold": "kalt"}}},
        fields=LEAD_FIELDS,
        vocabularies={},
    )  # fmt: skip
    always = compile_condition("TRUE", columns_for(LEAD_FIELDS, {}))
    return Counting(
        policy=policy,
        channels=[Channel(name, kind, always) for name, (kind, *_) in CHANNELS.items()],
        rows=rows,
        history=history,
        costs=_costs(),
        goals=[
            stand(closed, Counted(2116, 41), frozen, NOW, BERLIN),
            stand(running, Counted(1204, 11), None, NOW, BERLIN),
        ],
        first=date(2025, 11, 21),
        last=date(2026, 11, 20),
        now=NOW,
        zone=BERLIN,
        per_person=True,
        smallest_group=5,
        handover=HANDOVER,
        review=disputed_in("de"),
        with_review=True,
    )


@pytest.fixture(scope="session")
def counting() -> Counting:
    """The numbers of a made-up year."""
    return _counting()


@pytest.fixture(scope="session")
def told(counting: Counting) -> Callable[[Literal["de", "en"]], tuple[Document, Voice]]:
    """The report of that year in a language, and the voice that told it."""

    @cache
    def tell_in(language: Literal["de", "en"]) -> tuple[Document, Voice]:
        voice = Voice(language, BERLIN)
        return tell(replace(counting, review=disputed_in(language)), voice), voice

    return tell_in


@pytest.fixture(scope="session")
def page_in(told: Callable[..., tuple[Document, Voice]]) -> Callable[[Literal["de", "en"]], str]:
    """The page of that year in a language."""

    @cache
    def page(language: Literal["de", "en"]) -> str:
        return as_page(*told(language))

    return page


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where the pictures of a run stay, so that somebody can look at them: ``build/report`` of the checkout."""
    folder = Path(__file__).resolve().parents[2] / "build" / "report"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def browser() -> str:
    """The program of a browser that can run without a screen."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.skip("this machine has no Chromium")
    return found


@pytest.fixture
def look_at(browser: str) -> Iterator[Callable[..., str]]:
    """Runs the browser on a page with some arguments, away from every network; returns what it printed."""
    with tempfile.TemporaryDirectory(prefix="leadpact-browser-", ignore_cleanup_errors=True) as profile:

        def run(page: Path, *arguments: str) -> str:
            done = subprocess.run(
                [
                    browser, *_ARGUMENTS, f"--user-data-dir={profile}", "--proxy-server=127.0.0.1:9",
                    *arguments, page.as_uri(),
                ],
                capture_output=True,
                text=True,
                timeout=120,
                check=True,
                env={**os.environ, "HOME": profile},
            )  # fmt: skip
            return done.stdout

        yield run
