"""Whose organisation this is."""

from __future__ import annotations

from connectors.crm import Account
from connectors.errors import ConnectorError
from connectors.salesforce import soql
from connectors.salesforce.calls import Calls
from connectors.salesforce.errors import CRM
from connectors.salesforce.schema import Schemas

_OBJECT = "Organization"
_NAME = "Name"
_ZONE = "TimeZoneSidKey"

#: Where the currency may stand. An organisation with one currency shows none of them through the API.
_CURRENCIES = ("DefaultCurrencyIsoCode", "CurrencyIsoCode")


def read_account(calls: Calls, schemas: Schemas) -> Account:
    """The organisation's id from the token (Salesforce reference, section 1) and what its record shows.

    ``name``, ``currency`` and ``time_zone`` stay empty where they are not visible to us.
    """
    organisation_id = calls.token.organisation_id
    try:
        described = schemas.of(_OBJECT)
        names = [name for name in (_NAME, _ZONE, *_CURRENCIES) if described.has(name)]
        rows = calls.few(soql.select(_OBJECT, ["Id", *names]))
    except ConnectorError as error:
        if error.code not in ("NOT_FOUND", "404", "INVALID_TYPE", "INVALID_FIELD"):
            raise
        rows = []
    row = rows[0] if rows else {}
    currency = next((row[name] for name in _CURRENCIES if row.get(name)), "")
    return Account(CRM, organisation_id, row.get(_NAME) or "", currency, row.get(_ZONE) or "")
