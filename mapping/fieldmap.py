"""The declared field map, compiled: which CRM fields to ask for, how to read them, how to say them.

``compile_map`` checks the rules of a config together and raises ``MapProblems`` with everything that is wrong.
The ``FieldMap`` it returns works on whole columns in both directions. Reading keeps three things apart that
look alike: a blank that the CRM returned (null), a field that did not come, and a text that could not be read;
the last two are named in the row's ``_unread`` and must never be taken for a blank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from mapping.consent import CONSENT_FIELDS
from mapping.lead import FieldType, LeadField, columns_of, currency_column
from mapping.mapcheck import problems_of, value_map_of
from mapping.mapread import ReadResult, Source, read_slab, render_problem
from mapping.mapwrite import currency_differs, has_no_word, in_crm_words
from mapping.own import OWN_FIELDS
from mapping.rules import FieldRule, MapProblem, MapProblems
from mapping.values.countries import CountryAs
from mapping.values.words import ValueMap

__all__ = [
    "FieldMap",
    "FieldRule",
    "MapProblem",
    "MapProblems",
    "ReadResult",
    "ValueMap",
    "compile_map",
    "render_problem",
]

#: Texts whose line breaks mean something. Every other text is one line, unless its rule says otherwise.
MULTI_LINE = frozenset(
    (
        "description",
        "need",
        "previous_activity",
        *(own.lead.name for own in OWN_FIELDS if own.kind == "long_text"),
    )
)


@dataclass(frozen=True, slots=True)
class FieldMap:
    """The compiled map. ``rules`` and ``fields`` are keyed by lead field, in the order of the config.

    ``values`` has the value map of each field that has one. ``default_region`` (alpha-2) is the country of
    telephone numbers that name none; ``default_currency`` is the ISO 4217 code of amounts, per CRM.
    """

    rules: Mapping[str, FieldRule]
    fields: Mapping[str, LeadField]
    values: Mapping[str, ValueMap] = field(default_factory=dict)
    default_region: str | None = None
    default_currency: Mapping[str, str] = field(default_factory=dict)
    decimal_comma: bool | None = None
    #: Expressions that were asked for before: every slice asks for the same ones.
    _said: dict[tuple[str, str, str, str | None], pl.Expr] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    _unsayable: dict[tuple[str, str, str, str | None], pl.Expr] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    _writable: dict[tuple[str, str], tuple[tuple[str, str], ...]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def known(self, crm: str) -> dict[str, LeadField]:
        """The lead fields that this CRM has on any object."""
        return {name: self.fields[name] for name, rule in self.rules.items() if rule.names(crm)}

    def columns(self, crm: str) -> dict[str, pl.DataType]:
        """The typed columns that ``read`` makes of a slab of this CRM, besides the five with an underscore."""
        return columns_of(self.known(crm))

    def asked(self, crm: str, object_name: str) -> tuple[str, ...]:
        """The CRM fields to ask for, each once: those mapped, and those that hold a currency."""
        wanted: dict[str, None] = {}
        for rule in self.rules.values():
            source = rule.source(crm, object_name)
            if source is not None:
                wanted[source] = None
                if rule.currency and crm in rule.currency:
                    wanted[rule.currency[crm]] = None
        return tuple(wanted)

    def writable(self, crm: str, object_name: str) -> tuple[tuple[str, str], ...]:
        """(lead field, CRM field) of everything the map lets us write to that object."""
        if (crm, object_name) not in self._writable:
            pairs = ((name, rule.source(crm, object_name), rule) for name, rule in self.rules.items())
            may = tuple((name, source) for name, source, rule in pairs if source and rule.writes_to(crm))
            self._writable[crm, object_name] = may
        return self._writable[crm, object_name]

    def read(self, frame: pl.DataFrame, crm: str, object_name: str) -> ReadResult:
        """Read a slab into typed columns of the common lead.

        ``frame`` has ``_id``, ``_modified_at``, ``_created_at``, ``_archived``, ``_absent`` and one String
        column per CRM field returned. The result keeps the first four, adds ``_unread`` and has one typed
        column per field of ``known(crm)``. No value raises: what cannot be read is in ``problems``.
        """
        sources = [self._source(name, crm, object_name) for name in self.known(crm)]
        return read_slab(frame, sources, crm, object_name, self.default_region)

    def to_crm(self, crm: str, object_name: str, lead_field: str, *, column: str | None = None) -> pl.Expr:
        """The text to write for a typed column; null clears, or means that ``cannot_say`` is true.

        ``column`` names the column where it is not called like the field (its currency is then looked for
        in ``currency_column(column)``).
        """
        asked = (crm, object_name, lead_field, column)
        if asked not in self._said:
            said = in_crm_words(self._source(lead_field, crm, object_name), crm, column or lead_field)
            unsayable = self.cannot_say(crm, object_name, lead_field, column=column)
            self._said[asked] = pl.when(~unsayable).then(said).alias(column or lead_field)
        return self._said[asked]

    def cannot_say(
        self, crm: str, object_name: str, lead_field: str, *, column: str | None = None
    ) -> pl.Expr:
        """True where there is a value and this CRM has no word for it.

        That is a choice without a CRM word, or an amount in another currency than the CRM's.
        """
        asked = (crm, object_name, lead_field, column)
        if asked not in self._unsayable:
            source, name = self._source(lead_field, crm, object_name), column or lead_field
            self._unsayable[asked] = (
                currency_differs(name, currency_column(name), self.default_currency.get(crm))
                if source.field.type is FieldType.MONEY
                else has_no_word(source, crm, name)
            )
        return self._unsayable[asked]

    def _source(self, lead_field: str, crm: str, object_name: str) -> Source:
        rule, known = self.rules[lead_field], self.fields[lead_field]
        comma = rule.decimal_comma if rule.decimal_comma is not None else self.decimal_comma
        name = rule.source(crm, object_name)
        return Source(
            field=known,
            name=name,
            values=self.values.get(lead_field),
            decimal_comma=comma,
            day_first=rule.day_first,
            lines=rule.lines or lead_field in MULTI_LINE,
            currency_name=(rule.currency or {}).get(crm),
            default_currency=self.default_currency.get(crm),
            country_as=_country_as(rule, crm, name),
        )


def _country_as(rule: FieldRule, crm: str, name: str | None) -> CountryAs:
    declared = rule.country_as.get(crm) if isinstance(rule.country_as, Mapping) else rule.country_as
    if declared is not None:
        return declared
    # Salesforce's CountryCode and HubSpot's hs_country_region_code hold codes; Country and country hold names.
    return "code" if name is not None and name.removesuffix("__c").casefold().endswith("code") else "english"


def compile_map(
    rules: Sequence[FieldRule],
    value_maps: Mapping[str, ValueMap],
    lead_fields: Mapping[str, LeadField],
    *,
    default_region: str | None = None,
    default_currency: Mapping[str, str] | None = None,
    decimal_comma: bool | None = None,
) -> FieldMap:
    """Check the declared rules together and compile them.

    A rule with a ``type`` whose name the lead does not know declares a custom field. Fields that the CRM
    observes itself (``behaviour``) become read_only whatever their rule says. ``decimal_comma`` is for amounts
    that people typed into text fields; leave it None where the fields are numbers, or set it in single rules:
    an API's plain ``1.234`` would be read as 1234. Raises MapProblems.
    """
    fields = {**lead_fields, **_custom_fields(rules, lead_fields)}
    problems = problems_of(rules, value_maps, fields)
    if problems:
        raise MapProblems(problems)
    compiled = {
        rule.lead: replace(rule, direction="read_only") if fields[rule.lead].behaviour else rule
        for rule in rules
    }
    chosen = {name: value_map_of(rule, fields[name].type, value_maps) for name, rule in compiled.items()}
    return FieldMap(
        rules=compiled,
        fields={name: fields[name] for name in compiled},
        values={name: values for name, values in chosen.items() if values is not None},
        default_region=default_region,
        default_currency=dict(default_currency or {}),
        decimal_comma=decimal_comma,
    )


def _custom_fields(rules: Sequence[FieldRule], lead_fields: Mapping[str, LeadField]) -> dict[str, LeadField]:
    standings = {rule.lead: CONSENT_FIELDS[rule.lead] for rule in rules if rule.lead in CONSENT_FIELDS}
    return standings | {
        rule.lead: LeadField(
            rule.lead, rule.type, rule.label or rule.lead, opt_out=rule.withdrawal, custom=True
        )
        for rule in rules
        if rule.type is not None and rule.lead not in lead_fields and rule.lead not in standings
    }
