"""Who is asked in a sweep: whom the schedule would have asked one after another."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.bms.protocol import Topic
from packbank.sources.serial import schedule as scheduling
from packbank.sources.serial.schedule import Schedule

TOPICS = (Topic.STATUS, Topic.SETTINGS, Topic.ABOUT)
SPACING = 0.075


def swept_schedule(packs: int, start: float = 100.0) -> tuple[Schedule, float]:
    """Packs that have each answered every question, ``SPACING`` apart; and when the next would be asked."""
    schedule = Schedule(range(1, packs + 1), [], TOPICS, start)
    for address in range(1, packs + 1):
        for topic in TOPICS:
            schedule.answered(address, topic, start + address * SPACING)
    return schedule, start + (packs + 1) * SPACING


def test_a_sweep_asks_whom_the_schedule_would_in_its_order() -> None:
    schedule, now = swept_schedule(15)
    assert schedule.sweep(now, SPACING, 99) == list(range(1, 16))
    assert schedule.sweep(now, SPACING, 6) == [1, 2, 3, 4, 5, 6]
    assert schedule.sweep(now, SPACING, 0) == []
    schedule.answered(1, Topic.STATUS, now)
    assert schedule.sweep(now + SPACING, SPACING, 3) == [2, 3, 4]
    assert schedule.next(now + SPACING).address == 2


def test_a_sweep_asks_packs_a_little_early_so_that_they_stay_together() -> None:
    schedule, now = swept_schedule(2)
    assert schedule.sweep(now - SPACING, SPACING, 16) == []
    early = 100.0 + SPACING + scheduling.MIN_AGE - scheduling.EARLY
    assert schedule.sweep(early - 0.001, SPACING, 16) == []
    assert schedule.sweep(early + 1e-6, SPACING / 2.0, 16) == [1]
    assert schedule.sweep(early + 1e-6, SPACING, 16) == [1, 2]


def test_a_sweep_ends_before_a_pack_with_more_questions_due() -> None:
    schedule = Schedule(range(1, 6), [], TOPICS, 100.0)
    assert schedule.sweep(200.0, SPACING, 16) == [], "no pack has answered yet"
    schedule, now = swept_schedule(5)
    due = 100.0 + 2 * SPACING + scheduling.SETTINGS_PERIOD * 2 / 5
    for address in range(1, 6):
        schedule.answered(address, Topic.STATUS, now + address * SPACING)
    first_due = 100.0 + SPACING + scheduling.SETTINGS_PERIOD * 1 / 5
    assert schedule.sweep(first_due - 5 * SPACING, SPACING, 16) == [1, 2, 3, 4, 5]
    assert schedule.sweep(first_due, SPACING, 16) == []
    schedule.answered(1, Topic.SETTINGS, first_due)
    assert schedule.sweep(due - SPACING / 2.0, SPACING, 16) == [1], "at its turn the second one's settings will be due"


def test_a_sweep_ends_before_a_pack_that_did_not_answer() -> None:
    schedule, now = swept_schedule(5)
    schedule.failed(1, Topic.STATUS, now, 0.2, heard=False)
    assert schedule.sweep(now + 0.01, SPACING, 16) == [2, 3, 4, 5], "while that one is not yet due again"
    assert schedule.sweep(now + scheduling.MIN_AGE, SPACING, 16) == [2, 3, 4, 5]
    for address in range(2, 6):
        schedule.answered(address, Topic.STATUS, now + 0.3)
    assert schedule.next(now + 1.0).address == 1
    assert schedule.sweep(now + 1.0, SPACING, 16) == []
    schedule.answered(1, Topic.STATUS, now + 1.0)
    assert schedule.sweep(now + 1.3, SPACING, 16) == [2, 3, 4, 5, 1]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 15), st.integers(0, 2**32), st.floats(0.0, 0.3), st.integers(0, 16), st.floats(0.02, 0.5))
def test_a_sweep_is_what_visits_one_after_another_would_have_been(
    packs: int, seed: int, loss: float, most: int, spacing: float
) -> None:
    """Whatever happened before: the same packs in the same order, each due, about status only, with a retry."""
    random = Random(seed)
    schedule, now = swept_schedule(packs)
    for _ in range(random.randrange(300)):
        turn = schedule.next(now)
        now = max(now, turn.start) + SPACING
        for topic in turn.topics:
            if random.random() >= loss:
                schedule.answered(turn.address, topic, now)
            else:
                schedule.failed(turn.address, topic, now, SPACING, heard=random.random() < 0.5)
                break
    addresses = schedule.sweep(now, spacing, most)
    assert len(addresses) <= min(most, packs)
    for place, address in enumerate(addresses):
        at = now + place * spacing
        turn = schedule.next(at)
        assert turn.start <= at + scheduling.EARLY + 1e-6
        assert turn[1:] == (address, (Topic.STATUS,), True)
        schedule.answered(address, Topic.STATUS, at + spacing)
