"""The model of docs/scaling.md: what it adds up, and that more work never needs less."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scaling import Inputs, Load, needs, predicted

INPUTS = Inputs(
    job_ms=100.0,
    job_database_ms=20.0,
    lead_ms=2.0,
    lead_database_ms=1.0,
    lead_bytes=4_000.0,
    change_bytes=1_000.0,
    job_calls=8.0,
    lead_calls=0.1,
    connections=16.0,
)
ONE = Load("one", 1, 1_000_000, changes_a_lead=0.02, alone=0.5)


def test_a_load_is_added_up_by_hand() -> None:
    found = needs(INPUTS, ONE, cores=4)
    # 20,000 changes a day, 3,000 of them in the busiest hour: 0.83 a second, half of them alone.
    assert ONE.a_second == pytest.approx(0.8333, rel=1e-3)
    assert found.worker_cores == pytest.approx(0.4167 * 0.1 + 0.4167 * 0.002, rel=1e-3)
    assert found.database_cores == pytest.approx(0.4167 * 0.020 + 0.4167 * 0.001, rel=1e-3)
    assert found.gigabytes == pytest.approx(4.0 + 20_000 * 365 * 1_000 / 1e9)
    assert found.calls_a_portal == pytest.approx(10_000 * 8 + 10_000 * 0.1)
    assert (found.processes, found.connections) == (1, 16.0)


@given(portals=st.integers(1, 1_000), leads=st.integers(1, 10**8), times=st.integers(1, 50))
def test_more_leads_never_need_less(portals: int, leads: int, times: int) -> None:
    small = needs(INPUTS, Load("small", portals, leads), 8)
    large = needs(INPUTS, Load("large", portals, leads * times), 8)
    for name in ("worker_cores", "database_cores", "processes", "connections", "gigabytes", "calls_a_portal"):
        assert getattr(large, name) >= getattr(small, name)


@pytest.mark.parametrize(("portals", "scarce"), [(1, "calls of a portal"), (1_000, "connections")])
def test_one_large_portal_runs_out_of_calls_and_many_portals_of_connections(
    portals: int, scarce: str
) -> None:
    found = needs(INPUTS, Load("load", portals, 10_000_000), 8)
    assert next(iter(found.used(8))) == scarce


def test_workers_are_predicted_to_grow_until_the_cores_are_used_up() -> None:
    rates = [predicted(INPUTS, workers, 2, crms_ms=0.0) for workers in (1, 2, 4)]
    assert rates == pytest.approx([8.33, 16.67, 16.67], rel=1e-3)
    free = replace(INPUTS, job_database_ms=0.0)
    assert predicted(free, 1, 2, crms_ms=100.0) == pytest.approx(5.0)
