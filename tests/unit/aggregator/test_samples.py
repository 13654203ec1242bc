"""Samples of packs that are read one after the other, brought to one instant."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bank_rows import healthy
from packbank.aggregator.samples import MOVING, Samples
from packbank.aggregator.settings import PackSettings
from packbank.aggregator.strings import PRIOR, Strings
from packbank.aggregator.table import PackTable
from packbank.aggregator.telemetry import Telemetry, read
from packbank.model.columns import Column

ALL = np.ones(2, dtype=np.bool_)


def report(rows: NDArray[np.float64], times: list[float], currents: list[float]) -> Telemetry:
    rows[:, Column.STATUS_TIME] = times
    rows[:, Column.CURRENT] = currents
    return read(rows, max(times), PackTable([PackSettings()] * len(times)))


def test_currents_are_interpolated_to_the_oldest_of_the_newest_samples() -> None:
    rows, samples = healthy(2), Samples(2)
    samples.take(report(rows, [10.0, 10.5], [20.0, 20.0]))
    samples.take(report(rows, [11.0, 11.5], [40.0, 60.0]))
    reported = samples.together(ALL)
    assert reported is not None
    assert reported.current.tolist() == [40.0, 40.0]  # at 11.0 s the second was half way
    assert reported.error.tolist() == [0.0, MOVING * 40.0]
    assert samples.together(ALL) is None, "nothing is reported twice"


def test_a_pack_with_one_sample_only_counts_at_its_own_instant() -> None:
    rows, samples = healthy(2), Samples(2)
    samples.take(report(rows, [10.0, 10.5], [20.0, 30.0]))
    reported = samples.together(ALL)
    assert reported is not None
    assert reported.current[0] == 20.0
    assert np.isnan(reported.current[1])


def test_a_pack_that_is_not_chosen_does_not_hold_the_others_up() -> None:
    rows, samples = healthy(2), Samples(2)
    for now in (10.0, 11.0, 12.0):
        samples.take(report(rows, [now, 5.0], [20.0, 30.0]))
    assert samples.together(np.array([True, False])) is not None


def test_one_late_pack_of_three_does_not_hold_the_others_up_but_two_wait_for_one_another() -> None:
    rows, samples = healthy(3), Samples(3)
    samples.take(report(rows, [10.0, 10.1, 10.2], [20.0] * 3))
    samples.take(report(rows, [13.0, 13.1, 10.2], [20.0] * 3))
    reported = samples.together(np.ones(3, dtype=np.bool_))
    assert reported is not None
    assert np.isnan(reported.current).tolist() == [False, False, True]
    rows, samples = healthy(2), Samples(2)
    samples.take(report(rows, [10.0, 13.0], [20.0] * 2))
    samples.take(report(rows, [20.0, 23.0], [20.0] * 2))
    reported = samples.together(ALL)
    assert reported is not None
    assert reported.current.tolist() == [20.0, 20.0]


def test_steps_teach_the_resistance_of_a_string_and_a_pack_without_steps_takes_it_over() -> None:
    rows, samples, strings = healthy(2), Samples(2), Strings(2)
    ohms = np.full(2, PRIOR / 280.0)
    for now in range(40):
        current = 100.0 if now % 2 else 20.0
        rows[0, Column.VOLTAGE] = 52.8 + 16 * 0.0005 * current
        tele = report(rows, [float(now), float(now)], [current, 0.0])
        samples.take(tele)
        ohms = strings.step(samples, tele)
    assert ohms[0] == pytest.approx(0.0005, rel=0.05)
    assert ohms[1] == pytest.approx(0.0005, rel=0.1)
    again = Strings(2)
    again.restore(["a", "b"], strings.save(["a", "b"]))
    assert again.step(samples, tele) == pytest.approx(ohms, rel=0.01)
