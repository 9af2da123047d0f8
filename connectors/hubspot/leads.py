"""HubSpot's Leads object, where an account has it (HubSpot reference, section 6.5).

For us a lead is a contact; these records are an addition that only some editions have. An account without them
has none, and that is no failure. A lead hangs on one primary contact, and goes when it loses its last primary
association.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import orjson
import polars as pl

from connectors.crm import RECORD_ID, Slab
from connectors.errors import ConnectorError
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.errors import lacks
from connectors.hubspot.owners import Pipeline, read_pipelines

LEADS = "leads"

#: The association that makes a contact the primary one of a lead (HubSpot reference, section 6.2).
PRIMARY_CONTACT = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 578}

FIELDS = (
    "hs_lead_name",
    "hs_lead_type",
    "hs_lead_label",
    "hs_pipeline",
    "hs_pipeline_stage",
    "hubspot_owner_id",
)


class _Made(msgspec.Struct):
    id: str


class LeadsObject:
    """The leads of one account. Scopes ``crm.objects.leads.read`` and ``.write``.

    ``links`` and ``fetch`` are those of the connector: associations of contacts, and named records.
    """

    def __init__(
        self,
        api: Api,
        links: Callable[[str, Sequence[str]], Iterator[pl.DataFrame]],
        fetch: Callable[[str, Sequence[str], Sequence[str]], Iterator[Slab]],
    ) -> None:
        self._api = api
        self._links = links
        self._fetch = fetch

    def available(self) -> bool:
        """Whether this account and token have the object. One call."""
        try:
            self._api.call(_nothing, self._api.records.get_page, LEADS, limit=1)
        except ConnectorError as error:
            if not lacks(error):
                raise
            return False
        return True

    def of_contacts(self, ids: Sequence[str], fields: Sequence[str] = FIELDS) -> pl.DataFrame | None:
        """The leads of these contacts: ``contact_id``, then the columns of a slab. None: there is no such object.

        A contact can have several leads, or none.
        """
        try:
            pairs = list(self._links(LEADS, ids))
            found = pl.concat(pairs) if pairs else None
            if found is None or not len(found):
                return pl.DataFrame(schema={"contact_id": pl.String(), RECORD_ID: pl.String()})
            wanted = found["other_id"].unique(maintain_order=True).to_list()
            slabs = [slab.frame for slab in self._fetch(LEADS, fields, wanted)]
        except ConnectorError as error:
            if not lacks(error):
                raise
            return None
        named = found.select(contact_id=pl.col(RECORD_ID), **{RECORD_ID: pl.col("other_id")})
        return named.join(pl.concat(slabs, how="diagonal"), on=RECORD_ID) if slabs else named.clear()

    def pipelines(self) -> list[Pipeline]:
        """The pipelines of leads and their stages in order; empty where there is no such object."""
        try:
            return read_pipelines(self._api, LEADS)
        except ConnectorError as error:
            if not lacks(error):
                raise
            return []

    def create(self, contact_id: str, name: str, values: Mapping[str, str]) -> str:
        """A new lead of a contact; returns its id. Not repeated where the answer is lost.

        Raises RecordRefused (``Refusal``) where HubSpot refuses it, NeedsPerson without the right to do it.
        """
        body = {
            "properties": {**values, "hs_lead_name": name},
            "associations": [{"to": {"id": contact_id}, "types": [PRIMARY_CONTACT]}],
        }
        send = self._api.records.create
        return self._api.call(_decode_made, send, LEADS, orjson.dumps(body), repeatable=False).id


def _decode_made(reply: Reply) -> _Made:
    return msgspec.json.decode(reply.data, type=_Made)


def _nothing(reply: Reply) -> None:
    msgspec.json.decode(reply.data)
