"""Readers of other people, run as programs on the pretend CRMs: what each read, and what it took.

dlt's rest_api source, meltano-tap-hubspot, tap-hubspot and tap-salesforce, each in an environment of its own
(``tests/contract/readers``). The taps find the CRM at the vendor's own address, through ``bench.detour``.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.detour import Detour, authority
from bench.outside import environment

LOCKS = Path(__file__).resolve().parents[1] / "tests" / "contract" / "readers"
#: Seconds for one reading.
SECONDS = 1_800


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall clock and processor seconds, of a program and whatever it started."""

    wall: float
    cpu: float

    def __sub__(self, other: Spent) -> Spent:
        return Spent(max(self.wall - other.wall, 0.0), max(self.cpu - other.cpu, 0.0))


@dataclass(frozen=True, slots=True)
class Read:
    """What a program read: ``files`` with a record a line, and what it took with ``start`` taken off.

    ``start`` is the program's own start until it could begin; ``extract`` is the part before anything is
    normalized, where a program tells the two apart. ``singer``: the lines are messages of the Singer protocol.
    """

    files: Sequence[Path]
    spent: Spent
    start: Spent
    extract: Spent | None = None
    singer: bool = False

    def records(self) -> Iterator[dict[str, Any]]:
        """The records in the order in which they were written, each as the program spells it."""
        for path in self.files:
            with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
                for line in lines:
                    told = json.loads(line)
                    if not self.singer:
                        yield told
                    elif told["type"] == "RECORD":
                        yield told["record"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader finds what it needs. ``folder`` is its own, empty; ``cache`` holds the environments."""

    cache: Path
    folder: Path
    way: Detour

    def programs(self, name: str) -> Path:
        """The folder of a reader's programs, installed where they are not yet. Raises NotToBeHad."""
        return environment(LOCKS / f"{name}.lock", self.cache, authority(self.cache / "detour"))

    def run(self, command: Sequence[str | Path], out: str) -> Spent:
        """Run a program to its end with its output in a file of the folder. Raises RuntimeError."""
        (self.folder / "home").mkdir(exist_ok=True)
        # Of the outside only what finds the program: no token, no settings of a user of its.
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "home"), **self.way.environ()}
        environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
        before, began = _children(), time.monotonic()
        with (self.folder / out).open("wb") as output, (self.folder / f"{out}.log").open("wb") as log:
            done = subprocess.run(
                [str(part) for part in command],
                cwd=self.folder,
                env=environ,
                stdout=output,
                stderr=log,
                timeout=SECONDS,
                check=False,
            )
        took = Spent(time.monotonic() - began, _children() - before)
        if done.returncode:
            said = (self.folder / f"{out}.log").read_text("utf-8", "replace")[-2000:]
            raise RuntimeError(f"{Path(command[0]).name} failed: {said}")
        return took

    def keep(self, name: str, content: object) -> Path:
        """Write a JSON file into the folder."""
        path = self.folder / name
        path.write_text(json.dumps(content), "utf-8")
        return path


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_by_dlt(place: Place, url: str, token: str, properties: Sequence[str]) -> Read:
    """Every contact by dlt's rest_api source, which does take an address: ``url``."""
    program = [place.programs("dlt") / "python", LOCKS / "dlt_hubspot.py"]
    asked = {"url": url, "token": token, "properties": list(properties), "folder": str(place.folder)}
    whole = place.run([*program, json.dumps(asked)], "dlt.out")
    told = json.loads((place.folder / "dlt.out").read_text().splitlines()[-1])
    spent = Spent(**told["whole"])
    return Read([Path(each) for each in told["files"]], spent, whole - spent, Spent(**told["extract"]))


def _tap(
    place: Place, name: str, program: str, config: Mapping[str, Any], catalog: Callable[[Path, Path], Path]
) -> Read:
    """A Singer tap: what it says of itself is its start, then it reads what the catalogue selects."""
    executable, config_file = place.programs(name) / program, place.keep("config.json", config)
    chosen = catalog(executable, config_file)
    started = place.run([executable, "--help"], "help.out")
    flag = "--catalog" if name == "meltano-tap-hubspot" else "--properties"
    spent = place.run([executable, "--config", config_file, flag, chosen], f"{name}.out")
    return Read([place.folder / f"{name}.out"], spent - started, started, singer=True)


def read_by_meltano(place: Place, token: str) -> Read:
    """Every contact by meltano-tap-hubspot, with every property that the account defines: it takes no fewer."""

    def catalog(program: Path, config: Path) -> Path:
        place.run([program, "--config", config, "--discover"], "catalog.json")
        found = json.loads((place.folder / "catalog.json").read_text("utf-8"))
        for stream in found["streams"]:
            # By date it would search, and a search ends at 10,000 (HubSpot reference, section 4.4).
            stream.pop("replication_key", None)
            stream["replication_method"] = "FULL_TABLE"
            _select(
                stream, stream["tap_stream_id"] == "contacts", {"forced-replication-method": "FULL_TABLE"}
            )
        return place.keep("chosen.json", found)

    return _tap(place, "meltano-tap-hubspot", "tap-hubspot", {"access_token": token}, catalog)


def read_by_tap_hubspot(place: Place, token: str, properties: Sequence[str]) -> Read:
    """Every contact by tap-hubspot. Its discovery asks for much that is not here; its catalogue is handed in."""
    text = {"type": ["null", "string"]}
    names = [f"property_{name}" for name in properties]
    schema = {"type": "object", "properties": dict.fromkeys(["id", "createdAt", "updatedAt", *names], text)}
    chosen: list[dict[str, Any]] = [{"breadcrumb": [], "metadata": {"selected": True}}]
    chosen += [
        {"breadcrumb": ["properties", each], "metadata": {"selected": True}} for each in schema["properties"]
    ]
    stream = {"stream": "contacts", "tap_stream_id": "contacts", "schema": schema, "metadata": chosen}
    config = {"api_key": token, "start_date": "2000-01-01T00:00:00Z"}
    return _tap(
        place,
        "tap-hubspot",
        "tap-hubspot",
        config,
        lambda *_: place.keep("chosen.json", {"streams": [stream]}),
    )


def read_by_tap_salesforce(
    place: Place, client: tuple[str, str], refresh_token: str, fields: Sequence[str] | None = None
) -> Read:
    """Every lead, deleted ones too, by tap-salesforce over REST; ``fields`` None: every field there is."""

    def catalog(program: Path, config: Path) -> Path:
        place.run([program, "--config", config, "--discover"], "catalog.json")
        found = json.loads((place.folder / "catalog.json").read_text("utf-8"))
        for stream in found["streams"]:
            _select(stream, stream["tap_stream_id"] == "Lead", {})
            for each in stream["metadata"]:
                if each["breadcrumb"] and fields is not None:
                    each["metadata"]["selected"] = each["breadcrumb"][1] in fields
        return place.keep("chosen.json", found)

    config = {
        "client_id": client[0],
        "client_secret": client[1],
        "refresh_token": refresh_token,
        "start_date": "2000-01-01T00:00:00Z",
        "api_type": "REST",
        "select_fields_by_default": "true",
    }
    return _tap(place, "tap-salesforce", "tap-salesforce", config, catalog)


def _select(stream: dict[str, Any], wanted: bool, more: Mapping[str, Any]) -> None:
    for each in stream["metadata"]:
        if not each["breadcrumb"]:
            each["metadata"].update({"selected": wanted, **more})
