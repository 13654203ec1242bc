"""Pacing on a clock of its own: the guard, the read moment, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.bms.protocol import Line, Topic
from packbank.sources.serial import pacing
from packbank.sources.serial.pacing import GUARD_JURY, HABIT_LOOK, HABIT_MADE, Guard, Habit, ReadMoment, Schedule, Turn

LINE = Line(115200, 0.1, 0.02, 0.040, 0.030, 0.120, 0.005)
TOPICS = (Topic.STATUS, Topic.SETTINGS, Topic.ABOUT)
ANSWER = 0.040
TIMEOUT = 0.100


def answered_for(guard: Guard, seconds: float, now: float, deaf: float = 0.0) -> tuple[float, int]:
    """A bus on which every request after ``deaf`` s of silence is answered; the time after, and the misses."""
    missed, until = 0, now + seconds
    while now < until:
        now += ANSWER + guard.value
        if guard.value >= deaf:
            guard.answered(guard.value, now)
        else:
            missed += 1
            now += TIMEOUT + ANSWER
            guard.missed(guard.value, now)
    return now, missed


def test_guard_starts_as_the_protocol_says_and_reaches_its_least_while_nothing_is_missed() -> None:
    guard = Guard(LINE)
    assert guard.value == LINE.guard
    answered_for(guard, 10.0, 0.0)
    assert LINE.guard_min < guard.value < LINE.guard
    answered_for(guard, 60.0, 10.0)
    assert guard.value == LINE.guard_min


def test_guard_rises_at_once_on_a_miss_and_keeps_off_the_silence_that_failed() -> None:
    guard = Guard(LINE)
    now, _ = answered_for(guard, 60.0, 0.0)
    guard.missed(0.0305, now)
    assert guard.value > 0.0305 * 1.2
    answered_for(guard, pacing.GUARD_HOLD / 2, now)
    assert guard.value == pytest.approx(0.0315)


def test_guard_finds_a_deaf_time_between_its_bounds_and_rarely_touches_it_again() -> None:
    guard = Guard(LINE)
    _, missed = answered_for(guard, 24 * 3600.0, 0.0, deaf=0.0342)
    assert missed <= 10
    assert 0.0342 <= guard.value < 0.038


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 1.0), st.floats(0.0, 100.0)), max_size=200))
def test_guard_stays_within_its_bounds_whatever_happens(events: list[tuple[bool, float, float]]) -> None:
    guard, now = Guard(LINE), 0.0
    for answered, silence, passed in events:
        now += passed
        (guard.answered if answered else guard.missed)(silence, now)
        assert LINE.guard_min <= guard.value <= LINE.guard_max


def test_misses_by_chance_do_not_raise_the_guard_over_its_start() -> None:
    guard, random, now = Guard(LINE), Random(1), 0.0
    for _ in range(2000):
        now += ANSWER + guard.value
        (guard.missed if random.random() < 0.1 else guard.answered)(guard.value, now)
        assert guard.value <= LINE.guard


def test_a_bus_that_is_deaf_for_longer_than_any_known_is_read_all_the_same() -> None:
    guard = Guard(LINE)
    now, _ = answered_for(guard, 10.0, 0.0, deaf=0.055)
    assert guard.value >= 0.050
    for _ in range(GUARD_JURY * 4):
        guard.missed(guard.value, now)
    assert guard.value == LINE.guard_max
    answered_for(guard, 120.0, now)
    assert guard.value <= LINE.guard, "and when that is over, it comes down again"


def test_a_long_silence_proves_nothing_about_the_guard() -> None:
    guard = Guard(LINE)
    for _ in range(1000):
        guard.answered(0.2, 1.0)
    guard.missed(0.2, 1.0)
    assert guard.value == LINE.guard


def test_the_read_moment_lets_about_one_answer_in_eleven_need_a_second_read() -> None:
    random, moment = Random(1), ReadMoment()
    second = 0
    for number in range(20_000):
        if random.gauss(0.002, 0.0005) <= moment.value:
            moment.whole()
        else:
            moment.partial()
            second += number >= 5_000
    assert 0.05 < second / 15_000 < 0.13


def test_the_read_moment_is_bounded() -> None:
    moment = ReadMoment()
    for _ in range(1000):
        moment.partial()
    assert moment.value == pacing.READ_SPAN
    for _ in range(1000):
        moment.whole()
    assert moment.value == 0.0


def test_a_habit_is_made_slowly_looked_at_now_and_then_and_broken_at_once() -> None:
    habit = Habit()
    held = []
    for _ in range(HABIT_MADE + 10 * (HABIT_LOOK + 1)):
        held.append(habit.holds)
        habit.kept(seen=not habit.holds)
    assert not any(held[:HABIT_MADE])
    assert held[HABIT_MADE:].count(False) == 10
    habit.broken()
    for _ in range(2 * HABIT_MADE - 1):
        habit.kept(seen=True)
        assert not habit.holds
    before = habit.margin
    for _ in range(20):
        habit.broken()
    assert before < habit.margin == pacing.HABIT_MARGIN_MOST
    for _ in range(pacing.HABIT_FORGETS):
        habit.kept(seen=True)
    assert habit.margin == pytest.approx(pacing.HABIT_MARGIN_MOST - pacing.HABIT_MARGIN_STEP)
    habit.broken()
    for _ in range(2 * HABIT_MADE):
        habit.kept(seen=True)
    assert habit.made, "what was long ago is forgotten"


class Play:
    """A schedule played on a bus where ``present(address, now)`` tells who answers."""

    def __init__(
        self, expected: Iterable[int], candidates: Iterable[int], present: Callable[[int, float], bool]
    ) -> None:
        self.now = 100.0
        self.schedule = Schedule(list(expected), list(candidates), TOPICS, self.now)
        self.present = present
        self.turns: list[Turn] = []
        self.asked: list[tuple[float, int, Topic, bool]] = []

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            turn = self.schedule.next(self.now)
            self.now = max(self.now, turn.start) + LINE.guard
            self.turns.append(turn)
            self._visit(turn)

    def _visit(self, turn: Turn) -> None:
        for topic in turn.topics:
            began, present = self.now, self.present(turn.address, self.now)
            self.now += ANSWER if present else TIMEOUT * (1 + turn.retry)
            self.asked.append((self.now, turn.address, topic, present))
            if present:
                self.schedule.answered(turn.address, topic, self.now)
                continue
            self.schedule.failed(turn.address, topic, self.now, self.now - began, heard=False)
            break

    def times(self, address: int, topic: Topic = Topic.STATUS, since: float = 0.0) -> list[float]:
        return [time for time, asked, about, _ in self.asked if (asked, about) == (address, topic) and time >= since]


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_every_pack_tells_all_about_itself_at_its_first_turn() -> None:
    play = Play(range(1, 16), [], lambda *_: True)
    play.run(3.0)
    assert [turn.address for turn in play.turns[:15]] == list(range(1, 16))
    assert all(turn.topics == TOPICS for turn in play.turns[:15])
    assert play.turns[15].topics == (Topic.STATUS,)


def test_status_ages_are_even_and_settings_are_read_again_one_pack_at_a_time() -> None:
    play = Play(range(1, 16), [], lambda *_: True)
    play.run(5.0)
    start = play.now
    play.run(900.0)
    for address in range(1, 16):
        ages = gaps(play.times(address, since=start))
        assert max(ages) <= 15 * (ANSWER + LINE.guard) + 2 * ANSWER
        assert 2 <= len(play.times(address, Topic.SETTINGS, start)) <= 4
        assert not play.times(address, Topic.ABOUT, start)


def test_few_packs_are_not_asked_more_often_than_the_bank_can_use() -> None:
    play = Play([1], [], lambda *_: True)
    play.run(10.0)
    assert min(gaps(play.times(1))) >= pacing.MIN_AGE


def test_a_silent_pack_costs_the_others_little_and_is_found_within_seconds() -> None:
    def present(address: int, now: float) -> bool:
        return address != 7 or not 110.0 <= now < 400.0

    play = Play(range(1, 16), [], present)
    play.run(250.0)
    asked = [gap for gap in gaps(play.times(7, since=200.0)) if gap]
    assert max(asked) <= pacing.EXPECTED_PAUSE + 2.0
    assert sum(gaps(play.times(3, since=200.0))) / len(gaps(play.times(3, since=200.0))) < 1.17
    play.run(150.0)
    assert play.times(7, Topic.SETTINGS, since=400.0), "a pack that was away for long is read anew"
    assert min(time for time in play.times(7, since=400.0)) <= 400.0 + pacing.EXPECTED_PAUSE + 2.0


def test_only_a_pack_that_answered_last_time_is_asked_twice() -> None:
    play = Play([1, 2], [], lambda address, now: address == 1 or now < 105.0)
    play.run(30.0)
    away = [turn.retry for turn in play.turns if turn.address == 2 and turn.start > 105.0]
    assert away[0] is True
    assert not any(away[2:])


def test_a_pack_that_answers_badly_keeps_its_turn_and_its_retry() -> None:
    schedule = Schedule([1, 2], [], TOPICS, 100.0)
    schedule.answered(1, Topic.STATUS, 100.1)
    schedule.answered(2, Topic.STATUS, 100.2)
    for second in range(1, 5):
        turn = schedule.next(100.0 + second)
        assert (turn.address, turn.retry) == (1, True)
        schedule.failed(1, Topic.STATUS, 100.1 + second, 0.2, heard=True)
        assert schedule.next(100.2 + second).address == 2
        schedule.answered(2, Topic.STATUS, 100.2 + second)


@pytest.mark.parametrize("away", [8.0, 12.0, 90.0])
def test_a_whole_bus_that_returns_is_complete_again_within_two_rounds(away: float) -> None:
    back = 110.0 + away
    play = Play(range(1, 16), [], lambda _, now: not 110.0 <= now < back)
    play.run(20.0 + away)
    first = [
        min(time for time, asked, _, ok in play.asked if asked == address and ok and time > back)
        for address in range(1, 16)
    ]
    assert max(first) <= back + 2 * 1.2


def test_empty_addresses_take_no_more_than_their_share_and_a_newcomer_is_taken_in() -> None:
    def present(address: int, now: float) -> bool:
        return address <= 4 or (address == 9 and now >= 600.0)

    play = Play([], range(1, 16), present)
    play.run(400.0)
    start = play.now
    play.run(100.0)
    wasted = sum(TIMEOUT for time, _, _, ok in play.asked if not ok and time >= start)
    assert wasted / (play.now - start) <= 0.05
    assert max(gaps(play.times(1, since=start))) < 0.6
    play.run(150.0)
    assert (
        min(time for time, address, _, ok in play.asked if address == 9 and ok) <= 600.0 + pacing.CANDIDATE_PAUSE + 2.0
    )


def test_settings_that_are_never_answered_do_not_make_a_pack_silent() -> None:
    play = Play([1, 2], [], lambda *_: True)
    play.present = lambda *_: True
    schedule = play.schedule
    schedule.answered(1, Topic.STATUS, 100.0)
    schedule.failed(1, Topic.SETTINGS, 100.1, 0.1, heard=True)
    assert schedule.silence(1, 101.0) == 0.0
    schedule.answered(2, Topic.STATUS, 100.2)
    turn = schedule.next(100.5)
    assert turn.address == 1
    assert turn.topics == (Topic.STATUS, Topic.ABOUT)


def test_after_the_port_was_away_everybody_is_asked_at_once() -> None:
    play = Play(range(1, 5), [], lambda *_: False)
    play.run(60.0)
    play.schedule.restart(play.now)
    assert play.schedule.next(play.now).start <= play.now


@settings(deadline=None, max_examples=30)
@given(
    st.sets(st.integers(1, 15), min_size=1, max_size=15),
    st.sets(st.integers(1, 15)),
    st.integers(0, 2**32),
    st.floats(0.0, 0.5),
)
def test_nobody_starves_whoever_is_silent(expected: set[int], away: set[int], seed: int, loss: float) -> None:
    """Each present pack is asked again and again, each absent one now and then, whatever else is lost."""
    random = Random(seed)
    play = Play(sorted(expected), [], lambda address, _: address not in away and random.random() >= loss)
    play.run(120.0)
    for address in expected:
        pauses = gaps([100.0, *play.times(address), play.now])
        assert max(pauses) < 2 * pacing.EXPECTED_PAUSE + len(expected) * 2 * TIMEOUT / pacing.PROBE_SHARE
        assert play.schedule.silence(address, play.now) < inf
