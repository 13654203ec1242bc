"""Pacing on a clock of the test's own: the silence and the read moment."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.bms.protocol import Line, Topic
from packbank.sources.serial import pacing
from packbank.sources.serial.pacing import SILENCE_REQUESTS, ReadMoment, Silence

LINE = Line((115200,), 0.1, 0.02, 0.040, 0.030, 0.120, 0.005)
TOPICS = (Topic.STATUS, Topic.SETTINGS, Topic.ABOUT)
ANSWER = 0.040
TIMEOUT = 0.100


def answered_for(silence: Silence, seconds: float, now: float, deaf: float = 0.0) -> tuple[float, int]:
    """A bus on which every request after ``deaf`` s of silence is answered; the time after, and the misses."""
    missed, until = 0, now + seconds
    while now < until:
        now += ANSWER + silence.value
        if silence.value >= deaf:
            silence.answered(silence.value, now)
        else:
            missed += 1
            now += TIMEOUT + ANSWER
            silence.missed(silence.value, now)
    return now, missed


def test_silence_starts_as_the_protocol_says_and_reaches_its_least_while_nothing_is_missed() -> None:
    silence = Silence(LINE)
    assert silence.value == LINE.silence
    answered_for(silence, 10.0, 0.0)
    assert LINE.silence_min < silence.value < LINE.silence
    answered_for(silence, 60.0, 10.0)
    assert silence.value == LINE.silence_min


def test_silence_rises_at_once_on_a_miss_and_keeps_off_the_silence_that_failed() -> None:
    silence = Silence(LINE)
    now, _ = answered_for(silence, 60.0, 0.0)
    silence.missed(0.0305, now)
    assert silence.value > 0.0305 * 1.2
    answered_for(silence, pacing.SILENCE_HOLD / 2, now)
    assert silence.value == pytest.approx(0.0315)


def test_silence_finds_a_deaf_time_between_its_bounds_and_rarely_touches_it_again() -> None:
    silence = Silence(LINE)
    _, missed = answered_for(silence, 24 * 3600.0, 0.0, deaf=0.0342)
    assert missed <= 10
    assert 0.0342 <= silence.value < 0.038


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 1.0), st.floats(0.0, 100.0)), max_size=200))
def test_silence_stays_within_its_bounds_whatever_happens(events: list[tuple[bool, float, float]]) -> None:
    silence, now = Silence(LINE), 0.0
    for answered, kept, passed in events:
        now += passed
        (silence.answered if answered else silence.missed)(kept, now)
        assert LINE.silence_min <= silence.value <= LINE.silence_max


def test_misses_by_chance_do_not_raise_the_silence_over_its_start() -> None:
    silence, random, now = Silence(LINE), Random(1), 0.0
    for _ in range(2000):
        now += ANSWER + silence.value
        (silence.missed if random.random() < 0.1 else silence.answered)(silence.value, now)
        assert silence.value <= LINE.silence


def test_a_bus_that_is_deaf_for_longer_than_any_known_is_read_all_the_same() -> None:
    silence = Silence(LINE)
    now, _ = answered_for(silence, 10.0, 0.0, deaf=0.055)
    assert silence.value >= 0.050
    for _ in range(SILENCE_REQUESTS * 4):
        silence.missed(silence.value, now)
    assert silence.value == LINE.silence_max
    answered_for(silence, 120.0, now)
    assert silence.value <= LINE.silence, "and when that is over, it comes down again"


def test_a_long_silence_proves_nothing_about_the_silence() -> None:
    silence = Silence(LINE)
    for _ in range(1000):
        silence.answered(0.2, 1.0)
    silence.missed(0.2, 1.0)
    assert silence.value == LINE.silence


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
