"""How a query is refused: the text around the place, a caret, the row and column, then the reason."""

from __future__ import annotations

from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.salesforce.soql.tree import Place

AROUND = 60
CUSTOM_HINT = (
    " be sure to append the '{suffix}' after the {what} name. Please reference your WSDL or the describe call "
    "for the appropriate names."
)


def malformed(message: str) -> Refusal:
    """MALFORMED_QUERY without a place."""
    return Refusal(400, "MALFORMED_QUERY", message)


def too_complicated() -> Refusal:
    """QUERY_TOO_COMPLICATED: a query that nests too deeply, or joins too much."""
    return Refusal(
        400,
        "QUERY_TOO_COMPLICATED",
        "Query is either selecting too many fields or the filter conditions are too complicated.",
    )


def wrong_at(soql: str, place: Place, code: str, message: str) -> Refusal:
    """A refusal that points into the query, in the form of the recorded INVALID_TYPE answer.

    At most 60 characters of the line are shown on each side of the place.
    """
    lines = soql.splitlines() or [""]
    line = lines[min(place.row, len(lines)) - 1]
    start = max(0, place.column - 1 - AROUND)
    shown = line[start : place.column - 1 + AROUND]
    caret = " " * (place.column - 1 - start) + "^"
    where = f"ERROR at Row:{place.row}:Column:{place.column}"
    return Refusal(400, code, f"\n{shown}\n{caret}\n{where}\n{message}")


def no_such_column(soql: str, place: Place, name: str, entity: str) -> Refusal:
    """INVALID_FIELD for a field that is not there, or that the user may not see (reference, section 12 no. 14)."""
    hint = CUSTOM_HINT.format(suffix="__c", what="custom field")
    text = f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field,{hint}"
    return wrong_at(soql, place, "INVALID_FIELD", text)


def no_such_relationship(soql: str, place: Place, name: str) -> Refusal:
    """INVALID_FIELD for a relationship that is not there."""
    hint = CUSTOM_HINT.format(suffix="__r", what="custom relationship")
    text = (
        f"Didn't understand relationship '{name}' in field path. "
        f"If you are attempting to use a custom relationship,{hint}"
    )
    return wrong_at(soql, place, "INVALID_FIELD", text)


def no_such_child(soql: str, place: Place, name: str) -> Refusal:
    """INVALID_TYPE for a list of children that is not there."""
    hint = CUSTOM_HINT.format(suffix="__r", what="custom relationship")
    text = (
        f"Didn't understand relationship '{name}' in FROM part of query call. "
        f"If you are attempting to use a custom relationship,{hint}"
    )
    return wrong_at(soql, place, "INVALID_TYPE", text)


def no_such_object(soql: str, place: Place, name: str) -> Refusal:
    """INVALID_TYPE for an object that is not there."""
    hint = CUSTOM_HINT.format(suffix="__c", what="entity")
    text = f"sObject type '{name}' is not supported. If you are attempting to use a custom object,{hint}"
    return wrong_at(soql, place, "INVALID_TYPE", text)


def no_such_operator(soql: str, place: Place, message: str) -> Refusal:
    """INVALID_QUERY_FILTER_OPERATOR: the operator or the value does not fit the field."""
    return wrong_at(soql, place, "INVALID_QUERY_FILTER_OPERATOR", message)


def field_cannot(soql: str, place: Place, name: str, what: str) -> Refusal:
    """INVALID_FIELD for a field that cannot be filtered, sorted or grouped."""
    return wrong_at(soql, place, "INVALID_FIELD", f"field '{name}' can not be {what} in a query call")
