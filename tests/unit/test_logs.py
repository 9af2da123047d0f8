"""Logs: ours as text or JSON with their fields, vendors' silent, errors without their words."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from sync.logs import SERVICE, VENDORS, about, configure, correlation

PLANTED = "ada@planted.example"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    names = (*VENDORS, SERVICE, "sync", "connectors", "mapping")
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)


def logged(*, verbose: bool, as_json: bool, level: int = logging.INFO, name: str = "sync.run") -> str:
    stream = io.StringIO()
    configure(verbose=verbose, json=as_json, stream=stream)
    logging.getLogger(name).log(
        level, "read %d records", 7, extra={"run": "r1", "lead": "l1", "email": PLANTED}
    )
    return stream.getvalue()


def test_a_line_of_text_names_time_level_module_and_fields() -> None:
    line = logged(verbose=True, as_json=False)
    assert line.count("\n") == 1
    moment, level, rest = line.rstrip().split(" ", 2)
    assert moment.endswith("+00:00")
    assert (level, rest) == ("INFO", "sync.run: read 7 records run=r1 lead=l1")


def test_a_line_of_json_is_one_object() -> None:
    told = json.loads(logged(verbose=True, as_json=True))
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "info",
        "logger": "sync.run",
        "message": "read 7 records",
        "run": "r1",
        "lead": "l1",
    }


@pytest.mark.parametrize("as_json", [True, False])
def test_only_the_fields_we_know_are_told(as_json: bool) -> None:
    assert PLANTED not in logged(verbose=True, as_json=as_json)


def test_without_verbose_only_warnings_are_told() -> None:
    assert logged(verbose=False, as_json=False) == ""
    assert "WARNING" in logged(verbose=False, as_json=False, level=logging.WARNING)


@pytest.mark.parametrize("vendor", [*VENDORS, "urllib3.connectionpool", "hubspot.client"])
@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING])
def test_vendors_are_quiet_whatever_is_asked_for(vendor: str, level: int) -> None:
    assert logged(verbose=True, as_json=False, name=vendor, level=level) == ""


def test_a_library_that_nobody_thought_of_says_no_more_than_warnings() -> None:
    assert logged(verbose=True, as_json=False, name="some.other") == ""


@pytest.mark.parametrize("as_json", [True, False])
def test_an_error_is_told_by_its_kind_and_place_alone(as_json: bool) -> None:
    stream = io.StringIO()
    configure(verbose=True, json=as_json, stream=stream)
    try:
        int(PLANTED)
    except ValueError:
        logging.getLogger("sync.run").exception("a record could not be judged")
    assert PLANTED not in stream.getvalue()
    assert "ValueError at " in stream.getvalue()


def test_configuring_twice_tells_each_line_once_and_to_the_new_stream() -> None:
    old, new = io.StringIO(), io.StringIO()
    configure(verbose=False, json=False, stream=old)
    configure(verbose=False, json=True, stream=new)
    logging.getLogger("connectors.retry").warning("waiting")
    assert old.getvalue() == ""
    assert new.getvalue().count("\n") == 1


def test_what_a_stretch_of_work_is_about_stands_on_each_of_its_lines_and_on_no_other() -> None:
    with about(correlation="a1b2", job=7), about(run=12):
        assert correlation() == "a1b2"
        inside = json.loads(logged(verbose=True, as_json=True))
    assert {name: inside[name] for name in ("correlation", "job", "run", "lead")} == {
        "correlation": "a1b2",
        "job": 7,
        "run": "r1",  # the call's own word counts
        "lead": "l1",
    }
    assert correlation() == ""
    assert "correlation" not in logged(verbose=True, as_json=False)


def test_only_known_fields_of_a_stretch_of_work_are_logged() -> None:
    with about(email=PLANTED):
        assert PLANTED not in logged(verbose=True, as_json=True)


def test_what_a_service_says_of_itself_is_told_though_nobody_asked_for_more() -> None:
    told = json.loads(logged(verbose=False, as_json=True, name=SERVICE))
    assert (told["logger"], told["message"]) == (SERVICE, "read 7 records")
    assert logged(verbose=False, as_json=True, name="sync.run") == ""
