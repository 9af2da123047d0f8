"""The world of the state machine: people who work in both CRMs, and what they have ever typed.

``World`` acts as those people and as whoever runs Leadpact. Around everything that Leadpact does it takes a picture
of both CRMs; what differs between two pictures is Leadpact's own doing, and ``judge`` says what is wrong with it.
"""

from __future__ import annotations

import io
import logging
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import psycopg
import pytest
import requests

from connectors.errors import ConnectorError
from sync.agree import agree
from sync.app import App, opened
from sync.app_crms import Patience
from sync.errors import Stopped
from sync.initdir import write_config
from sync.run import Asked, perform
from sync.setup import create_missing
from sync.tally import Outcome
from tests.story.emptied import forget_rows

OBJECTS = {"hubspot": "contacts", "salesforce": "Lead"}
OTHER = {"hubspot": "salesforce", "salesforce": "hubspot"}
CROSS_ID = {"hubspot": "leadpact_salesforce_id", "salesforce": "Leadpact_HubSpot_Id__c"}
#: What both CRMs call the same thing, and how two spellings of it are compared.
FIELDS: Mapping[str, tuple[str, str, str]] = {
    "email": ("email", "Email", "email"),
    "first name": ("firstname", "FirstName", "text"),
    "last name": ("lastname", "LastName", "text"),
    "title": ("jobtitle", "Title", "text"),
    "company": ("company", "Company", "text"),
    "phone": ("phone", "Phone", "phone"),
    "city": ("city", "City", "text"),
    "country": ("country", "Country", "country"),
    "revenue": ("annualrevenue", "AnnualRevenue", "number"),
    "need": ("leadpact_need", "Leadpact_Need__c", "text"),
    "budget": ("leadpact_has_budget", "Leadpact_Has_Budget__c", "boolean"),
    "purchase": ("leadpact_purchase_date", "Leadpact_Purchase_Date__c", "text"),
    "accepted": ("leadpact_sales_accepted", "Leadpact_Sales_Accepted__c", "boolean"),
    "reason": ("leadpact_rejection_reason", "Leadpact_Rejection_Reason__c", "text"),
}
#: Fields that the map does not name: nobody but a person writes them.
UNMAPPED = {"hubspot": "fax", "salesforce": "Fax"}
#: Only these may be emptied by Leadpact (``if_emptied = "clear"`` in the map).
MAY_BE_CLEARED = ("purchase", "accepted", "reason")
OPTED_OUT = {"hubspot": ("hs_email_optout",), "salesforce": ("HasOptedOutOfEmail", "DoNotCall")}
#: What ``required`` of the config puts where Salesforce demands a value and nobody knows one.
NOT_KNOWN = {"last name", "company"}
COUNTRIES = {"germany": "de", "austria": "at"}

Records = dict[str, dict[str, dict[str, Any]]]


def comparable(kind: str, value: Any) -> str:
    """A value without the freedom that its kind leaves to how it is written; "" for a blank."""
    text = unicodedata.normalize("NFC", "" if value is None else str(value))
    text = " ".join(re.sub("[\u200b\u200e\u200f]", "", text).split())
    if kind == "email":
        return text.lower()
    if kind == "phone":
        return re.sub(r"\D", "", text)[-7:]
    if kind == "country":
        return COUNTRIES.get(text.lower(), text.lower())
    if kind == "boolean":
        return text.lower()
    if kind == "number":
        try:
            return str(Decimal(text).normalize())
        except InvalidOperation:
            return text
    return text


