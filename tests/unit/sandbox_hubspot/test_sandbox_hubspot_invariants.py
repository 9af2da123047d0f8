"""What stays true on the HubSpot side of the sandbox, whatever order things happen in."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connectors.sandbox.hubspot.lifecycle import STAGES
from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.side import Ask, ControlRefused

CONTACTS = "/crm/v3/objects/contacts"
ADDRESSES = st.sampled_from([f"{name}@acme.test" for name in "abcd"])
ORDER = [stage for stage, _ in STAGES]
PICK = st.integers(0, 9)


class Life(RuleBasedStateMachine):
    """People are made, changed, merged, archived, restored and erased, by programs and by hand."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._at = datetime(2026, 3, 1, 8, tzinfo=UTC)
        self.side = HubSpotSide(Path(self._folder.name), self)
        self.side.limits({"ten_secondly": None, "secondly_search": None})

    def now(self) -> datetime:
        self._at += timedelta(milliseconds=1)
        return self._at

    def teardown(self) -> None:
        self.side.close()
        self._folder.cleanup()

    def call(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        headers = {"authorization": "Bearer pat-eu1-leadpact-sandbox"}
        sent = b"" if body is None else orjson.dumps(body)
        answer = self.side.answer(Ask(method, path, tuple(query.items()), headers, sent))
        assert answer.status < 500
        return answer.status, orjson.loads(answer.body) if answer.body else None

    def records(self) -> list[dict[str, Any]]:
        return list(self.side.state({"limit": "1000"})["records"])

    def pick(self, number: int) -> str:
        here = self.records()
        return here[number % len(here)]["id"] if here else "1"

    @rule(email=ADDRESSES, more=ADDRESSES)
    def create(self, email: str, more: str) -> None:
        self.call("POST", CONTACTS, {"properties": {"email": email, "hs_additional_emails": more}})

    @rule(number=PICK, email=ADDRESSES, stage=st.sampled_from(["", *ORDER]))
    def change(self, number: int, email: str, stage: str) -> None:
        id_ = self.pick(number)
        _, before = self.call("GET", f"{CONTACTS}/{id_}", properties="lifecyclestage")
        wanted = {"email": email, "lifecyclestage": stage}
        status, after = self.call("PATCH", f"{CONTACTS}/{id_}", {"properties": wanted})
        if status == 200:
            old, new = before["properties"]["lifecyclestage"], after["properties"].get("lifecyclestage")
            forward = not old or not stage or ORDER.index(stage) >= ORDER.index(old)
            assert (new or "") == (stage if forward else old)

    @rule(first=PICK, second=PICK)
    def merge(self, first: int, second: int) -> None:
        body = {"primaryObjectId": self.pick(first), "objectIdToMerge": self.pick(second)}
        status, merged = self.call("POST", f"{CONTACTS}/merge", body)
        if status == 200:
            for id_ in body.values():
                assert self.call("GET", f"{CONTACTS}/{id_}")[1]["id"] == merged["id"]

    @rule(number=PICK)
    def archive(self, number: int) -> None:
        id_ = self.pick(number)
        assert self.call("DELETE", f"{CONTACTS}/{id_}")[0] == 204
        assert self.call("GET", f"{CONTACTS}/{id_}")[0] == 404

    @rule(number=PICK, action=st.sampled_from(["restore", "gdpr_delete", "unsubscribe"]))
    def by_hand(self, number: int, action: str) -> None:
        with suppress(ControlRefused):
            self.side.people({"action": action, "id": self.pick(number)})

    @invariant()
    def every_address_names_one_live_contact_that_has_it(self) -> None:
        held: Counter[str] = Counter()
        for record in self.records():
            if record["archived"]:
                continue
            values = record["properties"]
            own = {values.get("email"), *(values.get("hs_additional_emails") or "").split(";")} - {None, ""}
            held.update(own)
            for address in own:
                _, found = self.call("GET", f"{CONTACTS}/{address}", idProperty="email")
                assert found["id"] == record["id"]
        assert all(count == 1 for count in held.values())

    @invariant()
    def list_and_search_show_the_live_contacts(self) -> None:
        live = sorted(record["id"] for record in self.records() if not record["archived"])
        _, listed = self.call("GET", CONTACTS, limit="100")
        _, found = self.call("POST", f"{CONTACTS}/search", {"limit": 200})
        assert [row["id"] for row in listed["results"]] == live
        assert sorted(row["id"] for row in found["results"]) == live
        assert found["total"] == len(live)

    @invariant()
    def the_newest_value_of_the_history_is_the_value(self) -> None:
        _, listed = self.call("GET", CONTACTS, limit="50", propertiesWithHistory="email,lifecyclestage")
        for row in listed["results"]:
            for name, past in row["propertiesWithHistory"].items():
                newest = past[0]["value"] if past else ""
                assert newest == (row["properties"][name] or "")
                times = [datetime.fromisoformat(version["timestamp"]) for version in past]
                assert times == sorted(times, reverse=True)


Life.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase
