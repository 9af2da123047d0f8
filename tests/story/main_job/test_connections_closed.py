"""Whoever is done with Leadpact leaves no connection to a CRM behind: a service opens and closes it for years."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import psutil


def _to_the_crms(house: Any) -> int:
    """How many connections this process holds to both CRMs, its own tests' controls among them."""
    ports = {urlsplit(house.url(crm)).port for crm in ("hubspot", "salesforce")}
    held = psutil.Process().net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED and one.raddr.port in ports for one in held)


def test_an_app_that_is_closed_holds_no_connection_to_a_crm(furnished: Any) -> None:
    for crm in ("hubspot", "salesforce"):
        furnished.look(crm, "clock")
    before = _to_the_crms(furnished)
    with furnished.app() as app:
        app.accounts()
        assert _to_the_crms(furnished) > before
    assert _to_the_crms(furnished) == before
