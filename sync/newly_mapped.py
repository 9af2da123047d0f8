"""What a changed map, program or policy asks for: fields not read for all records, verdicts of another policy.

A change log brings records that change. What a new rule of the map would say of all others is only known once they
are read again: a backfill does that, and until then `check` and `sync` say so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from mapping.own import OWN_LEAD_FIELDS
from sync.work import CRMS, Work

#: What a rule says that no reading depends on.
NOT_ABOUT_READING = frozenset({"hubspot", "salesforce", "if_both_changed", "if_emptied", "label"})
#: What changes what is done with a value that was read long ago, from its being said on.
WHERE_SAID = frozenset({"withdrawal"})


#: What is remembered of a field beside its value, since a version after the first: a memory that an older program made
#: has it only of records that changed since. Telephone numbers find candidates, for every record that has one.
KEPT_BESIDE = {"phone": "finds candidates", "mobile_phone": "finds candidates"}


@dataclass(frozen=True, slots=True)
class Unread:
    """The lead fields of one CRM that only records that change are read for."""

    crm: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        one = len(self.fields) == 1
        return (
            f"{self.crm}: {', '.join(self.fields)} {'is' if one else 'are'} mapped anew, or remembered in another way"
            " since an upgrade, and so far read only for records that change"
        )

    @property
    def fix(self) -> str:
        return f"`leadpact backfill --crm {self.crm} --dry-run` says what reading all records costs"


def rules_of(work: Work, crm: str) -> dict[str, str]:
    """Lead field to a digest of all that decides how it is read from one CRM."""
    found = {}
    for name, rule in work.field_map.rules.items():
        source = rule.source(crm, work.objects[crm])
        if source is None or name in OWN_LEAD_FIELDS:
            continue
        words = work.field_map.values.get(name)
        # Who wins and what a blank does is asked when records meet; it changes nothing about what was read.
        said = {
            key: value
            for key, value in asdict(rule).items()
            if key not in NOT_ABOUT_READING and (value or key not in WHERE_SAID)
        }
        beside = [KEPT_BESIDE[name]] if name in KEPT_BESIDE else []
        text = json.dumps(
            [source, said, words.heard(crm) if words else None, *beside], sort_keys=True, default=str
        )
        found[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def map_digest(work: Work) -> str:
    """One digest of the whole map."""
    return hashlib.sha256(json.dumps([rules_of(work, crm) for crm in CRMS]).encode()).hexdigest()[:16]


def note_readings(work: Work, readings: Sequence[tuple[str, str]], now: datetime) -> None:
    """Remember the map of a first reading. ``readings``: (CRM, name of the cursor) of those that end now.

    What an older program read first is taken to be read with the map of now: nobody knows better.
    """
    cursors, known = work.store.runs.cursors(), work.store.backfills.read_maps()
    for crm, name in readings:
        if (crm, name) not in cursors or (crm, name) not in known:
            work.store.backfills.note_read_map(crm, name, rules_of(work, crm), now)


def not_read_for_all(work: Work) -> list[Unread]:
    """The fields that a backfill would read, by CRM; nothing where no reading ever ended."""
    known = work.store.backfills.read_maps()
    found = []
    for crm in CRMS:
        before = known.get((crm, work.reading(crm)))
        if before is None:
            continue
        new = tuple(name for name, digest in rules_of(work, crm).items() if before.get(name) != digest)
        if new:
            found.append(Unread(crm, new))
    return found


def policy_news(work: Work, before: str | None) -> str:
    """What a sync says when the policy is another one than that of the run ``before``; empty when it is the same."""
    if before is None or before == work.policy.version:
        return ""
    return (
        "the policy has changed since the last run: leads that do not change keep their verdict until"
        " `leadpact rescore`, which needs no reading"
    )
