"""An org with several currencies: the switch ``currencies`` maps ISO codes to units for one of the corporate one.

The first is the corporate currency, with rate 1. Records then have a ``CurrencyIsoCode``, which organisations with
one currency do not show (the field lists of the objects in the Salesforce reference name it on all of them).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.sandbox.salesforce.schema import Field, make_field
from connectors.sandbox.salesforce.store import Store, quoted

CODE = "CurrencyIsoCode"
CARRIERS = (
    "Lead",
    "Contact",
    "Account",
    "Opportunity",
    "OpportunityContactRole",
    "Campaign",
    "CampaignMember",
    "Task",
    "Event",
    "User",
)
#: Where the default of a person, and of the org, stands.
DEFAULTS = ("User", "Organization")
RATES = "CurrencyType"
_ISO = re.compile(r"[A-Z]{3}")
Rates = Mapping[str, float]


def are_rates(value: Any) -> bool:
    """Whether a value of the switch is one: nothing, or codes with positive rates that begin with a 1."""
    if not isinstance(value, Mapping) or not all(_ISO.fullmatch(str(code)) for code in value):
        return False
    numbers = list(value.values())
    right = all(isinstance(n, int | float) and not isinstance(n, bool) and n > 0 for n in numbers)
    return right and (not numbers or numbers[0] == 1)


def fields_of(rates: Rates) -> dict[str, list[Field]]:
    """The fields that come with several currencies."""
    if not rates:
        return {}
    codes = tuple(rates)
    facts = {"type": "picklist", "length": 3, "values": codes, "default": codes[0]}
    more = {"restricted": True, "defaulted": True}
    own = make_field(CODE, {**facts, "label": "Currency ISO Code"}, **more)
    default = make_field(f"Default{CODE}", {**facts, "label": "Default Currency ISO Code"}, **more)
    found = {name: [own] for name in CARRIERS}
    for name in DEFAULTS:
        found[name] = [*found.get(name, []), default]
    return found


def install(store: Store, rates: Rates, by: Mapping[str, Any]) -> None:
    """Bring the columns and the rates; what has no currency yet is in the corporate one."""
    store.db.execute(f"DELETE FROM {RATES}")
    for name, fields in fields_of(rates).items():
        for field in fields:
            store.add_column(name, field)
            column = quoted(field.name)
            store.db.execute(
                f"UPDATE {quoted(name)} SET {column} = ? WHERE {column} IS NULL", (field.default,)
            )
    for place, (code, rate) in enumerate(rates.items()):
        row = {"IsoCode": code, "ConversionRate": float(rate), "DecimalPlaces": 2}
        flags = {"IsActive": 1, "IsCorporate": int(place == 0)}
        store.insert(RATES, {"Id": store.mint("01L"), **row, **flags, **by})
