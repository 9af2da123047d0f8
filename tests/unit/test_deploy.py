"""What docs/deploy starts is there: commands and their options, probes, ports, variables, and time to stop."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from sync.cli import leadpact
from sync.environment import read_environment
from sync.jobs_worker import LAST_SECONDS
from sync.sections_service import WebSettings, WorkerSettings

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy"
#: A worker that is told to stop needs so long at most.
STOPS_WITHIN = WorkerSettings().stop_seconds + 2 * LAST_SECONDS
PINNED = re.compile(r"[\w./-]+:\d+\.\d+[\w.-]*")


def read(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


def compose() -> Any:
    return yaml.safe_load(read("compose.yaml"))


def manifests() -> Iterator[tuple[str, Any]]:
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        for one in yaml.safe_load_all(path.read_text("utf-8")):
            yield path.name, one


def pods() -> Iterator[tuple[str, Any]]:
    for name, one in manifests():
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield name, spec["template"]["spec"]


def containers() -> Iterator[tuple[str, Any]]:
    for name, pod in pods():
        for one in (*pod.get("initContainers", ()), *pod["containers"]):
            yield f"{name}:{one['name']}", one


def unit(name: str) -> configparser.ConfigParser:
    """Some keys of a unit may stand several times; the last one is kept, the others are read as text."""
    found = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read_string(read(f"systemd/{name}"))
    return found


UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("*.service"))


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line that starts Leadpact, and where it stands."""
    yield "Dockerfile", json.loads(re.findall(r"(?m)^CMD (\[.*\])$", read("Dockerfile"))[-1])
    for name, service in compose()["services"].items():
        if name != "database":
            yield f"compose.yaml:{name}", service["command"]
    for where, container in containers():
        yield where, container["args"]
    for name in UNITS:
        program, *args = shlex.split(unit(name)["Service"]["ExecStart"])
        assert program.endswith("/leadpact"), name
        yield name, args


@pytest.mark.parametrize(("where", "args"), [pytest.param(*one, id=one[0]) for one in commands()])
def test_every_command_line_is_one_that_leadpact_takes(where: str, args: list[str]) -> None:
    command: click.Command | None = leadpact
    context = click.Context(leadpact)
    _, args, _ = leadpact.make_parser(context).parse_args(list(args))
    while isinstance(command, click.Group):
        name, command, args = command.resolve_command(context, args)
        assert command is not None, where
        context = click.Context(command, parent=context, info_name=name)
    command.make_context(context.info_name, list(args), parent=context.parent)


def variables() -> Iterator[tuple[str, str]]:
    yield from ((name, "Dockerfile") for name in re.findall(r"\b(LEADPACT_\w+)=", read("Dockerfile")))
    yield from (
        (name, "leadpact.env.example")
        for name in re.findall(r"(?m)^(LEADPACT_\w+)=", read("leadpact.env.example"))
    )
    for _, one in manifests():
        yield from ((name, "kubernetes") for name in one.get("stringData", {}))
    for name in UNITS:
        yield from (
            (found, name) for found in re.findall(r"(?m)^Environment=(\w+)=", read(f"systemd/{name}"))
        )


def test_every_variable_is_one_that_leadpact_reads() -> None:
    found = dict(variables())
    assert len(found) > 8
    read_from = read_environment(dict.fromkeys(found, "x"), DEPLOY)
    assert not [one for one in read_from.problems if "unknown" in one["problem"]]


def test_probes_and_ports_are_those_of_the_service() -> None:
    port = WebSettings().port
    assert f"EXPOSE {port}" in read("Dockerfile")
    assert f":{port}/healthz" in read("Dockerfile")
    assert compose()["services"]["serve"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    [serve] = [one for where, one in containers() if where == "serve.yaml:serve"]
    assert serve["ports"] == [{"name": "http", "containerPort": port}]
    assert serve["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert serve["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_a_worker_is_given_the_time_it_needs_to_stop() -> None:
    assert int(compose()["services"]["worker"]["stop_grace_period"].removesuffix("s")) > STOPS_WITHIN
    graces = [pod["terminationGracePeriodSeconds"] for name, pod in pods() if name != "cronjob.yaml"]
    assert len(graces) == 2
    assert min(graces) > STOPS_WITHIN
    for name in ("leadpact-serve.service", "leadpact-worker@.service"):
        assert int(unit(name)["Service"]["TimeoutStopSec"]) > STOPS_WITHIN


def test_images_are_pinned_and_nobody_is_root() -> None:
    bases = re.findall(r"(?m)^FROM (\S+)", read("Dockerfile"))
    images = [
        *bases,
        *(service["image"] for service in compose()["services"].values()),
        *(one["image"] for _, one in containers()),
    ]
    assert [image for image in images if not PINNED.fullmatch(image)] == []
    assert re.search(r"(?m)^USER leadpact$", read("Dockerfile"))
    assert all(pod["securityContext"]["runAsNonRoot"] for _, pod in pods())
    assert {unit(name)["Service"]["User"] for name in UNITS} == {"leadpact"}


def test_no_file_holds_a_secret() -> None:
    given = re.findall(r"(?m)^LEADPACT_\w+(?:SECRET|TOKEN|SECRET_PATH)=(.+)$", read("leadpact.env.example"))
    assert given == []
    [secret] = [one for _, one in manifests() if one["kind"] == "Secret"]
    assert all("CHANGE-ME" in value for value in secret["stringData"].values())


def test_what_comes_by_the_clock_comes_in_turn() -> None:
    [cron] = [one for _, one in manifests() if one["kind"] == "CronJob"]
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    assert unit("leadpact-sync.timer")["Timer"]["Persistent"] == "true"
