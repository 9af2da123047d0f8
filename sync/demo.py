"""The demo: both pretend CRMs with made-up leads, and the main job told in words.

Setup, agreement before, plan and first sync, a day of changes on both sides, second sync, agreement after.
What it leaves in its folder is an ordinary config that every other command works on.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from connectors.sandbox.csvload import load_rows
from connectors.sandbox.detached import Attached, SandboxUnavailable, attach
from connectors.sandbox.folder import left
from connectors.sandbox.generate import Person, a_day_of_changes, generate, newcomers
from connectors.sandbox.remote import ControlFailed, control, records
from mapping.own import OWN_FIELDS
from sync.agree import Agreement, agree
from sync.app import App, opened, utc_now
from sync.errors import CrmAway, WrongUse
from sync.initdir import write_config
from sync.run import Asked, perform
from sync.screen import Screen
from sync.settings import load_settings
from sync.setup import create_missing
from sync.tally import Outcome, outcome_document
from sync.work import Work

#: Marks a folder that a demo made, and that the next demo may therefore replace.
MARK = ".leadpact-demo"
#: A server that nobody uses any more looks every second whether it is to end.
LEAVES_WITHIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DemoAsked:
    """How many people, from which seed, with how much cause and effect (0: none)."""

    leads: int
    seed: int
    effect: float
    keep_running: bool


def run_demo(
    screen: Screen, asked: DemoAsked, folder: Path, leaves_within: float = LEAVES_WITHIN_SECONDS
) -> int:
    """Run the demo in a folder; returns the exit code (0 when nothing is unexplained).

    ``leaves_within`` is how many seconds the pretend CRMs of an earlier demo there have to end.
    Raises WrongUse when they do not, and when the folder holds something else than an earlier demo; CrmAway when the
    pretend CRMs do not do their part.
    """
    began = time.monotonic()
    config = _prepare(folder, asked.leads, leaves_within)
    settings = load_settings(config, _without_our_variables())
    try:
        with attach(folder.absolute() / "sandbox") as attached, opened(settings) as app:
            screen.say(f"Leadpact demo in {folder}: two pretend CRMs here, and {asked.leads} made-up people.")
            screen.say("Their visits, forms and mails are made up as well; no real person, no real CRM.")
            first, second, final = _play(screen, asked, attached, app)
            seconds = time.monotonic() - began
            screen.say(f"done in {seconds:.0f} s. Look around:")
            for key in _examples(app.work()):
                screen.say(f"  leadpact --config {config} explain {key}")
            screen.say(f"  leadpact --config {config} plan (or agree, runs, held)")
            screen.document(_document(config, asked.leads, first, second, final, seconds))
            if asked.keep_running:
                _wait(screen, attached)
    except (SandboxUnavailable, ControlFailed) as away:
        raise CrmAway(f"the pretend CRMs: {away}") from away
    return 1 if final.unexplained else 0


def _play(
    screen: Screen, asked: DemoAsked, attached: Attached, app: App
) -> tuple[Outcome, Outcome, Agreement]:
    """Setup, plan, first sync, a day of changes, second sync; agreement before and after."""
    now = _set_clock(attached, utc_now().replace(minute=0, second=0, microsecond=0))
    _load(screen, attached, generate(asked.leads, asked.seed, now, asked.effect))
    work = app.work()
    screen.say(f"setup: {len(create_missing(work))} fields of ours created in both CRMs")
    planned = perform(work, Asked("plan", write=False, collect=True))
    _tell(screen, "plan of the first sync (nothing written yet)", planned)
    screen.say(f"agreement before the first sync: {_agreement_before(planned)}")
    first = perform(work, Asked("sync", approve=True))
    _tell(screen, "first sync", first)
    _say_agreement(screen, "agreement after the first sync", agree(work, app.clock()))
    acts = _a_day_passes(screen, attached, asked.seed, now) + _sales_answers(screen, work, attached)
    second = perform(work, Asked("sync"))
    _tell(screen, f"second sync, after {acts} changes by people in both CRMs", second)
    final = agree(work, app.clock())
    _say_agreement(screen, "agreement after the second sync", final)
    return first, second, final


def _without_our_variables() -> dict[str, str]:
    """The demo's pretend CRMs must not be mixed with the credentials of real ones."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LEADPACT_")}