@dataclass
class World:
    """Both CRMs with their people, and Leadpact."""

    house: Any
    typed: dict[str, dict[str, set[str]]] = field(default_factory=dict)  #: person to field to values
    owners: dict[str, str] = field(default_factory=dict)  #: record ("crm:id") or person to who it is today
    copied: set[str] = field(default_factory=set)  #: records that Leadpact has made a copy of
    settled: set[str] = field(
        default_factory=set
    )  #: those of a run that ended well, which it has to remember
    runs: list[int] = field(default_factory=list)
    faulty: bool = False
    app: App | None = None
    log: io.StringIO = field(default_factory=io.StringIO)

    # --- beginning and end ------------------------------------------------------------------------------

    def begin(self, now: Any) -> None:
        """Make everything new and empty."""
        for crm in OBJECTS:
            self.house.control(crm, "reset", {})
        self.house.serving.clock.set(now)
        self.house.control(
            "hubspot", "limits", {"ten_secondly": None, "secondly_search": None, "daily": None}
        )
        with psycopg.connect(self.house.database, autocommit=True) as connection:
            forget_rows(connection)
        for path in self.house.folder.glob("*.toml"):
            path.unlink()
        write_config(self.house.folder)
        self.house.rewrite("leadpact.toml", 'mode = "observe"', 'mode = "full"')
        self.house.rewrite(
            "leadpact.toml", 'create_in_hubspot = "false"', 'create_in_hubspot = "has_contact_data"'
        )
        self.open()
        assert self.app is not None
        create_missing(self.app.work())

    def open(self) -> None:
        """Leadpact starts anew, with the config as it is now."""
        self.close()
        settings, patience = self.house.settings(), Patience(self.let_pass)
        self._opened = opened(settings, patience=patience)
        self.app = self._opened.__enter__()

    def close(self) -> None:
        if self.app is not None:
            self._opened.__exit__(None, None, None)
            self.app = None

    def let_pass(self, seconds: float) -> None:
        """The time that somebody would wait has passed, where it is counted."""
        with psycopg.connect(self.house.database, autocommit=True) as connection:
            connection.execute(
                "UPDATE call_window SET held_until = held_until - %(waited)s * interval '1 second', calls_at ="
                " ARRAY(SELECT at - %(waited)s * interval '1 second' FROM unnest(calls_at) AS at ORDER BY at)",
                {"waited": seconds},
            )

    # --- people -----------------------------------------------------------------------------------------

    def records(self) -> Records:
        """Every record of both CRMs; ``_gone``: a person cannot open it any more."""
        found: Records = {}
        for crm, name in OBJECTS.items():
            page = self.house.look(crm, "state", object=name, limit="1000")["records"]
            found[crm] = {
                str(each.get("id") or each["Id"]): {
                    **(each.get("properties") or each),
                    "_gone": bool(each.get("archived") or each.get("IsDeleted")),
                }
                for each in page
            }
        return found

    def living(self, crm: str) -> list[str]:
        """The records that a person can open, oldest first."""
        return [one for one, record in self.records()[crm].items() if not record["_gone"]]

    def deleted(self, crm: str) -> list[str]:
        """The others."""
        return [one for one, record in self.records()[crm].items() if record["_gone"]]

    def counterpart(self, contact: str) -> str | None:
        """The Salesforce record that a contact names, where a person can open it."""
        lead = str(self.records()["hubspot"][contact].get(CROSS_ID["hubspot"]) or "")
        return lead if lead in self.living("salesforce") else None

    def does(self, crm: str, action: str, record_id: str | None = None, **more: Any) -> dict[str, Any] | None:
        """A person does something; None where the CRM does not let them."""
        wanted = {"action": action, "object": OBJECTS[crm], **more}
        if record_id is not None:
            wanted["id"] = record_id
        answer = requests.post(f"{self.house.url(crm)}/_sandbox/people", json=wanted, timeout=60)
        assert answer.status_code in (200, 400), answer.text
        return dict(answer.json()) if answer.status_code == 200 else None

    def types(self, crm: str, record_id: str | None, **values: Any) -> str | None:
        """A person makes a record (``record_id`` None) or edits one, in words of ``FIELDS``; its id, or None."""
        side = list(OBJECTS).index(crm)
        named = {FIELDS[name][side]: value for name, value in values.items() if name in FIELDS}
        if "unmapped" in values:
            named[UNMAPPED[crm]] = values["unmapped"]
        key = "properties" if crm == "hubspot" else "fields"
        done = self.does(crm, "edit" if record_id else "create", record_id, **{key: named})
        if done is None:
            return None
        self.note(crm, str(done["id"]), values)
        return str(done["id"])

    def note(self, crm: str, record_id: str, values: Mapping[str, Any]) -> None:
        """Remember what was typed, and of whom the record tells."""
        who = self.who(f"{crm}:{record_id}")
        for name in values.keys() & FIELDS.keys():
            spelled = comparable(FIELDS[name][2], values[name])
            self.typed.setdefault(who, {}).setdefault(name, set()).add(spelled)

    def who(self, key: str) -> str:
        """Whom a record tells of; records that a person has merged, or that are alike, tell of one."""
        while key in self.owners and self.owners[key] != key:
            key = self.owners[key]
        return key

    def same(self, key: str, other: str) -> None:
        """From now on both tell of one person, who has typed all of it."""
        mine, theirs = self.who(key), self.who(other)
        if mine == theirs:
            return
        self.owners[theirs] = mine
        for name, values in self.typed.pop(theirs, {}).items():
            self.typed.setdefault(mine, {}).setdefault(name, set()).update(values)

    # --- Leadpact ---------------------------------------------------------------------------------------

    @contextmanager
    def watched(self, *, undoes: bool = False) -> Iterator[None]:
        """Whatever changes in the CRMs meanwhile is Leadpact's doing, and is judged."""
        before, mark = self.records(), self.house.mark()
        handler = logging.StreamHandler(self.log)
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
        problems = self.judge(before, self.records(), undoes=undoes)
        assert not problems, "\n".join(problems)
        self.tells_nothing(mark)

    def tells_nothing(self, mark: Mapping[str, int]) -> None:
        """No secret in the log, and nobody's address in an address of the web."""
        log = self.log.getvalue()
        for secret in ("pat-eu1-leadpact-sandbox", "salesforce-sandbox-secret", "Bearer "):
            assert secret not in log, f"the log shows {secret[:4]}…"
        assert ".example" not in log, "the log shows somebody's address"
        for crm in OBJECTS:
            calls = self.house.look(crm, "requests", after=str(mark[crm]))["requests"]
            told = [call["path"] for call in calls if ".example" in call["path"]]
            assert not told, f"an address of {crm} shows somebody's address: {told[:2]}"

    def sync(self) -> Outcome | None:
        """One sync; None where a fault stopped it. Without a fault nothing may."""
        assert self.app is not None
        try:
            with self.watched():
                outcome = perform(self.app.work(), Asked("sync", approve=True, collect=True))
        except (Stopped, ConnectorError):
            if not self.faulty:
                raise
            return None
        numbers = outcome.numbers
        assert numbers.targets == numbers.written + numbers.unchanged + numbers.held + numbers.refused
        assert outcome.busy == 0
        self.runs.append(outcome.run)
        self.settled |= self.copied
        return outcome

    def disturbed(self, crm: str, fault: Mapping[str, Any]) -> None:
        """One sync while something goes wrong in a CRM."""
        self.house.control(crm, "faults", fault)
        self.faulty = True
        self.sync()
        self.faulty = False
        requests.delete(f"{self.house.url(crm)}/_sandbox/faults", timeout=60)

    def weighs_titles(self, points: int) -> None:
        """Marketing gives a head of marketing so many points from now on."""
        policy = self.house.folder / "policy.toml"
        text = policy.read_text(encoding="utf-8")
        head, rest = text.split('name = "Head of marketing"', 1)
        changed = re.sub(r"points = -?\d+", f"points = {points}", rest, count=1)
        policy.write_text(head + 'name = "Head of marketing"' + changed, encoding="utf-8")
        self.open()

    def command(self, *arguments: str, undoes: bool = False) -> Any:
        """A command, as a person types it; its document, or None where it did not end well."""
        with self.watched(undoes=undoes):
            told = self.house.command("--json", *arguments)
        assert "Traceback" not in told.err, told.err
        assert told.code in (0, 1, 2, 3) or self.faulty, told.err
        return told.document if told.code in (0, 1) else None

    def refused(self) -> bool:
        assert self.app is not None
        return bool(self.app.work().store.journal.refused())

    def agreement(self) -> tuple[int, dict[str, int], dict[str, list[str]]]:
        """Unexplained leads, the explained ones by reason, and samples."""
        assert self.app is not None
        work = self.app.work()
        found = agree(work, work.clock())
        assert found.linked == found.agreed + sum(found.explained.values()) + found.unexplained
        return found.unexplained, found.explained, found.samples

    def waiting(self) -> set[str]:
        """The leads that are not brought into agreement: held, refused, or taken back by a person."""
        assert self.app is not None
        journal = self.app.work().store.journal
        rows = [*journal.open_held(), *journal.refused()]
        return {str(row["lead_id"]) for row in rows if row["lead_id"]} | set(journal.undone_leads())

    def disagreements(self) -> list[str]:
        """Where the two records of one lead differ in a mapped field, or a withdrawal did not arrive."""
        assert self.app is not None
        store, records, problems = self.app.work().store, self.records(), []
        for contact, mine in records["hubspot"].items():
            lead = str(mine.get(CROSS_ID["hubspot"]) or "")
            theirs = records["salesforce"].get(lead)
            if theirs is None or mine["_gone"] or theirs["_gone"]:
                continue
            if theirs.get(CROSS_ID["salesforce"]) != contact:
                continue
            names = f"hubspot {contact}, salesforce {lead}"
            if self.who(f"hubspot:{contact}") != self.who(f"salesforce:{lead}"):
                problems.append(f"{names}: strangers to each other, and linked")
            if theirs["IsConverted"]:
                continue  # Salesforce takes nothing there any more
            if _yes(mine.get("hs_email_optout")) and not _yes(theirs["HasOptedOutOfEmail"]):
                problems.append(f"{names}: the withdrawal did not arrive")
            if self.waiting() & set(store.leads.named(f"hubspot:{contact}")):
                continue
            for name in set(FIELDS) - {"accepted", "reason"}:
                kind, here, there = FIELDS[name][2], mine.get(FIELDS[name][0]), theirs.get(FIELDS[name][1])
                if comparable(kind, here) != comparable(kind, there):
                    problems.append(f"{names}: {name} is {here!r} and {there!r}")
        return problems

    # --- what may not happen ----------------------------------------------------------------------------

    def judge(self, before: Records, after: Records, *, undoes: bool) -> list[str]:
        """What is wrong with what Leadpact made of both CRMs, one sentence each."""
        problems: list[str] = []
        for crm in OBJECTS:
            for record_id in sorted(after[crm].keys() - before[crm].keys()):
                problems += self._made(crm, record_id, before, after)
        for crm in OBJECTS:
            for record_id in sorted(after[crm].keys() & before[crm].keys()):
                old, new = before[crm][record_id], after[crm][record_id]
                problems += [
                    f"{crm} {record_id}: {what}" for what in self._changed(crm, record_id, old, new, undoes)
                ]
            if not undoes:
                lost = sorted(record for record in before[crm] if record not in after[crm])
                problems += [f"{crm} {record}: Leadpact took it away" for record in lost]
        return problems

    def _made(self, crm: str, record_id: str, before: Records, after: Records) -> list[str]:
        record, problems = after[crm][record_id], []
        other, source = OTHER[crm], str(record.get(CROSS_ID[crm]) or "")
        if source not in after[other]:
            return [f"{crm} {record_id} was made and names no record of {other}: {source!r}"]
        key = f"{other}:{source}"
        self.copied.add(key)
        if key in self.settled:
            problems.append(f"{key} has got another copy in {crm}")
        alike = [
            one
            for one in before[crm]
            if self.who(f"{crm}:{one}") == self.who(key)
            and not before[crm][one]["_gone"]
            and _spelled(crm, before[crm][one]) == _spelled(crm, record)
        ]
        if alike:
            problems.append(f"{crm} {record_id} was made although {alike} tells of the same person")
        self.same(key, f"{crm}:{record_id}")
        known = {**dict.fromkeys(record), "_gone": False}
        return problems + [
            f"{crm} {record_id}: {what}" for what in self._changed(crm, record_id, known, record, False)
        ]

    def _changed(
        self, crm: str, record_id: str, old: Mapping[str, Any], new: Mapping[str, Any], undoes: bool
    ) -> Iterator[str]:
        side = list(OBJECTS).index(crm)
        known = self.typed.get(self.who(f"{crm}:{record_id}"), {})
        for name, names in FIELDS.items():
            was, now = (comparable(names[2], record.get(names[side])) for record in (old, new))
            if was == now or (not now and undoes):
                continue
            if not now and name not in MAY_BE_CLEARED:
                yield f"{name} was {was!r} and was emptied"
            elif now and now not in known.get(name, set()) and not (name in NOT_KNOWN and now[0] == "["):
                yield f"{name} became {now!r}, which nobody has typed (but {sorted(known.get(name, ()))})"
        if (old.get(UNMAPPED[crm]) or "") != (new.get(UNMAPPED[crm]) or ""):
            yield f"{UNMAPPED[crm]} is not mapped and was changed"
        for name in OPTED_OUT[crm]:
            if _yes(old.get(name)) and not _yes(new.get(name)):
                yield f"the withdrawal {name} was lost"
        if old["_gone"] is False and new["_gone"] and not undoes:
            yield "it was deleted"


def _yes(value: Any) -> bool:
    return str(value).lower() == "true"


def _spelled(crm: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    side = list(OBJECTS).index(crm)
    return tuple(
        comparable(FIELDS[name][2], record.get(FIELDS[name][side])) for name in ("email", "last name")
    )


@pytest.fixture
def new_world(house: Any) -> Callable[[], World]:
    """Makes the world of one example: everything new, nobody there."""
    now = house.serving.clock.now()

    def make() -> World:
        world = World(house)
        world.begin(now)
        return world

    return make
