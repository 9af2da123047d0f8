"""Who works records, and the stages they pass: owners and pipelines (HubSpot reference, 6.3 and 6.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from connectors.hubspot.api import Api, Reply
from connectors.hubspot.pages import Paging, following

PAGE = 100


@dataclass(frozen=True, slots=True)
class Owner:
    """A person whom records can be assigned to, by ``id``; ``user_id`` is another number and never assigned.

    An ``archived`` owner left: records may still name them, nothing may be assigned to them any more.
    """

    id: str
    email: str = field(repr=False)
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    user_id: str | None  #: None for an archived owner
    archived: bool
    teams: tuple[str, ...] = ()  #: names, the primary one first


@dataclass(frozen=True, slots=True)
class PipelineStage:
    """One stage. ``closed``: records in it are done with, as far as HubSpot says."""

    id: str
    label: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline of an object, its stages in their order, archived ones left out."""

    id: str
    label: str
    stages: tuple[PipelineStage, ...]


class _Team(msgspec.Struct):
    name: str = ""
    primary: bool = False


class _Owner(msgspec.Struct):
    id: str
    email: str | None = None
    firstName: str | None = None
    lastName: str | None = None
    userId: int | None = None
    archived: bool = False
    teams: list[_Team] | None = None


class _Owners(msgspec.Struct):
    results: list[_Owner]
    paging: Paging | None = None


class _Metadata(msgspec.Struct):
    isClosed: str | bool | None = None


class _Stage(msgspec.Struct):
    id: str
    label: str = ""
    displayOrder: int = 0
    archived: bool | None = None
    metadata: _Metadata | None = None


class _Pipeline(msgspec.Struct):
    id: str
    label: str = ""
    displayOrder: int = 0
    archived: bool | None = None
    stages: list[_Stage] = []


class _Pipelines(msgspec.Struct):
    results: list[_Pipeline]


def read_owners(api: Api) -> list[Owner]:
    """Every owner, those who work here first, then the archived ones; each group by id of its pages."""
    return [*_owners(api, archived=False), *_owners(api, archived=True)]


def _owners(api: Api, *, archived: bool) -> Iterator[Owner]:
    after: str | None = None
    while True:
        page = api.read(_decode_owners, api.owners.get_page, limit=PAGE, after=after, archived=archived)
        yield from map(_owner, page.results)
        after = following(page.paging, after, "list of owners")
        if after is None:
            return


def _owner(found: _Owner) -> Owner:
    teams = sorted(found.teams or [], key=lambda team: not team.primary)
    return Owner(
        id=found.id,
        email=(found.email or "").lower(),
        first_name=found.firstName or "",
        last_name=found.lastName or "",
        user_id=None if found.userId is None else str(found.userId),
        archived=found.archived,
        teams=tuple(team.name for team in teams if team.name),
    )


def read_pipelines(api: Api, object_name: str) -> list[Pipeline]:
    """The pipelines of an object in their order; for contacts and companies their lifecycle stages."""
    found = api.read(_decode_pipelines, api.pipelines.get_all, object_name)
    live = sorted((p for p in found if not p.archived), key=lambda p: p.displayOrder)
    return [Pipeline(p.id, p.label, tuple(_stages(p))) for p in live]


def _stages(pipeline: _Pipeline) -> Iterator[PipelineStage]:
    for stage in sorted(pipeline.stages, key=lambda s: s.displayOrder):
        if not stage.archived:
            closed = stage.metadata.isClosed if stage.metadata is not None else None
            # A text in the recorded bodies.
            yield PipelineStage(stage.id, stage.label, closed in (True, "true"))


def _decode_owners(reply: Reply) -> _Owners:
    return msgspec.json.decode(reply.data, type=_Owners)


def _decode_pipelines(reply: Reply) -> list[_Pipeline]:
    return msgspec.json.decode(reply.data, type=_Pipelines).results
