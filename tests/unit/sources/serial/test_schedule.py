"""Whose turn it is, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.bms.protocol import Topic
from packbank.sources.serial import schedule as scheduling
from packbank.sources.serial.schedule import Schedule, Turn

TOPICS = (Topic.STATUS, Topic.SETTINGS, Topic.ABOUT)
SILENCE = 0.040
ANSWER = 0.040
TIMEOUT = 0.100


class Play:
    """A schedule played on a bus where ``present(address, now)`` says who answers."""

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
            self.now = max(self.now, turn.start) + SILENCE
            self.turns.append(turn)
            self._visit(turn)

    def _visit(self, turn: Turn) -> None:
        for topic in turn.topics:
            began, present = self.now, self.present(turn.address, self.now)
            self.now += ANSWER if present else TIMEOUT * (1 + turn.retry)
            self.asked.append((self.now, turn.address, topic, present))
            if self.schedule.asked_stranger(turn.address, self.now, self.now - began):
                break
            if present:
                self.schedule.answered(turn.address, topic, self.now)
                continue
            self.schedule.failed(turn.address, topic, self.now, self.now - began, heard=False)
            break

    def times(self, address: int, topic: Topic = Topic.STATUS, since: float = 0.0) -> list[float]:
        return [time for time, asked, about, _ in self.asked if (asked, about) == (address, topic) and time >= since]


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_every_pack_is_asked_everything_at_its_first_turn() -> None:
    play = Play(range(1, 16), [], lambda *_: True)
    play.run(3.0)
    assert [turn.address for turn in play.turns[:15]] == list(range(1, 16))
    assert all(turn.topics == TOPICS for turn in play.turns[:15])
    assert Topic.ABOUT not in play.turns[15].topics


def test_status_ages_are_even_and_settings_are_read_again_one_pack_at_a_time() -> None:
    play = Play(range(1, 16), [], lambda *_: True)
    play.run(5.0)
    start = play.now
    play.run(900.0)
    for address in range(1, 16):
        ages = gaps(play.times(address, since=start))
        assert max(ages) <= 15 * (ANSWER + SILENCE) + 2 * ANSWER + 1e-6
        assert max(gaps(play.times(address, Topic.SETTINGS, start))) <= 30.0, "a new limit holds within half a minute"
        assert min(gaps(play.times(address, Topic.SETTINGS, start))) >= scheduling.SETTINGS_PERIOD
        assert not play.times(address, Topic.ABOUT, start)


def test_few_packs_are_not_asked_more_often_than_the_bank_can_use() -> None:
    play = Play([1], [], lambda *_: True)
    play.run(10.0)
    assert min(gaps(play.times(1))) >= scheduling.MIN_AGE


def test_a_silent_pack_costs_the_others_little_and_is_found_within_seconds() -> None:
    def present(address: int, now: float) -> bool:
        return address != 7 or not 110.0 <= now < 400.0

    play = Play(range(1, 16), [], present)
    play.run(250.0)
    asked = [gap for gap in gaps(play.times(7, since=200.0)) if gap]
    assert max(asked) <= scheduling.EXPECTED_PAUSE + 2.0
    assert sum(gaps(play.times(3, since=200.0))) / len(gaps(play.times(3, since=200.0))) < 1.2
    play.run(150.0)
    assert play.times(7, Topic.SETTINGS, since=400.0), "a pack that was away for long is read anew"
    assert min(time for time in play.times(7, since=400.0)) <= 400.0 + scheduling.EXPECTED_PAUSE + 2.0


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
        min(time for time, address, _, ok in play.asked if address == 9 and ok)
        <= 600.0 + scheduling.CANDIDATE_PAUSE + 2.0
    )


class Mute(Play):
    """Packs that answer with their status, but pack 1 not with its settings."""

    def _visit(self, turn: Turn) -> None:
        for topic in turn.topics:
            self.now += ANSWER
            mute = turn.address == 1 and topic is Topic.SETTINGS
            self.asked.append((self.now, turn.address, topic, not mute))
            if mute:
                self.schedule.failed(turn.address, topic, self.now, ANSWER, heard=False)
                self.now += 2 * TIMEOUT
            else:
                self.schedule.answered(turn.address, topic, self.now)


def test_settings_that_were_never_read_are_asked_every_round_then_more_rarely() -> None:
    play = Mute(range(1, 16), [], lambda *_: True)
    play.run(scheduling.EVERY_ROUND)
    status, settings_asked = play.times(1), play.times(1, Topic.SETTINGS)
    assert len(settings_asked) == len(status)
    assert play.schedule.silence(1, play.now) == 0.0, "a pack that sends its status is not silent"
    play.run(600.0)
    later = play.times(1, Topic.SETTINGS, since=play.now - 200.0)
    assert max(gaps(later)) <= scheduling.TOPIC_PAUSE + 2.0
    assert len(later) <= 10
    assert max(gaps(play.times(3))) < 2.6


def test_what_was_never_read_is_asked_again_in_the_same_visit_once() -> None:
    schedule = Schedule([1], [], TOPICS, 100.0)
    schedule.answered(1, Topic.STATUS, 100.0)
    assert not schedule.never_answered(1, Topic.SETTINGS), "it was not asked yet"
    schedule.failed(1, Topic.SETTINGS, 100.1, 0.1, heard=True)
    assert schedule.never_answered(1, Topic.SETTINGS)
    schedule.answered(1, Topic.STATUS, 101.0)
    assert not schedule.never_answered(1, Topic.SETTINGS), "that was another visit"
    schedule.answered(1, Topic.SETTINGS, 101.1)
    schedule.answered(1, Topic.STATUS, 130.0)
    schedule.failed(1, Topic.SETTINGS, 130.1, 0.1, heard=True)
    assert not schedule.never_answered(1, Topic.SETTINGS)


def test_what_is_doubtful_is_read_at_once_but_not_again_and_again() -> None:
    schedule = Schedule([1, 2], [], TOPICS, 100.0)
    for address in (1, 2):
        for topic in TOPICS:
            schedule.answered(address, topic, 100.0)
    doubtful = (Topic.SETTINGS, Topic.ABOUT, Topic.STATUS)
    assert schedule.renew(2, doubtful, 110.0) == [Topic.SETTINGS, Topic.ABOUT]
    turn = schedule.next(110.0)
    assert (turn.start <= 110.0, turn.address, set(turn.topics)) == (True, 2, set(TOPICS))
    read = dict.fromkeys(TOPICS, 0)
    for second in range(1, 120):
        for topic in schedule.renew(2, doubtful, 110.0 + second):
            read[topic] += 1
    assert (read[Topic.SETTINGS], read[Topic.ABOUT]) == (23, 3), "every 5 and every 30 s at most"
    assert schedule.renew(1, doubtful, 240.0), "each pack for itself"


def test_a_pack_that_returns_after_seconds_is_read_whole() -> None:
    play = Play([1, 2], [], lambda address, now: address != 1 or not 110.0 <= now < 114.5)
    play.run(20.0)
    assert play.times(1, Topic.SETTINGS, since=114.5)
    assert play.times(1, Topic.ABOUT, since=114.5)


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
        assert max(pauses) < 2 * scheduling.EXPECTED_PAUSE + len(expected) * 2 * TIMEOUT / scheduling.PROBE_SHARE
        assert play.schedule.silence(address, play.now) < inf


def test_a_search_asks_each_silent_pack_and_each_stranger_and_costs_the_others_little() -> None:
    play = Play([1, 2, 3], [4, 5, 6], lambda address, _: address <= 2)
    play.run(100.0)
    began = play.now
    play.schedule.search(range(7, 16), began)
    assert play.schedule.searching
    while play.schedule.searching:
        play.run(0.1)
        assert play.now - began < 20.0
    asked = [address for now, address, *_ in play.asked if now > began]
    assert set(asked) == set(range(1, 16))
    assert all(asked.count(address) == 1 for address in range(7, 16))
    lost = sum(TIMEOUT + SILENCE for address in asked if address > 2)
    assert lost / (play.now - began) < 0.5
    assert max(gaps(play.times(1, since=began))) < 1.0
    play.run(60.0)
    assert {address for now, address, *_ in play.asked if now > play.now - 30.0} == set(
        range(1, 7)
    )  # strangers are gone


def test_a_search_where_nobody_is_missing_is_over_at_once() -> None:
    play = Play([1, 2], [], lambda *_: True)
    play.run(5.0)
    play.schedule.search([], play.now)
    assert not play.schedule.searching
