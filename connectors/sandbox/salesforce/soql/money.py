"""Amounts in queries of an org with several currencies.

``convertCurrency`` and aggregates give the corporate currency, which is that of the sandbox's users; a literal such
as ``USD5000`` is compared after conversion, a bare number as it stands.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.sandbox.salesforce.soql import tree
from connectors.sandbox.salesforce.soql.scope import Column, Scope
from connectors.sandbox.salesforce.soql.wrong import wrong_at

CODE = "CurrencyIsoCode"


def corporate(scope: Scope, column: Column) -> Column:
    """A column of amounts in the corporate currency; any other column, or where there is one currency, as it is."""
    code = column.parent.find(CODE)
    if column.field.type != "currency" or not scope.schema.currencies or code is None:
        return column
    cases = " ".join(f"WHEN '{iso}' THEN {float(rate)!r}" for iso, rate in scope.schema.currencies.items())
    rate = f"CASE {column.parent.column(code)} {cases} ELSE 1.0 END"
    return replace(column, sql=f"({column.sql} / {rate})")


def converted(scope: Scope, call: tree.Call, column: Column) -> Column:
    """``convertCurrency(field)``. Raises Refusal where there is nothing to convert."""
    if not scope.schema.currencies or column.field.type != "currency":
        text = f"unexpected function: {call.name}"
        raise wrong_at(scope.soql, call.place, "MALFORMED_QUERY", text)
    return corporate(scope, column)


def literal_value(scope: Scope, literal: tree.Literal) -> float:
    """A literal with a currency in the corporate one. Raises Refusal (INVALID_FIELD) for an unknown code."""
    code, amount = literal.text[:3].upper(), float(literal.text[3:])
    rate = scope.schema.currencies.get(code)
    if rate is None:
        raise wrong_at(scope.soql, literal.place, "INVALID_FIELD", f"invalid currency code: {code}")
    return amount / rate
