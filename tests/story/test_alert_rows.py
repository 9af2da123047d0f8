"""An alert is a row while it lasts, and tells a person what to do now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.store.store import Store

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def server_url(embedded_url: str) -> str:
    """One server is enough for what is asked here."""
    return embedded_url


@pytest.mark.parametrize(
    ("kind", "told"), [("job", {"job": 23, "said": "a right is missing"}), ("quota", {"share": 91})]
)
def test_only_what_is_told_of_a_job_follows_its_newest_try(
    store: Store, kind: str, told: dict[str, object]
) -> None:
    first = {"job": 17, "said": "the token was refused"} if kind == "job" else told
    later = told if kind == "job" else {"share": 99}
    assert store.alerts.raise_(kind, "it", first, NOW) is not None
    assert store.alerts.raise_(kind, "it", later, NOW + timedelta(minutes=1)) is None
    (open_,) = store.alerts.open()
    assert dict(open_.found) == told
