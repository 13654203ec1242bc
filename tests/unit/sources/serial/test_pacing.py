"""Pacing on a clock of the test's own: the guard and the read moment."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.bms.protocol import Line, Topic
from packbank.sources.serial import pacing
from packbank.sources.serial.pacing import GUARD_JURY, Guard, ReadMoment

LINE = Line((115200,), 0.1, 0.02, 0.040, 0.030, 0.120, 0.005)
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
            moment.took(1)
        else:
            moment.took(2)
            second += number >= 5_000
    assert 0.05 < second / 15_000 < 0.13


def test_the_read_moment_is_bounded() -> None:
    moment = ReadMoment()
    for _ in range(1000):
        moment.late()
    assert moment.value == pacing.READ_SPAN
    for _ in range(1000):
        moment.took(1)
    assert moment.value == 0.0
