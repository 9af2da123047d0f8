"""What a sync costs as its memory grows: the same 1,000 changes among ever more linked leads.

    python -m bench.grown
    python -m bench.grown --linked 10000,100000,1000000 --whole-up-to 100000 --backfill 1000000

A block of 10,000 people is synced over HTTP with both pretend CRMs. Then the memory is filled with copies of the block
under other ids and addresses, by the product's own reading, encoding and remembering, with one journal row a lead. At
each size the same number of records of the block is edited and synced over HTTP; the CRMs stay as they are, so that
what grows is the memory alone. ``agree`` and ``drift`` read everybody: there, and for the first sync of everybody into
an empty memory (``--backfill``), the CRMs are stood in for by the copies, without HTTP (``bench.copies``).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import psycopg

from bench.copies import Block, CopiedCrm, copied_email, copied_id
from bench.sync import HEAD, NOW, Watch, config_of, edit, load, said_of, set_clock
from connectors.crm import RECORD_ID, Crm
from connectors.sandbox.detached import Attached, attach
from connectors.sandbox.remote import control
from sync.agree import agree
from sync.app import opened
from sync.drift import find_drift, parts_to_read
from sync.read import read_records
from sync.run import Asked
from sync.settings import load_settings
from sync.setup import create_missing
from sync.store.leads import BASES, NEW_LEADS, NEW_LINKS
from sync.work import CRMS, Work

#: One row a copied lead of what was written about the lead of the block.
_JOURNAL = """
INSERT INTO journal (connection_id, run_id, part_id, lead_id, crm, object, record_id, fields, crm_fields, before, after,
                     why, lane, kind, state, noted_at, done_at)
SELECT DISTINCT ON (j.lead_id, copy) j.connection_id, j.run_id, j.part_id, j.lead_id || '.' || copy, j.crm, j.object,
       j.record_id, j.fields, j.crm_fields, j.before, j.after, j.why, j.lane, j.kind, j.state, j.noted_at, j.done_at
  FROM journal AS j, generate_series(%(first)s::int, %(last)s::int) AS copy
 WHERE position('.' IN j.lead_id) = 0
   AND (j.state = 'written' OR j.state IS NULL
        AND EXISTS (SELECT FROM journal_part AS part WHERE part.part_id = j.part_id AND part.done_at IS NOT NULL))
 ORDER BY j.lead_id, copy, j.journal_id
