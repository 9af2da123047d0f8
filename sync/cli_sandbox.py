"""``leadpact sandbox``: the pretend CRMs alone, and real rows into one of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from connectors.sandbox.csvload import BadCsv, LoadRefused, load_csv
from connectors.sandbox.detached import SandboxUnavailable, attach
from sync.errors import CrmAway, WrongUse

OBJECTS = {"hubspot": "contacts", "salesforce": "Lead"}


@click.group()
def sandbox() -> None:
    """The pretend CRMs: both wire protocols over real HTTP on this machine."""


@sandbox.command()
@click.option(
    "--hubspot-port",
    default=0,
    show_default="any free one",
    type=click.IntRange(0, 65535),
    help="Where the pretend HubSpot listens.",
)
@click.option(
    "--salesforce-port",
    default=0,
    show_default="any free one",
    type=click.IntRange(0, 65535),
    help="Where the pretend Salesforce listens.",
)
@click.option(
    "--pubsub-port",
    default=0,
    show_default="any free one",
    type=click.IntRange(0, 65535),
    help="Where the pretend Salesforce's Pub/Sub API listens (gRPC over TLS).",
)
@click.option("--tls", is_flag=True, help="Serve both by https; the ready line names the ca_file to trust.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Keep the state there; else it is temporary."
)
def serve(hubspot_port: int, salesforce_port: int, pubsub_port: int, tls: bool, folder: Path | None) -> None:
    """Serve both pretend CRMs until Ctrl-C; prints one JSON line when they are ready."""
    # Here and not above: no other command needs a web server.
    from connectors.sandbox.apart import SideLost
    from connectors.sandbox.apart import serve as serve_sandbox
    from connectors.sandbox.folder import FolderInUse, Ports
    from connectors.sandbox.server import PortInUse

    try:
        serve_sandbox(folder, Ports(hubspot_port, salesforce_port, pubsub_port, tls))
    except PortInUse as taken:
        raise CrmAway(str(taken), fix="choose another port, or 0 for any free one") from None
    except FolderInUse as taken:
        raise WrongUse(str(taken), fix="end the other one, or name another --dir") from None
    except SideLost as lost:
        raise CrmAway(
            str(lost), fix="start it again; what was answered is kept where --dir names a folder"
        ) from None
    except OSError as problem:
        raise WrongUse(f"{folder}: the sandbox cannot keep its state there ({problem.strerror})") from problem


def _mapping(_: click.Context, __: click.Parameter, value: str | None) -> dict[str, str]:
    pairs = [pair.split("=", 1) for pair in (value or "").split(",") if pair.strip()]
    if any(len(pair) != 2 or not pair[0].strip() or not pair[1].strip() for pair in pairs):
        raise click.BadParameter("a mapping looks like COLUMN=field,OTHER COLUMN=other_field")
    return {column.strip(): name.strip() for column, name in pairs}


@sandbox.command()
@click.argument("crm", type=click.Choice(sorted(OBJECTS)))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--object", "object_name", help="What the rows become; contacts or Lead where left out.")
@click.option(
    "--map", "mapping", callback=_mapping, help="CSV column=CRM field, by commas; else columns are fields."
)
@click.pass_obj
def load(context: Any, crm: str, file: Path, object_name: str | None, mapping: dict[str, str]) -> None:
    """Real rows into a pretend CRM: all of them, or none where one is bad."""
    # Here and not above: settings load Polars, and it starts threads, which a server that forks must not have.
    from sync.settings import load_settings

    settings = load_settings(context.config, os.environ)
    if settings.sandbox is None:
        raise WrongUse(
            f"{settings.path}: there is no [sandbox] section, and rows are loaded into pretend CRMs only",
            fix="add [sandbox], or use a config that `leadpact demo` left",
        )
    ours = settings.sandbox
    try:
        with attach(Path(ours.dir), ours.hubspot_port, ours.salesforce_port) as attached:
            url = attached.hubspot_url if crm == "hubspot" else attached.salesforce_url
            ids = load_csv(url, object_name or OBJECTS[crm], file, mapping)
    except BadCsv as bad:
        raise WrongUse(str(bad), fix="mend the row, or the mapping; nothing was loaded") from bad
    except LoadRefused as refused:
        raise WrongUse(str(refused), fix="mend the rows it names") from refused
    except SandboxUnavailable as away:
        raise CrmAway(f"the pretend CRMs cannot be started: {away}") from away
    context.screen.say(f"{len(ids)} records loaded into {crm}")
    context.screen.document({"crm": crm, "loaded": len(ids)})
