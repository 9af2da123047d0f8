"""Rules that an admin sets for the values of a property (HubSpot reference, sections 3 and 6.1).

Only writes to the addresses of 2026-09 are held against them. The types are the reference's; what their
arguments mean, and how a broken rule is answered, it does not tell: that is ours. Types other than those in
``_BROKEN`` are kept and shown, and hold nothing back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.database import keep_note, note
from connectors.sandbox.hubspot.errors import Problem, bad_request, no_resource, unreadable
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.side import Answer

CODE = "VALIDATION_RULE_BROKEN"
ENFORCED_IN = "2026-09"
TYPES = frozenset(
    {
        "ALPHANUMERIC",
        "DECIMAL",
        "DOMAIN",
        "EMAIL",
        "EMAIL_ALLOWED_DOMAINS",
        "EMAIL_BLOCKED_DOMAINS",
        "FORMAT",
        "MAX_LENGTH",
        "MIN_LENGTH",
        "MAX_NUMBER",
        "MIN_NUMBER",
        "PHONE_NUMBER_WITH_EXPLICIT_COUNTRY_CODE",
        "REGEX",
        "SPECIAL_CHARACTERS",
        "START_DATE",
        "END_DATE",
        "URL",
        "WHITESPACE",
    }
)
_NOTE = "validation_rules"
Rules = dict[str, dict[str, dict[str, list[str]]]]  # type id, property, rule type, arguments


def list_all(portal: Portal, call: Call) -> Answer:
    """``GET /property-validations/{type}``: the properties that have rules."""
    of_kind = _read(portal).get(call.kind.key, {})
    results = [{"propertyName": n, "propertyValidationRules": _bodies(found)} for n, found in of_kind.items()]
    return answer(200, {"results": results})


def list_of_one(portal: Portal, call: Call) -> Answer:
    """``GET /property-validations/{type}/{property}``."""
    return answer(200, {"results": _bodies(_read(portal).get(call.kind.key, {}).get(call.parts[1], {}))})


def show(portal: Portal, call: Call) -> Answer:
    """``GET /property-validations/{type}/{property}/rule-type/{rule}``."""
    found = _read(portal).get(call.kind.key, {}).get(call.parts[1], {})
    if call.parts[2] not in found:
        raise no_resource()
    return answer(200, _bodies({call.parts[2]: found[call.parts[2]]})[0])


def put(portal: Portal, call: Call) -> Answer:
    """``PUT`` of the same address; an empty list of arguments takes the rule away."""
    kind, (_, name, type_) = call.kind, call.parts
    arguments = call.json().get("ruleArguments")
    if not isinstance(arguments, list) or not all(isinstance(one, str) for one in arguments):
        raise unreadable("ruleArguments must be a list of texts")
    if type_ not in TYPES:
        raise bad_request(f"There is no rule type {type_}")
    if name not in portal.definitions.of(kind):
        raise no_resource()
    _refuse_nonsense(type_, arguments)
    rules = _read(portal)
    of_one = rules.setdefault(kind.key, {}).setdefault(name, {})
    if arguments:
        of_one[type_] = arguments
    else:
        of_one.pop(type_, None)
    if not of_one:
        del rules[kind.key][name]
    keep_note(portal.database, _NOTE, orjson.dumps(rules).decode())
    return answer(204)


CALLS: tuple[tuple[str, str, Callable[[Portal, Call], Answer], bool], ...] = (
    ("GET", "{}", list_all, False),
    ("GET", "{}/{}", list_of_one, False),
    ("GET", "{}/{}/rule-type/{}", show, False),
    ("PUT", "{}/{}/rule-type/{}", put, True),
)


def broken(portal: Portal, kind: Kind, values: Mapping[str, str]) -> Iterable[Problem]:
    """The rules that a write breaks; none in versions that do not enforce them, and none for an empty value."""
    return _broken(portal, kind, values) if portal.version == ENFORCED_IN else ()


def _broken(portal: Portal, kind: Kind, values: Mapping[str, str]) -> Iterator[Problem]:
    of_kind = _read(portal).get(kind.key, {})
    for name, value in values.items():
        for type_, arguments in of_kind.get(name, {}).items():
            if value and type_ in _BROKEN and _BROKEN[type_](value, arguments):
                text = f'The value of "{name}" breaks the rule {type_} of this account.'
                yield Problem(name, CODE, text)


def _read(portal: Portal) -> Rules:
    kept = note(portal.database, _NOTE)
    return dict(orjson.loads(kept)) if kept else {}


def _bodies(found: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [{"ruleType": type_, "ruleArguments": list(arguments)} for type_, arguments in found.items()]


def _refuse_nonsense(type_: str, arguments: Sequence[str]) -> None:
    try:
        if type_ == "REGEX" and arguments:
            re.compile(arguments[0])
        if type_ in ("MIN_LENGTH", "MAX_LENGTH", "MIN_NUMBER", "MAX_NUMBER") and arguments:
            Decimal(arguments[0])
    except (re.error, InvalidOperation):
        raise bad_request(f"The arguments of {type_} cannot be read") from None


def _number(value: str) -> Decimal | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _domain(value: str) -> str:
    return value.rpartition("@")[2]


def _outside(value: str, bound: str, sign: int) -> bool:
    number = _number(value)
    return number is not None and sign * number > sign * Decimal(bound)


_BROKEN: dict[str, Callable[[str, Sequence[str]], bool]] = {
    "MIN_LENGTH": lambda value, given: len(value) < Decimal(given[0]),
    "MAX_LENGTH": lambda value, given: len(value) > Decimal(given[0]),
    "MIN_NUMBER": lambda value, given: _outside(value, given[0], -1),
    "MAX_NUMBER": lambda value, given: _outside(value, given[0], 1),
    "REGEX": lambda value, given: re.fullmatch(given[0], value) is None,
    "EMAIL_ALLOWED_DOMAINS": lambda value, given: _domain(value) not in given,
    "EMAIL_BLOCKED_DOMAINS": lambda value, given: _domain(value) in given,
    "PHONE_NUMBER_WITH_EXPLICIT_COUNTRY_CODE": lambda value, _given: not value.startswith("+"),
}
