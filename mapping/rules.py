"""The field map as it is declared: one rule a lead field, and the problems of a declaration.

A rule names the lead field and what each CRM calls it. ``mapping.fieldmap`` checks the rules together and
compiles them into column expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mapping.lead import FieldType
from mapping.values.countries import CountryAs

IfBothChanged = Literal["salesforce", "hubspot", "newest", "hold"]
IfEmptied = Literal["ignore", "clear"]
Direction = Literal["both", "to_hubspot", "to_salesforce", "read_only"]

#: A CRM field: one name for every object, or a name per object (``{"Lead": "Title", "Contact": "Title"}``).
CrmField = str | Mapping[str, str] | None

CRMS = ("hubspot", "salesforce")
#: Stands for "every object" where a rule gives one name.
EVERY_OBJECT = "*"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one lead field is kept in the CRMs.

    ``if_both_changed``: who wins when both sides changed it differently; ``hold`` waits for a person.
    ``if_emptied``: whether a blank travels. ``direction``: where it may be written. ``type`` and ``label``
    declare a custom field. ``values`` names the value map where it is not called like the field.
    ``currency`` names the CRM field that holds the currency of an amount, per CRM; without one the CRM's
    default currency counts. ``country_as`` says how countries are written: ``code``, ``english`` or
    ``german`` (per CRM where they differ); left out: the code where the CRM field's name ends in ``code``,
    else the English name. ``decimal_comma`` and ``day_first`` describe numbers and dates that people typed
    into text fields (``mapping.values.amounts``, ``mapping.values.times``). ``lines`` keeps the line breaks of
    a text; notes keep theirs without it. ``withdrawal``: a custom boolean that says what somebody does not want: true
    in either CRM wins, whatever the scope says, and is never undone.
    """

    lead: str
    hubspot: CrmField = None
    salesforce: CrmField = None
    if_both_changed: IfBothChanged = "hold"
    if_emptied: IfEmptied = "ignore"
    direction: Direction = "both"
    type: FieldType | None = None
    label: str = ""
    values: str | None = None
    currency: Mapping[str, str] | None = None
    country_as: CountryAs | Mapping[str, CountryAs] | None = None
    decimal_comma: bool | None = None
    day_first: bool | None = None
    lines: bool = False
    withdrawal: bool = False

    def names(self, crm: str) -> Mapping[str, str]:
        """Object to field name in one CRM; ``EVERY_OBJECT`` where one name serves all."""
        named = self.hubspot if crm == "hubspot" else self.salesforce if crm == "salesforce" else None
        if named is None:
            return {}
        return {EVERY_OBJECT: named} if isinstance(named, str) else named

    def source(self, crm: str, object_name: str) -> str | None:
        """What the CRM calls this field on that object; None where it has none."""
        names = self.names(crm)
        return names.get(object_name, names.get(EVERY_OBJECT))

    def writes_to(self, crm: str) -> bool:
        """Whether the direction lets this field be written to the CRM."""
        return self.direction in ("both", f"to_{crm}")


@dataclass(frozen=True, slots=True)
class MapProblem:
    """One thing wrong with the declared map: the rule's name, what is wrong, and how to put it right."""

    rule: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what} ({self.fix})"


class MapProblems(ValueError):
    """The declared map cannot be used. ``problems`` has every reason, not only the first."""

    def __init__(self, problems: list[MapProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