"""


class Seed:
    """Fills the memory with copies of the block that stands there."""

    def __init__(self, work: Work, block: Mapping[str, Block], people: int) -> None:
        self._work, self._block = work, block
        ids = work.store.leads.ids_after("", 10 * people)
        self._leads = work.store.leads.of(ids)
        self._links = work.store.leads.links_of_leads(ids)
        self.linked = self._links.group_by("lead_id").len().filter(pl.col("len") > 1).height

    def copy(self, number: int, run: int) -> None:
        """One more copy of everybody in the block."""
        store, now = self._work.store, self._work.clock()
        links = pl.concat(
            self._links.filter(pl.col("crm") == crm).with_columns(
                copied_id(crm, pl.col("record_id"), pl.lit(number)).alias("record_id"),
                copied_email(pl.col("email_key"), pl.lit(number)).alias("email_key"),
                _lead_of(number).alias("lead_id"),
                how=pl.lit("cross_id"),
            )
            for crm in CRMS
        )
        with store.transaction():
            store.leads.remember_links(links.select(*NEW_LINKS), run, now)
            for crm in CRMS:
                store.leads.remember_bases(self._bases(crm, number), run, now)
            store.leads.remember_leads(self._copied_leads(number))

    def _bases(self, crm: str, number: int) -> pl.DataFrame:
        typed = read_records(self._work, crm, self._block[crm].copies([number]))
        snapshots = self._work.record_snapshots(crm)
        texts = snapshots.encode(typed)
        return typed.select(
            crm=pl.lit(crm),
            object=pl.lit(self._work.objects[crm]),
            record_id=RECORD_ID,
            record_values=texts,
            record_mark=snapshots.marks(typed, texts),
        ).select(*BASES)

    def _copied_leads(self, number: int) -> pl.DataFrame:
        moved = pl.col("lead_values").str.replace('"email":"', f'"email":"c{number:02}.', literal=True)
        leads = self._leads.with_columns(_lead_of(number).alias("lead_id"), lead_values=moved)
        address = pl.col("lead_values").str.json_path_match("$.email").str.to_lowercase()
        return leads.with_columns(email_key=address).select(*NEW_LEADS)


def _lead_of(copy: int) -> pl.Expr:
    return pl.col("lead_id") + pl.lit(f".{copy}" if copy else "")


@dataclass(frozen=True)
class Asking:
    """What is measured: the sizes, the changes at each, and up to which size everybody is read."""

    linked: tuple[int, ...]
    changes: int
    whole_up_to: int
    people: int  #: of the block


class Growth:
    """The memory of one pair of CRMs, as it grows."""

    def __init__(self, work: Work, attached: Attached, folder: Path, ids: list[str], asking: Asking) -> None:
        self._work, self._attached, self._folder = work, attached, folder
        self._ids, self._asking = ids, asking
        self._database = folder / "leadpact-data" / "postgresql" / "postmaster.pid"
        self._hours, self._have = 0, 1
        self._watch(1).phase("first sync of the block", lambda: said_of(work, Asked("sync", approve=True)))
        set_clock(attached, NOW + timedelta(minutes=10))
        self._watch(1).phase("second sync", lambda: said_of(work, Asked("sync")))
        self.block = self._now()
        self._seed = Seed(work, self.block, asking.people)
        print(f"a block: {asking.people} people, {self._seed.linked} with two records", flush=True)

    def _watch(self, copies: int, work: Work | None = None) -> Watch:
        sandbox = self._folder / "sandbox" / "serving.json"
        return Watch(copies * self._asking.people, sandbox, self._database, work or self._work)

    def _now(self) -> dict[str, Block]:
        return {crm: Block.read(self._work, crm) for crm in CRMS}

    def at(self, size: int) -> None:
        """Grow to this size and measure there."""
        copies = max(1, round(size / self._asking.people))
        self._watch(copies).phase(f"seeding up to {size:,}", lambda: self._grow(copies))
        for edited in (0, self._asking.changes):
            self._hours += 1
            set_clock(self._attached, NOW + timedelta(hours=self._hours))
            edit(self._attached, self._ids[self._hours :: len(self._ids) // max(edited, 1)][:edited])
            name = f"{size:,}: sync, {edited:,} edits"
            self._watch(copies).phase(name, lambda: said_of(self._work, Asked("sync")))
        if size <= self._asking.whole_up_to:
            now = self._now()
            fresh = {crm: block.with_first(now[crm]) for crm, block in self.block.items()}
            copied = of_copies(self._work, fresh, copies)
            self._watch(copies, copied).phase(f"{size:,}: agree", lambda: _agree(copied))
            self._watch(copies, copied).phase(f"{size:,}: drift", lambda: _drift(copied))

    def _grow(self, copies: int) -> str:
        run = self._work.store.runs.newest(1)[0].run
        for number in range(self._have, copies):
            self._seed.copy(number, run)
        if copies > self._have:
            self._statement(_JOURNAL, first=self._have, last=copies - 1)
        self._have = max(self._have, copies)
        # What a database that has been in use for days knows of itself.
        self._statement("VACUUM ANALYZE")
        return ""

    def _statement(self, sql: str, **wanted: int) -> None:
        lines = self._database.read_text().splitlines()
        # The lock file of PostgreSQL has the port in its fourth line and the socket's folder in its fifth.
        where = f"host={lines[4]} port={lines[3]} dbname=postgres user=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(sql.encode(), wanted or None)


def of_copies(work: Work, block: Mapping[str, Block], copies: int) -> Work:
    """The same work, with copies of the block in place of both CRMs."""
    crms: dict[str, Crm] = {crm: CopiedCrm(work.crms[crm], block[crm], copies) for crm in CRMS}
    return replace(work, crms=crms)


def _agree(work: Work) -> str:
    found = agree(work, work.clock())
    return f"agreed={found.agreed} of {found.linked}, explained={found.explained}, not={found.unexplained}"


def _drift(work: Work) -> str:
    found = find_drift(work, parts_to_read(work, work.clock()))
    return f"slices={len(found.slices)} drifted={found.counts()} expected={found.expected}"


def measure(asking: Asking, folder: Path, *, backfill: int) -> None:
    """Print the phases at each size. ``backfill``: so many people into an empty memory afterwards."""
    config, environ = config_of(folder, asking.people, 20_000)
    with attach(folder / "sandbox") as attached, opened(load_settings(config, environ)) as app:
        set_clock(attached, NOW)
        # Windows of rate limits would pass by the sandbox's clock, which stands still here.
        limits = {"ten_secondly": None, "secondly_search": None, "daily": None}
        control(attached.hubspot_url, "limits", limits)
        ids = load(attached, asking.people)
        work = app.work()
        create_missing(work)
        print(HEAD, flush=True)
        growth = Growth(work, attached, folder, ids, asking)
        for size in asking.linked:
            growth.at(size)
        if backfill:
            copies = max(1, round(backfill / asking.people))
            _first_sync_of_all(folder, config, environ, growth.block, copies)


def _first_sync_of_all(
    folder: Path, config: Path, environ: Mapping[str, str], block: Mapping[str, Block], copies: int
) -> None:
    """Everybody into an empty memory, as a first run does, from CRMs that answer at once."""
    caps = ("MAX_CREATES", "MAX_UPDATES", "MAX_STAGE_MOVES")
    elsewhere = {**environ, **{f"LEADPACT_GUARDS__{name}": str(10**8) for name in caps}}
    # What is written is not kept by the copies, so reading it back would tell nothing.
    elsewhere["LEADPACT_GUARDS__CANARY"] = "0"
    elsewhere["LEADPACT_DATABASE__DIR"] = str(folder / "empty")
    with opened(load_settings(config, elsewhere)) as app:
        work = of_copies(app.work(), block, copies)
        database = folder / "empty" / "postgresql" / "postmaster.pid"
        people = copies * block["hubspot"].frame.height
        watch = Watch(people, folder / "sandbox" / "serving.json", database, work)
        watch.phase(f"{people:,}: first sync", lambda: said_of(work, Asked("sync", approve=True)))


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--linked", default="10000,100000", help="sizes of the memory (10000,100000)")
    options.add_argument("--changes", type=int, default=1_000, help="records edited at each size (1,000)")
    options.add_argument("--whole-up-to", type=int, default=100_000, help="agree and drift up to this size")
    options.add_argument("--backfill", type=int, default=0, help="so many people into an empty memory (none)")
    options.add_argument("--block", type=int, default=10_000, help="people that are synced for real (10,000)")
    chosen = options.parse_args()
    sizes = tuple(sorted(int(each) for each in chosen.linked.split(",")))
    with tempfile.TemporaryDirectory() as folder:
        asking = Asking(sizes, chosen.changes, chosen.whole_up_to, chosen.block)
        measure(asking, Path(folder), backfill=chosen.backfill)


if __name__ == "__main__":
    main()
