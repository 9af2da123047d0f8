"""Cursors and files of the Webhooks Journal, whatever they hold (HubSpot reference, sections 10.4 and 13)."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import OurBug
from connectors.hubspot.events import Kind, Malformed
from connectors.hubspot.journal import JournalCursor
from connectors.hubspot.journal_file import read_file


@pytest.mark.parametrize(
    "kept",
    [{}, {"offset": "a"}, {"offset": 1, "known_until": "2026-01-01T00:00:00+00:00"}]
    + [{"offset": "a", "known_until": until} for until in ("yesterday", "2026-01-01T00:00:00", None)],
)
def test_a_kept_cursor_that_is_none_is_refused(kept: dict[str, Any]) -> None:
    with pytest.raises(OurBug):
        JournalCursor.of_json(kept)


def test_a_file_of_other_fields_is_a_list_of_hints() -> None:
    body = {
        "offset": "x",
        "publishedAt": 1_795_341_600_000,
        "journalEvents": [
            {
                "action": "UPDATE",
                "objectTypeId": "0-1",
                "objectId": "7",
                "portalId": 1,
                "propertyChanges": ["city"],
            },
            {"action": "ADDED_TO_LIST", "portalId": 1, "objectId": 8, "objectTypeId": "0-1"},
            {"action": "APP_UNINSTALL", "portalId": 1},
            {"somethingNew": True, "portalId": 1},
        ],
    }
    file = read_file(json.dumps(body).encode())
    changed, listed, left, new = file.events("1")
    assert (changed.kind, changed.records, changed.changes) == (Kind.CHANGED, (("contacts", "7"),), {})
    assert changed.occurred_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert (listed.kind, listed.records) == (Kind.OTHER, (("contacts", "8"),))
    assert (left.kind, left.word, left.records) == (Kind.OTHER, "APP_UNINSTALL", ())
    assert (new.kind, new.records) == (Kind.OTHER, ())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["action", "objectId", "objectTypeId", "occurredAt", "portalId", "propertyChanges", "mergedObjectIds"]
told_events = st.dictionaries(st.sampled_from([*NAMES, "associatedObjectId"]), json_values)
files = st.fixed_dictionaries(
    {"journalEvents": st.lists(told_events, max_size=3), "publishedAt": json_values}
)


@given(st.one_of(st.binary(max_size=200), files.map(lambda file: json.dumps(file).encode())))
def test_any_file_is_events_or_malformed(body: bytes) -> None:
    with suppress(Malformed):
        for event in read_file(body).events(""):
            assert event.occurred_at.utcoffset() is not None
            assert hash(event.key)
