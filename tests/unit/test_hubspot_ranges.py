"""A list read over several ranges of ids: every record once, whatever the boundaries and the order of answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import OurBug
from connectors.hubspot.pages import ListPage
from connectors.hubspot.ranges import Boundary, Scout, list_in_ranges
from connectors.slabs import Rows


class Listed:
    """A list in id order; counts what is asked of it."""

    def __init__(self, ids: Sequence[int], page: int = 100, wait: float = 0.0) -> None:
        self.ids, self.page, self.wait = sorted(ids), page, wait
        self.asked: list[str | None] = []
        self.now = self.most = 0
        self.lock = threading.Lock()

    def fetch(self, after: str | None) -> ListPage:
        with self.lock:
            self.asked.append(after)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.wait)
        with self.lock:
            self.now -= 1
            found = [i for i in self.ids if i >= int(after or 0)][: self.page + 1]
        return page_of(found[: self.page], str(found[-1]) if len(found) > self.page else None)

    def scout(self, start: str, step: int) -> Boundary:
        left = [i for i in self.ids if i >= int(start)]
        return Boundary(left[step] if step < len(left) else None, len(left))


def page_of(ids: Sequence[int], after: str | None) -> ListPage:
    names = [str(i) for i in ids]
    blank = [None] * len(names)
    return ListPage(names, Rows(names, blank, blank, [False] * len(names), {"email": names}), after)


def ids_of(fetch: Callable[[str | None], ListPage], scout: Scout, threads: int = 4) -> list[int]:
    found = []
    for rows in list_in_ranges(fetch, scout, threads):
        assert list(rows.columns["email"]) == list(rows.ids)
        found += [int(i) for i in rows.ids]
    return found


def nowhere(_start: str, _step: int) -> None:
    """A search that is not to be had."""


IDS = st.lists(st.integers(1, 10**13), unique=True, max_size=120)


@settings(deadline=None, max_examples=60)
@given(IDS, st.integers(1, 7), st.integers(1, 6), st.data())
def test_every_record_comes_once_whatever_the_search_says(
    ids: list[int], page: int, threads: int, data: st.DataObject
) -> None:
    anywhere = st.builds(Boundary, st.none() | st.integers(0, 10**13), st.integers(0, 10**6))
    said = iter(data.draw(st.lists(st.none() | anywhere, max_size=12)))
    listed = Listed(ids, page)
    found = ids_of(listed.fetch, lambda _start, _step: next(said, None), threads)
    assert sorted(found) == sorted(ids)


def test_boundaries_that_are_right_cost_no_page_more() -> None:
    listed = Listed(range(5, 200_000, 9))
    found = ids_of(listed.fetch, listed.scout, 6)
    assert sorted(found) == listed.ids
    assert len(listed.asked) == -(-len(listed.ids) // 100)


def test_pages_are_asked_for_side_by_side_but_no_more_than_allowed() -> None:
    listed = Listed(range(1, 4_001), wait=0.005)
    assert len(ids_of(listed.fetch, listed.scout, 5)) == 4_000
    assert 2 <= listed.most <= 5


def test_one_page_is_one_call_and_no_search() -> None:
    listed = Listed(range(1, 101))

    def scout(_start: str, _step: int) -> None:
        raise AssertionError("nothing to be searched for")

    assert len(ids_of(listed.fetch, scout)) == 100
    assert listed.asked == [None]


@pytest.mark.parametrize(("scout", "threads"), [(nowhere, 8), (nowhere, 1)])
def test_without_a_search_or_threads_the_list_is_read_page_by_page(scout: Scout, threads: int) -> None:
    listed = Listed(range(1, 2_001))
    assert ids_of(listed.fetch, scout, threads) == listed.ids


def test_records_made_and_archived_meanwhile_disturb_nobody_else() -> None:
    listed = Listed(range(1_000, 30_000, 7))
    before = set(listed.ids)
    found: list[int] = []
    for n, rows in enumerate(list_in_ranges(listed.fetch, listed.scout, 4)):
        found += [int(i) for i in rows.ids]
        with listed.lock:
            listed.ids.append(100_000 + n)
            gone = listed.ids.pop(40 * n % len(before))
            before.discard(gone)
    assert len(found) == len(set(found))
    assert before <= set(found)


def test_a_list_that_is_not_in_order_is_read_again_page_by_page() -> None:
    pages: dict[str | None, tuple[list[int], str | None]] = {
        None: ([1, 2], "3"),
        "3": ([4, 3], "5"),
        "5": ([5, 6], None),
    }

    def fetch(after: str | None) -> ListPage:
        ids, following = pages[after]
        return page_of(ids, following)

    assert set(ids_of(fetch, nowhere)) == {1, 2, 3, 4, 5, 6}


def test_a_list_that_does_not_move_on_is_our_bug() -> None:
    with pytest.raises(OurBug, match="move on"):
        ids_of(lambda _after: page_of([7], "7"), nowhere)


def test_a_page_that_fails_ends_the_reading_with_its_error() -> None:
    listed = Listed(range(1, 3_001))

    def fetch(after: str | None) -> ListPage:
        if after is not None and int(after) > 1_500:
            raise OurBug("this page", crm="hubspot")
        return listed.fetch(after)

    with pytest.raises(OurBug, match="this page"):
        ids_of(fetch, listed.scout)


def test_a_reading_that_is_given_up_asks_for_nothing_more() -> None:
    listed = Listed(range(1, 20_001), wait=0.002)
    reading = list_in_ranges(listed.fetch, listed.scout, 4)
    assert len(list(islice(reading, 6))) == 6
    reading.close()  # type: ignore[attr-defined]
    asked = len(listed.asked)
    time.sleep(0.02)
    assert len(listed.asked) == asked
    assert listed.now == 0
