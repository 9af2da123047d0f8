"""What a backfill leaves to everybody else of a CRM's day: told from how the past days went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import RetryLater
from connectors.quota import Lane, MemoryLedger, Quota
from connectors.quota_day import Hour, Others, Room, day_began, in_day, no_room
from connectors.quota_echoes import MOST_DRAWN, told_apart
from connectors.quota_others import foreseen
from sync.remaining import end_of_backfill

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: A fifth of an organisation of 15,000 calls a day.
LIMIT, RESERVE = 3_000, 200
#: What others call in an hour of the day: four fifths of all in four bursts.
BURSTS = {3: 400, 8: 1_000, 14: 800, 20: 200}


def midnight(moment: datetime) -> datetime:
    return (moment + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def berlin(moment: datetime) -> datetime:
    here = moment.astimezone(ZoneInfo("Europe/Berlin"))
    return (here.replace(hour=0, minute=0) + timedelta(days=1)).astimezone(UTC)


class Account:
    """An account in which others call in bursts, and whose CRM counts a day that rolls, or one that ends."""

    def __init__(self, *, rolls: bool, lane: Lane = "backfill", now: datetime = NOON) -> None:
        self.time, self.rolls = now, rolls
        self.made: dict[datetime, int] = {}
        resets = None if rolls else midnight
        self.quota = Quota(
            "salesforce",
            {},
            ledger=MemoryLedger(lambda: 0.0),
            clock=lambda: self.time,
            sleep=lambda _: None,
            lane=lane,
            resets=resets,
            reserve=RESERVE,
        )

    def used(self) -> int:
        if self.rolls:
            return sum(count for at, count in self.made.items() if self.time - 24 * HOUR < at)
        return sum(count for at, count in self.made.items() if at.date() == self.time.date())

    def calls(self, count: int) -> None:
        self.made[self.time] = self.made.get(self.time, 0) + count

    def hears(self) -> None:
        self.quota.learn({"Sforce-Limit-Info": f"api-usage={self.used()}/{LIMIT}"})

    def lives(self, hours: int) -> None:
        """Others call at a quarter past; we look at what is new at half past and at the full hour."""
        for _ in range(hours):
            self.time += HOUR / 4
            self.calls(BURSTS.get(self.time.hour, 0))
            for _ in range(3):
                self.time += HOUR / 4
                with self.quota.in_lane("live"):
                    self.quota.before()
                self.calls(1)
                self.hears()

    def backfills(self) -> int:
        """A backfill calls until it has to wait; returns how often it called."""
        for made in range(LIMIT):
            try:
                self.quota.before()
            except RetryLater:
                return made
            self.calls(1)
            self.hears()
        raise AssertionError("nothing ever stopped it")


@pytest.mark.parametrize("rolls", [True, False])
@pytest.mark.parametrize("begins", [0, 5, 11, 18])
def test_a_backfill_never_touches_the_reserve_whenever_others_burst(rolls: bool, begins: int) -> None:
    account = Account(rolls=rolls)
    account.lives(72 + begins)
    made, least = 0, LIMIT
    for _ in range(48):
        made += account.backfills()
        least = min(least, LIMIT - account.used())
        account.lives(1)
        least = min(least, LIMIT - account.used())
    assert least >= RESERVE
    # What bursts and a look at what is new leave of two days, and hardly less.
    left = 2 * (LIMIT - RESERVE - sum(BURSTS.values()) - 72)
    assert 0.85 * left <= made <= 1.5 * left


@pytest.mark.parametrize("rolls", [True, False])
@pytest.mark.parametrize("begins", [2, 13])
def test_the_end_of_a_backfill_of_days_is_told_within_a_tenth_from_its_first_part_on(
    rolls: bool, begins: int
) -> None:
    """Parts of twelve calls and half an hour; time passes by the hour alone, so that a part may be two late."""
    account, parts, calls = Account(rolls=rolls), 60, 12
    account.lives(72 + begins)
    told = []
    for left in range(parts - 1, -1, -1):
        while (room := account.quota.room()) is not None and room.now < calls:
            until = room.comes_free(calls, account.time)
            while account.time < until:
                account.lives(1)
        for _ in range(calls):
            account.quota.before()
            account.calls(1)
        account.lives(1 - left % 2)
        account.hears()
        needs, rooms = {"salesforce": calls * left}, {"salesforce": account.quota.room()}
        told.append((account.time, end_of_backfill(1_800.0 * left, needs, rooms, account.time)))
    ended = account.time
    assert ended - told[0][0] > 36 * HOUR, "it did not have to wait"
    far = [
        (at, end) for at, end in told if end is None or abs(end - ended) > max(0.1 * (ended - at), 2 * HOUR)
    ]
    assert far == []


def test_a_burst_that_is_over_is_not_expected_again_within_its_hour() -> None:
    account = Account(rolls=False)
    account.lives(72 + 14)
    before = account.quota.room()
    account.time += HOUR
    account.hears()
    account.calls(BURSTS[account.time.hour])
    account.hears()
    after = account.quota.room()
    assert before is not None
    assert after is not None
    assert after.a_day >= 0.95 * before.a_day > 0


def test_before_a_day_of_the_others_is_known_a_quarter_is_left() -> None:
    account = Account(rolls=True)
    account.lives(2)
    left = LIMIT - LIMIT // 4 - account.used()
    assert account.quota.room() == Room(left, left, Others(6, 6, False, (6,) * 7), coming=(left,) * 7)


def test_what_the_crm_says_nothing_of_has_no_bounds() -> None:
    account = Account(rolls=True)
    assert account.quota.room() is None
    account.quota.learn({"Sforce-Limit-Info": "per-app-api-usage=250/251(appName=x)"})
    assert account.quota.room() is None
    account.quota.before()


def test_what_only_we_may_call_is_used_to_its_end() -> None:
    account = Account(rolls=True)
    account.quota.learn({"Sforce-Limit-Info": "per-app-api-usage=250/250(appName=x)"})
    with pytest.raises(Exception, match="is used up"):
        account.quota.before()


@pytest.mark.parametrize(
    ("spent", "calls", "free"),
    [
        ({3: 40, 1: 60}, 40, 22),  # what was called from three to two hours ago has come free in 22
        ({3: 40, 1: 60}, 20, 21.5),
        ({3: 40, 1: 60}, 70, 23.5),
        ({24.5: 40, 1: 60}, 10, 0.25),  # half of that hour has come free already
        ({3: 40, 1: 60}, 101, 1),  # more than ever comes free: it is looked at again in an hour
        ({}, 1, 1),
    ],
)
def test_a_backfill_waits_until_enough_of_its_calls_have_come_free(
    spent: dict[float, int], calls: int, free: float
) -> None:
    by_hour = tuple((NOON - ago * HOUR, count) for ago, count in spent.items())
    room = Room(0, 100, Others(0, 0, sure=True), by_hour)
    assert room.comes_free(calls, NOON) == NOON + free * HOUR


def test_where_others_leave_less_than_was_called_already_what_comes_free_first_is_theirs() -> None:
    room = Room(0, 80, Others(0, 0, sure=True), ((NOON - 3 * HOUR, 40), (NOON - HOUR, 60)))
    assert room.comes_free(10, NOON) == NOON + 21.75 * HOUR


def test_on_a_day_that_ends_it_waits_for_the_end() -> None:
    room = Room(0, 100, Others(0, 0, sure=True), (), midnight(NOON))
    assert room.comes_free(50, NOON) == midnight(NOON)


@pytest.mark.parametrize(
    ("a_day", "coming", "sure", "again"),
    [
        (0, (0, 0), True, False),
        (0, (), True, False),
        (0, (0, 9), True, True),
        (5, (), True, True),
        (0, (0, 0), False, True),  # what others use is not known yet
    ],
)
def test_a_backfill_that_no_day_leaves_a_call_is_told_so_and_no_time(
    a_day: int, coming: tuple[int, ...], sure: bool, again: bool
) -> None:
    room = Room(0, a_day, Others(9, 9, sure=sure), (), midnight(NOON), coming)
    error = no_room("hubspot", room, 1, NOON)
    assert (error.not_before is not None, "daily_reserve" in str(error)) == (again, not again)


#: Of a hundred thousand calls a day, as others use them; what they use on each of the last seven days, a week ago
#: first, and by one o'clock today.
QUIET, BUSY, ALL = 10_000, 80_000, 100_000


def _days_of_others(days: list[int], by_one: int) -> list[Hour]:
    """Hours of others that call evenly all day; the last day is one hour old."""
    today, hours = midnight(NOON), []
    for ago, calls in zip(range(len(days), 0, -1), days, strict=True):
        began = today - ago * 24 * HOUR
        levels = [round(calls * (number + 1) / 24) for number in range(24)]
        hours += [
            Hour(began + number * HOUR, besides=level, highest=level) for number, level in enumerate(levels)
        ]
    return [*hours, Hour(today, besides=by_one, highest=by_one)]


@pytest.mark.parametrize(
    ("days", "by_one", "low", "high"),
    [
        # Busy on this day of the week: as a week ago, from its first hour on
        ([BUSY, *[QUIET] * 6], BUSY // 24, 0.9 * BUSY, 1.1 * BUSY),
        ([BUSY, *[QUIET] * 6], QUIET // 24, 0.9 * BUSY, 1.1 * BUSY),
        # Busy for the first time: at today's own pace, what it is ahead of other days
        ([QUIET] * 7, BUSY // 24, 0.8 * BUSY, 1.1 * BUSY),
        ([QUIET] * 2, BUSY // 24, 0.8 * BUSY, 1.1 * BUSY),
        # One odd day was that day's alone: neither on the next day nor in the rest of the week
        ([*[QUIET] * 6, BUSY], QUIET // 24, 0.9 * QUIET, 1.5 * QUIET),
        ([*[QUIET] * 3, BUSY, *[QUIET] * 3], QUIET // 24, 0.9 * QUIET, 1.5 * QUIET),
        # All alike
        ([QUIET] * 7, QUIET // 24, 0.9 * QUIET, 1.1 * QUIET),
    ],
)
def test_a_busy_day_of_the_week_is_expected_again_and_an_odd_one_is_not(
    days: list[int], by_one: int, low: float, high: float
) -> None:
    hours = _days_of_others(days, by_one)
    others = foreseen(hours, by_one, midnight(NOON) + HOUR, midnight)
    assert low <= others.expected <= high


@pytest.mark.parametrize(
    ("days", "coming"),
    [
        # Five days ago was busy: so is the second one that follows
        ([*[QUIET] * 2, BUSY, *[QUIET] * 4], [QUIET, BUSY, *[QUIET] * 5]),
        # A week ago was busy, so this day is expected to be, and the same one of next week
        ([BUSY, *[QUIET] * 6], [*[QUIET] * 6, BUSY]),
        ([QUIET] * 7, [QUIET] * 7),
    ],
)
def test_the_days_that_follow_are_told_as_those_of_last_week(days: list[int], coming: list[int]) -> None:
    others = foreseen(_days_of_others(days, QUIET // 24), QUIET // 24, midnight(NOON) + HOUR, midnight)
    assert others.coming == pytest.approx([1.02 * count for count in coming], rel=0.1)


def test_a_day_that_is_ahead_of_others_makes_none_of_those_that_follow_shorter() -> None:
    others = foreseen(_days_of_others([QUIET] * 7, BUSY // 24), BUSY // 24, midnight(NOON) + HOUR, midnight)
    assert others.expected > 5 * QUIET
    assert max(others.coming[:6]) <= 1.1 * QUIET


@pytest.mark.parametrize("days", [1, 7])
@pytest.mark.parametrize("listened", [(0, 6, 12, 18, 23), (0, 2, 20), (0, 7, 23)])
@pytest.mark.parametrize("hour", range(24))
def test_a_burst_in_an_hour_in_which_nobody_listened_then_is_no_busier_day(
    days: int, listened: tuple[int, ...], hour: int
) -> None:
    today, levels = midnight(NOON), list(accumulate(BURSTS.get(one, 0) for one in range(24)))
    hours = [
        Hour(today - ago * 24 * HOUR + one * HOUR, besides=levels[one], highest=levels[one])
        for ago in range(days, 0, -1)
        for one in listened
    ]
    now = today + hour * HOUR + HOUR / 2
    heard = Hour(today + hour * HOUR, besides=levels[hour], highest=levels[hour])
    others = foreseen([*hours, heard], levels[hour], now, midnight)
    later = any(one >= hour for one in listened)
    assert others.expected <= (1.15 * levels[-1] if later else levels[hour])
    if hour > max(BURSTS):
        assert others.expected == levels[-1]


@pytest.mark.parametrize("rolls", [True, False])
@pytest.mark.parametrize("begins", [11, 12, 18])
def test_what_live_lanes_read_again_of_a_backfills_writes_is_its_own_and_no_busier_day(
    rolls: bool, begins: int
) -> None:
    account = Account(rolls=rolls)
    account.lives(72 + begins)
    before = account.quota.room()
    for _ in range(3):
        for lane, calls in (("backfill", 20), ("live", 40)):
            with account.quota.in_lane(lane):
                for _ in range(calls):
                    account.quota.before()
                    account.calls(1)
                    account.hears()
        account.lives(1)
    after = account.quota.room()
    assert before is not None
    assert after is not None
    assert before.drawn == 1
    assert after.drawn == pytest.approx(3, rel=0.1)
    assert sum(count for _, count in after.spent) == pytest.approx(180, rel=0.1)
    assert after.a_day == pytest.approx(before.a_day, rel=0.05)
    of_day = in_day(after.spent, day_began(account.time, None if rolls else midnight))
    assert after.now == pytest.approx(after.a_day - of_day, rel=0.05)
    # From then on nothing of it is told of the last day: as long as it is in part, of calls and echo alike.
    seen = []
    for _ in range(48):
        account.lives(1)
        told = account.quota.room()
        assert told is not None
        assert told.a_day == pytest.approx(before.a_day, rel=0.05)
        seen.append(told.drawn)
    assert max(seen) == pytest.approx(3, rel=0.1)
    assert seen[-1] == 1


@pytest.mark.parametrize("known", [0, 1, 10, 20, 48])
def test_before_it_is_known_what_is_usual_in_an_hour_no_live_call_is_taken_for_a_backfills(
    known: int,
) -> None:
    """Our first days, and nights that were quiet; by day there is live work, which no backfill brought."""
    quiet = [Hour(NOON - ago * HOUR, 1, 0, 1, 1) for ago in range(known + 6, 6, -1)]
    hours = [*quiet, *(Hour(NOON - ago * HOUR, 80, 20, 60, 60) for ago in range(6, 0, -1))]
    assert told_apart(hours, NOON, None) == told_apart(hours, NOON, midnight) == (hours, 1)


def test_a_campaign_beside_a_backfill_is_no_echo_of_a_handful_of_calls() -> None:
    quiet = [Hour(NOON - ago * HOUR, 5, 0, 5 * ago, 5 * ago) for ago in range(120, 1, -1)]
    hours = [*quiet, Hour(NOON - HOUR, 65, 60, 65, 65), Hour(NOON, 5_000, 0, 5_065, 5_065)]
    told, drawn = told_apart(hours, NOON + HOUR / 2, None)
    assert drawn == MOST_DRAWN
    assert told[-1].backfill == (MOST_DRAWN - 1) * 60
    assert told[-1].besides == 5_065 - told[-1].backfill


@pytest.mark.parametrize(("ago", "expected"), [(7, BUSY), (6, QUIET), (3, QUIET), (1, BUSY)])
def test_a_rolling_day_may_stand_as_high_as_in_the_24_hours_that_began_a_week_ago(
    ago: int, expected: int
) -> None:
    levels = {days: BUSY if days == ago else QUIET for days in range(1, 8)}
    hours = [
        Hour(NOON - days * 24 * HOUR + hour * HOUR, besides=levels[days], highest=levels[days])
        for days in range(7, 0, -1)
        for hour in range(1, 25)
    ]
    others = foreseen(hours, QUIET if ago > 1 else BUSY, NOON, None)
    assert others.expected == round(expected * 1.02)


@pytest.mark.parametrize(("first", "last"), [(0, 60), (0, 10), (50, 60)])
def test_calls_of_a_backfill_are_never_taken_for_those_of_others_as_they_roll_off(
    first: int, last: int
) -> None:
    """A backfill of one hour, made at whatever minutes of it: a day later others stand as high as ever."""
    account = Account(rolls=True)
    account.lives(48)
    before = account.quota.room()
    for minute in range(60):
        account.time += HOUR / 60
        if first <= minute < last:
            for _ in range(240 // (last - first)):
                account.quota.before()
                account.calls(1)
        account.hears()
    account.lives(22)
    rooms = []
    for _ in range(26 * 12):
        account.time += HOUR / 12
        if account.time.minute == 15:
            account.calls(BURSTS.get(account.time.hour, 0))
        account.hears()
        rooms.append(account.quota.room())
    assert before is not None
    after = rooms[-12:]
    assert all(one is not None and one.a_day >= 0.98 * before.a_day for one in after)
    assert all(one is not None and one.now >= 0 for one in rooms)


def test_where_others_used_a_whole_day_a_few_calls_of_the_next_one_are_left_to_the_jobs_of_the_night() -> (
    None
):
    account = Account(rolls=False, now=midnight(NOON) - 2 * HOUR)
    account.calls(LIMIT)
    account.hears()
    with pytest.raises(RetryLater) as stopped:
        account.quota.before()
    assert stopped.value.not_before == midnight(account.time)
    account.time = midnight(account.time) + 2 * HOUR
    account.calls(5)
    account.hears()
    assert account.backfills() == round(LIMIT * 0.05)
    account.time = midnight(account.time) + HOUR
    account.calls(LIMIT - LIMIT // 4)
    account.hears()
    assert account.backfills() == 0, "what is used up already leaves nothing but the reserve"


@pytest.mark.parametrize(
    ("moment", "began"),
    [
        ("2026-11-22T12:00Z", "2026-11-21T23:00Z"),
        ("2026-11-22T23:30Z", "2026-11-22T23:00Z"),
        ("2026-10-25T12:00Z", "2026-10-24T22:00Z"),  # a day of 25 hours
        ("2026-10-25T22:59Z", "2026-10-24T22:00Z"),
        ("2026-03-29T12:00Z", "2026-03-28T23:00Z"),  # one of 23
    ],
)
def test_a_day_begins_at_the_accounts_midnight_also_when_the_clocks_change(moment: str, began: str) -> None:
    assert day_began(datetime.fromisoformat(moment), berlin) == datetime.fromisoformat(began)


@given(
    levels=st.lists(st.none() | st.integers(0, 20_000), min_size=1, max_size=190),
    backfill=st.integers(0, 500),
    used=st.integers(0, 15_000),
    rolls=st.booleans(),
)
def test_no_fewer_calls_of_others_are_expected_than_were_made(
    levels: list[int | None], backfill: int, used: int, rolls: bool
) -> None:
    hours = [
        Hour(NOON - number * HOUR, backfill, backfill, level, level) for number, level in enumerate(levels)
    ]
    others = foreseen(list(reversed(hours)), used, NOON, None if rolls else midnight)
    assert 0 <= others.now <= used
    assert others.expected >= others.now
