"""Called where records are written: what happened is noted, to be told once it is certain.

Costs nothing while nobody has subscribed. What is noted in a call that fails in the end is forgotten.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager

from connectors.sandbox.hubspot.account import API, CALCULATED, IMPORT, Source
from connectors.sandbox.hubspot.kinds import Kind, find_kind
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record, of_row
from connectors.sandbox.hubspot.webhooks.happening import Action, Happening, Other


def created(portal: Portal, record: Record, source: Source) -> None:
    """A record was made, by a call, a person or an import."""
    if not portal.events.listening:
        return
    known = portal.definitions.of(record.kind)
    values = {
        name: (value, CALCULATED if known[name].read_only else source)
        for name, value in record.values.items()
    }
    portal.happened.append(
        Happening(
            "creation",
            record.kind.key,
            record.kind.singular.lower(),
            record.id,
            portal.now(),
            source,
            values,
            _sensitive(portal, record.kind),
        )
    )


def changed(portal: Portal, record: Record, names: Iterable[str], source: Source) -> None:
    """These properties of a record have the values that it now holds."""
    if not portal.events.listening:
        return
    known = portal.definitions.of(record.kind)
    values = {
        name: (record.values.get(name, ""), CALCULATED if known[name].read_only else source)
        for name in sorted(names)
    }
    portal.happened.append(
        Happening(
            "propertyChange",
            record.kind.key,
            record.kind.singular.lower(),
            record.id,
            portal.now(),
            source,
            values,
            _sensitive(portal, record.kind),
        )
    )


def archived(portal: Portal, record: Record, source: Source) -> None:
    """A record was archived."""
    _plain(portal, "deletion", record, source)


def restored(portal: Portal, record: Record, source: Source) -> None:
    """A record came back from the archive."""
    _plain(portal, "restore", record, source)


def erased(portal: Portal, record: Record, source: Source) -> None:
    """A record was deleted for privacy: two events, in either order (HubSpot reference, section 10.1)."""
    actions: list[Action] = ["privacyDeletion", "deletion"]
    if portal.events.listening and portal.dice.random() < 0.5:
        actions.reverse()
    for action in actions:
        _plain(portal, action, record, source)


def merged(portal: Portal, now: Record, primary: int, other: int, moved: int, source: Source) -> None:
    """Two records are one; ``moved`` properties came from the loser."""
    if portal.events.listening:
        portal.happened.append(
            Happening(
                "merge",
                now.kind.key,
                now.kind.singular.lower(),
                now.id,
                portal.now(),
                source,
                merged=(primary, other),
                moved=moved,
            )
        )


def imported(portal: Portal, kind: Kind, rows: Iterable[Sequence[object]]) -> None:
    """Records came with an import; ``rows`` are columns as ``records.of_row`` reads them."""
    if not portal.events.listening:
        return
    known, hidden, now = portal.definitions.of(kind), _sensitive(portal, kind), portal.now()
    for row in rows:
        record = of_row(kind, row)
        values = {
            name: (value, CALCULATED if known[name].read_only else IMPORT)
            for name, value in record.values.items()
        }
        portal.happened.append(
            Happening("creation", kind.key, kind.singular.lower(), record.id, now, IMPORT, values, hidden)
        )


@contextmanager
def associations(portal: Portal, record: Record, other: Record, labelled: Container[int]) -> Iterator[None]:
    """Around a change of what is between two records: each type that came or went is told, to both sides.

    A third record that loses its label to one of the two is told as well.
    """
    if not portal.events.listening:
        yield
        return
    before = _links(portal, record, other)
    yield
    after = _links(portal, record, other)
    for row in sorted(before ^ after):
        _associated(portal, row, removed=row in before, primary=row[-1] in labelled)


def _links(portal: Portal, record: Record, other: Record) -> set[tuple[int, str, str, int, str, str, int]]:
    """(id, type id, singular) of both ends, and the type, of all that starts or ends at one of the two."""
    return {
        (
            from_id,
            near.key,
            near.singular,
            to_id,
            far.key,
            far.singular,
            type_,
        )
        for from_id, to_kind, to_id, type_ in portal.database.execute(
            "SELECT from_id, to_kind, to_id, type FROM link WHERE from_id IN (?1, ?2) OR to_id IN (?1, ?2)",
            (record.id, other.id),
        )
        if (far := find_kind(to_kind)) and (near := _kind_of(portal, from_id))
    }


def _kind_of(portal: Portal, id_: int) -> Kind | None:
    row = portal.database.execute("SELECT kind FROM record WHERE id = ?", (id_,)).fetchone()
    return find_kind(row[0]) if row else None


def _associated(
    portal: Portal, row: tuple[int, str, str, int, str, str, int], *, removed: bool, primary: bool
) -> None:
    from_id, near, near_word, to_id, far, far_word, _ = row
    end = Other(far, to_id, f"{near_word}_TO_{far_word}", removed, primary)
    portal.happened.append(
        Happening("associationChange", near, near_word.lower(), from_id, portal.now(), API, other=end)
    )


def _plain(portal: Portal, action: Action, record: Record, source: Source) -> None:
    if portal.events.listening:
        word = record.kind.singular.lower()
        portal.happened.append(Happening(action, record.kind.key, word, record.id, portal.now(), source))


def _sensitive(portal: Portal, kind: Kind) -> frozenset[str]:
    return portal.definitions.of(kind).sensitive
