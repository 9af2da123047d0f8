"""Somebody edits a record between our reading and our writing."""

from __future__ import annotations

from typing import Any

from sync.run import Asked, perform


def test_a_decided_conflict_does_not_overwrite_what_was_set_since_it_was_read(furnished: Any) -> None:
    house = furnished
    before = 'salesforce = "Title"\nif_both_changed = "salesforce"'
    house.rewrite("fields.toml", before, 'salesforce = "Title"\nif_both_changed = "hubspot"')
    contact, lead = house.couple("anna@sommer.de", {"jobtitle": "Einkauf", "country": "Germany"})
    house.sync()
    house.later(3_600)
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.edit("salesforce", lead, Title="Leiterin Vertrieb")
    house.later(60)

    def somebody_is_quicker(point: str) -> None:
        if point in ("before salesforce update", "before salesforce handover"):
            house.later(60)
            house.edit("salesforce", lead, Title="Prokuristin")

    with house.app(at_point=somebody_is_quicker) as app:
        outcome = perform(app.work(), Asked("sync", approve=True, collect=True))

    assert outcome.numbers.refused == 1
    assert house.record("salesforce", lead)["Title"] == "Prokuristin"
    (refused,) = house.command("--json", "refused").document["refused"]
    assert refused["code"] == "CHANGED_MEANWHILE"
    house.later(3_600)
    house.sync()
    # Decided anew, on what both sides show now.
    assert house.record("salesforce", lead)["Title"] == "Head of Marketing"
    assert house.record("hubspot", contact)["jobtitle"] == "Head of Marketing"
    assert house.command("--json", "refused").document["refused"] == []
