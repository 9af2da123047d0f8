"""Which records belong together: associations v4, read in batches (HubSpot reference, section 6.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import orjson
import polars as pl

from connectors.crm import RECORD_ID
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.pages import Paging, check_left_out

#: Records in one batch at most (HubSpot reference, section 6.2).
MOST = 1_000

#: HubSpot's type ids of a primary association: between contacts and companies from either side, and from a lead to
#: its contact and its company (HubSpot reference, section 6.2).
PRIMARY = frozenset({1, 2, 578, 580})
DEFINED = "HUBSPOT_DEFINED"

#: One row for each pair. ``other_id``: the record at the other end. ``primary``: HubSpot counts it as the main
#: one. ``labels``: the labels of the pair in this account's words; empty where it has none.
LINK_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "other_id": pl.String(),
    "primary": pl.Boolean(),
    "labels": pl.List(pl.String()),
}


class _Type(msgspec.Struct):
    typeId: int
    category: str | None = None
    label: str | None = None


class _To(msgspec.Struct):
    # A number in live bodies, a text in HubSpot's own description (HubSpot reference, section 1.3).
    toObjectId: int | str
    associationTypes: list[_Type] = []


class _From(msgspec.Struct):
    id: int | str


class _Result(msgspec.Struct, rename={"start": "from"}):
    start: _From
    to: list[_To] = []
    paging: Paging | None = None


class _Answer(msgspec.Struct):
    results: list[_Result]
    errors: list[dict[str, object]] = []


def _decode(reply: Reply) -> _Answer:
    return msgspec.json.decode(reply.data, type=_Answer)


def links_of(api: Api, object_name: str, to_object: str, ids: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The associations of the named records with records of ``to_object``; frames of ``LINK_SCHEMA``.

    A record without any, or that is not there, has no row: HubSpot tells both as an error of the answer,
    and it is none.
    """
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), MOST):
        asked = [{"id": record_id} for record_id in wanted[start : start + MOST]]
        while asked:
            body = orjson.dumps({"inputs": asked})
            answer = api.read(
                _decode, api.associations.get_page, object_name, to_object, body, window="associations"
            )
            check_left_out(answer.errors)
            yield _frame(answer.results)
            asked = [
                {"id": str(r.start.id), "after": r.paging.next.after}
                for r in answer.results
                if r.paging is not None and r.paging.next is not None
            ]


def _frame(results: Sequence[_Result]) -> pl.DataFrame:
    pairs = [(str(r.start.id), to) for r in results for to in r.to]
    return pl.DataFrame(
        {
            RECORD_ID: [record_id for record_id, _ in pairs],
            "other_id": [str(to.toObjectId) for _, to in pairs],
            "primary": [any(map(_is_primary, to.associationTypes)) for _, to in pairs],
            "labels": [[t.label for t in to.associationTypes if t.label] for _, to in pairs],
        },
        schema=dict(LINK_SCHEMA),
    )


def _is_primary(found: _Type) -> bool:
    return found.typeId in PRIMARY and (found.category or DEFINED) == DEFINED