def _prepare(folder: Path, leads: int, leaves_within: float) -> Path:
    """An empty folder with a config; an earlier demo there is replaced."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise WrongUse(
                f"{folder} is not empty and no demo made it",
                fix="choose another folder with --dir, or empty it",
            )
        # The server of an earlier demo ends by itself when nobody uses it; its files are not to be taken from under it.
        if not left(folder / "sandbox", leaves_within):
            raise WrongUse(
                f"{folder}: the pretend CRMs of the demo there are in use",
                fix="end the command that uses them, or choose another folder with --dir",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("made by `leadpact demo`; the next demo here replaces it\n")
    write_config(folder)
    config = folder / "leadpact.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(_for_the_demo(text, leads), encoding="utf-8")
    return config


def _for_the_demo(text: str, leads: int) -> str:
    """The config that `init` writes, set to write, for everybody, with room for as many leads as asked for."""
    cap = max(1000, leads * 2)
    wanted = {
        "mode": 'mode = "full"',
        "language": 'language = "en"',
        "leads": "",
        "create_in_hubspot": 'create_in_hubspot = "has_contact_data"   # everybody who can be reached',
        "max_creates": f"max_creates = {cap}",
        "max_stage_moves": f"max_stage_moves = {cap}",
    }
    lines = []
    for line in text.splitlines():
        key = line.split("=")[0].strip()
        lines.append(wanted.get(key, line) if "=" in line else line)
    return "\n".join(
        [*lines, "", "[sandbox]", 'dir = "sandbox"   # the pretend CRMs keep their state there', ""]
    )


def _set_clock(attached: Attached, moment: datetime) -> datetime:
    control(attached.hubspot_url, "clock", {"now": moment.isoformat()})
    return moment


def _load(screen: Screen, attached: Attached, people: Iterable[Person]) -> None:
    hubspot: list[Mapping[str, Any]] = []
    salesforce: list[Mapping[str, Any]] = []
    for person in people:
        if person.hubspot is not None:
            hubspot.append(person.hubspot)
        if person.salesforce is not None:
            salesforce.append(person.salesforce)
    load_rows(attached.hubspot_url, "contacts", hubspot)
    load_rows(attached.salesforce_url, "Lead", salesforce)
    screen.say(f"loaded {len(hubspot)} contacts into HubSpot and {len(salesforce)} leads into Salesforce")


def _agreement_before(planned: Outcome) -> str:
    """How far the CRMs agreed about the people whom both knew, before anything was written."""
    both, changes = planned.summary.get("in_both", 0), planned.changes
    if changes is None or not both:
        return "nobody was in both CRMs"
    ours = [own.lead.name for own in OWN_FIELDS]
    mapped = changes.filter(~pl.col("field").is_in(ours) & (pl.col("kind") != "create"))
    same = max(0, both - mapped["lead_id"].n_unique())
    return f"{same} of {both} people in both CRMs looked the same in both; nobody had a shared stage or score"


def _tell(screen: Screen, title: str, outcome: Outcome) -> None:
    numbers, summary = outcome.numbers, outcome.summary
    screen.say("")
    screen.say(f"{title}:")
    screen.say(
        f"  {numbers.records_read} records read, {outcome.leads} leads, {summary.get('in_both', 0)} in both CRMs"
    )
    stages = {
        name.removeprefix("stage:"): count for name, count in summary.items() if name.startswith("stage:")
    }
    warmth = {
        name.removeprefix("temperature:"): count
        for name, count in summary.items()
        if name.startswith("temperature:")
    }
    screen.say(f"  MQLs {stages.get('mql', 0)}, SQLs {stages.get('sql', 0)}; by stage: {_counted(stages)}")
    screen.say(f"  by temperature: {_counted(warmth)}")
    screen.say(f"  changes per field: {_counted(_by_field(summary)) or 'none'}")
    screen.say(
        f"  {numbers.targets} targets: {numbers.written} written, {numbers.unchanged} unchanged,"
        f" {numbers.held} held for a person, {numbers.refused} refused by a CRM"
    )


def _by_field(summary: Mapping[str, int]) -> dict[str, int]:
    """Changes by the lead's field; our own fields, which show the verdict, as one."""
    ours = {own.lead.name for own in OWN_FIELDS}
    fields: dict[str, int] = {}
    for name, count in summary.items():
        if name.startswith("field:"):
            field = name.removeprefix("field:")
            shown = "score, temperature, stage and links (Leadpact's own fields)" if field in ours else field
            shown = "lifecycle stage in HubSpot" if field == "stage" else shown.replace("_", " ")
            fields[shown] = fields.get(shown, 0) + count
    return fields


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{name} {count}" for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def _say_agreement(screen: Screen, title: str, found: Agreement) -> None:
    explained = ", ".join(f"{count} {reason}" for reason, count in sorted(found.explained.items()))
    screen.say(
        f"{title}: {found.agreed} of {found.linked} linked leads show the same stage, score and temperature"
        f" ({found.share():.1%}); explained: {explained or 'none'}; unexplained: {found.unexplained}"
    )


