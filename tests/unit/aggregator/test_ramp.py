"""A published limit on its way: at once down, and up to what has held for some seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packbank.aggregator.ramp import WORTH, Ramp

TARGETS = st.lists(st.tuples(st.floats(0.1, 40.0), st.floats(0.0, 500.0)), min_size=1, max_size=40)


def test_a_limit_climbs_with_its_target_and_not_in_stairs() -> None:
    ramp = Ramp(hold=5.0, rate=0.0)
    values = [ramp.step(100.0 + 10.0 * second, 0.0, 1, float(second), 1.0) for second in range(20)]
    assert values[:6] == [100.0] * 6
    assert values[6:] == [100.0 + 10.0 * (second - 5) for second in range(6, 20)]


def test_a_pause_justifies_nothing() -> None:
    ramp = Ramp(hold=5.0, rate=10.0)
    for second in range(10):
        ramp.step(100.0, 0.0, 1, float(second), 1.0)
    assert ramp.step(200.0, 0.0, 1, 1000.0, 991.0) == 100.0
    assert ramp.step(200.0, 0.0, 1, 1005.0, 5.0) == 150.0


@given(steps=TARGETS, hold=st.sampled_from([0.0, 5.0, 30.0]), rate=st.sampled_from([0.0, 2.0]))
def test_a_limit_is_never_above_its_target_nor_rises_above_one_of_the_last_seconds(
    steps: list[tuple[float, float]], hold: float, rate: float
) -> None:
    ramp, now, value = Ramp(hold, rate), 0.0, float("nan")
    past: list[tuple[float, float]] = []  # until when a target held
    for dt, target in steps:
        now += dt
        if past:
            past[-1] = (now, past[-1][1])
        past.append((now, target))
        before, value = value, ramp.step(target, 0.0, 3, now, dt)
        assert value <= target
        if value > before:
            lowest = min(target, *(held for until, held in past[:-1] if until > now - hold), float("inf"))
            assert before * (1.0 + WORTH) < lowest
            assert value <= lowest
            assert value == pytest.approx(min(lowest, before + 6.0 * dt if rate else lowest))
