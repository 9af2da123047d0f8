"""A field that is given another type changes every record, and none of them shows when."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from connectors.salesforce.pubsub.changes import Change, Kind
from connectors.salesforce.pubsub.listening import Batch, topic_of
from sync import pulllogs_salesforce
from sync.pulllogs import EVERY, NEW


class Told:
    """A log that tells one change."""

    def __init__(self, change: Change) -> None:
        self.change = change

    def listen(self, topic: str, place: str | None) -> Iterator[Batch]:
        yield Batch((self.change,), place)


def test_what_changed_without_a_time_is_read_from_the_beginning(
    furnished: Any, ears: Callable[[], Any]
) -> None:
    house = furnished
    contact, lead = house.couple("anna@shop.example", {"jobtitle": "Buyer", "company": "Shop GmbH"})
    house.sync()
    house.later(3_600)
    found = ears()
    with found.listening():
        pass
    found.work_off()
    # As after a conversion: the value is another, and the record's times are what they were.
    with closing(sqlite3.connect(Path(house.serving.ca_file).with_name("salesforce.sqlite"))) as file, file:
        assert file.execute("UPDATE Lead SET Title = 'Owner' WHERE Id = ?", (lead,)).rowcount == 1
    house.later(3_600)
    house.sync()
    assert house.record("hubspot", contact)["jobtitle"] == "Buyer"

    work = found.app.recalled()
    every = Change(Kind.EVERY, "Lead", (), committed_at=work.clock())
    told: Any = Told(every)
    pulllogs_salesforce.follow(work, told, topic_of("Lead"), threading.Event())
    (gap,) = [one for one in found.gaps() if one.why != NEW]
    assert (gap.why, gap.whole, gap.read_at) == (EVERY, True, None)
    assert "every record changed at once" in house.command("status").out
    # As a program from before there were such gaps closes what it has read since its cursors.
    found.ask("UPDATE pull_gap SET read_at = now(), by_run = 1 WHERE gap_id = %s", gap.gap)
    work.store.offsets.close_gaps([gap.gap], 1, work.clock(), read_whole=["hubspot"])
    assert [one.gap for one in work.store.offsets.open_gaps()] == [gap.gap]
    assert "gaps" in found.work_off()
    assert house.record("hubspot", contact)["jobtitle"] == "Owner"
    assert all(one.read_at for one in found.gaps())