def _a_day_passes(screen: Screen, attached: Attached, seed: int, now: datetime) -> int:
    """What people do in both CRMs in a day, at the times they do it."""
    tomorrow = now + timedelta(days=1)
    hubspot, salesforce = records(attached.hubspot_url, "contacts"), records(attached.salesforce_url, "Lead")
    acts = a_day_of_changes(seed, hubspot, salesforce, tomorrow)
    urls = {"hubspot": attached.hubspot_url, "salesforce": attached.salesforce_url}
    for act in acts:
        _set_clock(attached, act.at)
        control(urls[act.crm], "people", act.body)
    new = newcomers(seed, hubspot, tomorrow)
    _set_clock(attached, tomorrow)
    screen.say("")
    screen.say("a day passes: " + _counted(Counter(act.what.replace("_", " ") for act in acts)))
    _load(screen, attached, new)
    return len(acts) + len(new)


def _sales_answers(screen: Screen, work: Work, attached: Attached) -> int:
    """Sales look at what was handed over: they accept most MQLs and send one back as too early."""
    leads = work.store.leads.of(work.store.leads.ids_after("", 100_000))
    mqls = leads.filter(pl.col("stage") == "mql")["lead_id"]
    handed_over = work.store.leads.links_of_leads(mqls).filter(pl.col("crm") == "salesforce").sort("lead_id")
    accepted = {
        "Leadpact_Sales_Accepted__c": "true",
        "Leadpact_Has_Need__c": "true",
        "Leadpact_Has_Budget__c": "true",
        "Leadpact_Is_Decision_Maker__c": "true",
        "Leadpact_Purchase_Date__c": (work.clock() + timedelta(days=90)).date().isoformat(),
    }
    too_early = {"Leadpact_Sales_Accepted__c": "false", "Leadpact_Rejection_Reason__c": "too early"}
    for place, record in enumerate(handed_over["record_id"]):
        fields = too_early if place == 1 else accepted
        control(
            attached.salesforce_url,
            "people",
            {"action": "edit", "object": "Lead", "id": record, "fields": fields},
        )
    rejected = min(1, max(0, handed_over.height - 1))
    screen.say(
        f"sales answer: {handed_over.height - rejected} MQLs accepted, {rejected} sent back as too early"
    )
    return handed_over.height


def _examples(work: Work) -> list[str]:
    """Three different leads worth a look: a hot one, a wavering one, one where both sides had changed a field."""
    wanted: list[Callable[[Mapping[str, Any]], bool]] = [
        lambda row: row["stage"] in ("mql", "sql"),
        lambda row: row["stage"] == "nurture",
        lambda row: row["stage"] in ("customer", "opportunity", "disqualified"),
    ]
    rows = work.store.leads.of(work.store.leads.ids_after("", 5000)).rows(named=True)
    found = []
    for fits in wanted:
        row = next((row for row in rows if fits(row)), None)
        if row is not None:
            found.append(row["lead_id"])
    return found


def _document(
    config: Path, leads: int, first: Outcome, second: Outcome, final: Agreement, seconds: float
) -> dict[str, Any]:
    return {
        "config": str(config),
        "people": leads,
        "first": outcome_document(first, with_changes=False),
        "second": outcome_document(second, with_changes=False),
        "agree": {
            "linked": final.linked,
            "agreed": final.agreed,
            "explained": final.explained,
            "unexplained": final.unexplained,
        },
        "seconds": round(seconds, 1),
    }


def _wait(screen: Screen, attached: Attached) -> None:
    """Leave both CRMs up; the ready line comes last."""
    ready = {
        "hubspot": attached.hubspot_url,
        "salesforce": attached.salesforce_url,
        "pubsub": attached.pubsub,
        "hubspot_token": attached.hubspot_token,
        "hubspot_client_secret": attached.hubspot_client_secret,
        "salesforce_client_id": attached.salesforce_client_id,
        "salesforce_client_secret": attached.salesforce_client_secret,
        "salesforce_domain": attached.salesforce_domain,
        "ca_file": attached.ca_file,
    }
    screen.say(json.dumps(ready))
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        screen.say("stopped")
