from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from packbank.aggregator.slots import LONG, WARMER, SensorSlots

NAN = float("nan")


def run(slots: SensorSlots, sensors: list[list[float]], seconds: float) -> SensorSlots:
    for _ in range(int(seconds / 10.0)):
        slots.step(np.ascontiguousarray(np.array(sensors).T), 10.0)
    return slots


def test_a_slot_at_zero_beside_warm_sensors_of_its_pack_is_suspect_and_then_not_fitted() -> None:
    """As JK firmware 11.x: sensors 1 and 2 at 19 degC, slots 4 and 5 raw 0."""
    slots = run(SensorSlots(1), [[19.0, 19.2, 0.0, 0.0]], LONG - 10.0)
    assert slots.suspect[:, 0].tolist() == [False, False, True, True]
    assert not slots.absent.any()
    run(slots, [[19.0, 19.2, 0.0, 0.0]], 10.0)
    assert slots.absent[:, 0].tolist() == [False, False, True, True]
    assert not slots.suspect.any()


def test_a_pack_without_another_sensor_is_compared_with_its_bus() -> None:
    sensors = [[NAN, NAN, 0.0, 0.0], [15.0, 16.0, 14.0, NAN]]
    assert run(SensorSlots(2), sensors, LONG).absent[:, 0].tolist() == [False, False, True, True]
    elsewhere = SensorSlots(2, np.array([0, 1]))
    assert not run(elsewhere, sensors, 2 * LONG).absent.any()
    assert elsewhere.suspect[:, 0].tolist() == [False, False, True, True]


def test_a_bank_in_the_cold_keeps_its_zeros() -> None:
    slots = run(SensorSlots(2), [[0.0, 0.3, 0.1, 0.0], [WARMER - 0.1, 9.0, 8.0, 8.0]], 4 * LONG)
    assert not slots.absent.any()


def test_half_an_hour_means_without_a_break() -> None:
    slots = run(SensorSlots(1), [[19.0, 19.0, 0.0, NAN]], LONG - 10.0)
    run(slots, [[9.0, 19.0, 0.0, NAN]], 10.0)
    run(slots, [[19.0, 19.0, 0.0, NAN]], LONG - 10.0)
    assert not slots.absent.any()


def test_a_slot_that_moves_is_real_for_ever() -> None:
    slots = run(SensorSlots(1), [[19.0, 19.0, 0.0, NAN]], LONG)
    assert slots.absent[2, 0]
    run(slots, [[19.0, 19.0, 0.1, NAN]], 10.0)
    run(slots, [[19.0, 19.0, 0.0, NAN]], 2 * LONG)
    assert not slots.absent.any()
    assert not slots.suspect.any()


@given(st.lists(st.lists(st.sampled_from([0.0, -0.1, 12.0, NAN]), min_size=4, max_size=4), min_size=1, max_size=5))
def test_only_zeros_that_never_moved_are_ever_taken_out(packs: list[list[float]]) -> None:
    slots = run(SensorSlots(len(packs)), packs, 2 * LONG)
    sensors = np.array(packs).T
    assert not (slots.absent & (sensors != 0.0)).any()
    assert not (slots.absent & slots.suspect).any()
    if not (np.nan_to_num(sensors) > 0.0).any():
        assert not slots.absent.any()  # nothing warm shows that a zero is none
