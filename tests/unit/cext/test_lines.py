"""The compiled arithmetic of lines against the same formulas written with arrays, and its contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from packbank.cext.lines import LineFilter, centre, highest_drives, lowest_drive, one_side, shares

Floats = NDArray[np.float64]
CONSTANTS = {
    "drift": 0.0002,
    "drift_current": 0.002,
    "drift_exchange": 0.02,
    "drift_weight": 0.0003,
    "weight_error": 0.6,
    "noise_amperes": 0.3,
    "noise_fraction": 0.01,
    "still": 4.0,
    "surprise": 25.0,
    "least_weight": 1e-3,
}


def block_of(seed: int, packs: int) -> Floats:
    """Lines as an estimator might leave them: exchange, weight, xx, xw, ww."""
    random = np.random.default_rng(seed)
    x_error, w_error = random.uniform(0.1, 20.0, packs), random.uniform(0.1, 40.0, packs)
    covariance = random.uniform(-0.9, 0.9, packs) * x_error * w_error
    exchange, weight = random.uniform(-30.0, 30.0, packs), random.uniform(50.0, 400.0, packs)
    return np.array([exchange, weight, x_error**2, covariance, w_error**2])


def masks_of(seed: int, packs: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    first, second = np.random.default_rng(seed + 1).random((2, packs)) < [[0.7], [0.2]]
    return first, second & ~first


DRAWN = {"seed": st.integers(0, 10_000), "packs": st.integers(1, 40)}


@given(**DRAWN, dt=st.floats(0.0, 30.0))
@settings(max_examples=100, deadline=None)
def test_lines_wander(seed: int, packs: int, dt: float) -> None:
    lines, random = block_of(seed, packs), np.random.default_rng(seed)
    prior, size, flow = (
        random.uniform(50, 400, packs),
        random.uniform(10, 400, packs),
        random.uniform(0, 90, (2, packs)),
    )
    exchange, weight, xx, xw, ww = lines
    by = 0.0002 * size + 0.002 * flow.sum(axis=0) + 0.02 * np.abs(exchange)
    more = np.where(ww < (0.6 * np.maximum(prior, weight)) ** 2, (0.0003 * weight) ** 2 * dt, 0.0)
    block = np.empty((5, packs))
    LineFilter(**CONSTANTS).wander(lines, prior, size, flow, dt, block)
    np.testing.assert_allclose(block, [exchange, weight, xx + by * by * dt, xw, ww + more], rtol=1e-12)


def kalman(line: Floats, current: float, noise: float, drive: float, level: float, prior: float) -> Floats:
    """One pack's filter step in matrix form: state (exchange, weight), measured by (1, level)."""
    exchange, weight, xx, xw, ww = line
    covariance, seen = np.array([[xx, xw], [xw, ww]]), np.array([1.0, level])
    off = current - exchange - weight * drive
    wider = max(1.0, off * off / (25.0 * (seen @ covariance @ seen + noise)))
    of_weight = min(wider, max(1.0, (0.6 * max(prior, weight)) ** 2 / ww))
    widths = np.sqrt([wider, of_weight])
    covariance = covariance * np.outer(widths, widths)
    gain = covariance @ seen / (seen @ covariance @ seen + noise)
    exchange, weight = np.array([exchange, weight]) + gain * off
    covariance = covariance - np.outer(gain, seen @ covariance)
    return np.array([exchange, weight, covariance[0, 0], covariance[0, 1], covariance[1, 1]])


@given(**DRAWN, moved=st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_current_corrects_the_lines_of_those_that_measured_one(seed: int, packs: int, moved: bool) -> None:
    block, random = block_of(seed, packs), np.random.default_rng(seed)
    chosen, unknown = masks_of(seed, packs)
    current = np.where(unknown | (random.random(packs) < 0.1), np.nan, random.uniform(-90.0, 90.0, packs))
    error, prior = random.uniform(0.0, 3.0, packs), random.uniform(50.0, 400.0, packs)
    known = chosen & ~np.isnan(current)
    before, level = block.copy(), 0.7
    drive, new_level = LineFilter(**CONSTANTS).learn(block, prior, chosen, current, error, 0.7, level)
    if not known.any():
        assert (drive, new_level) == (0.7, level)
        return
    noise, whole = 0.09 + (0.01 * current) ** 2 + error**2, before[1][known].sum()
    of_drive = noise[known].sum() + (before[2][known].sum() if (chosen & ~known).any() else 0.0)
    assert drive == pytest.approx((current - before[0])[known].sum() / whole)
    far = abs(drive - level) >= 4.0 * np.sqrt(of_drive) / whole
    assert new_level == (drive if far else level)
    for i in range(packs):
        line, off_by = before[:, i], noise[i] + (before[1, i] / whole) ** 2 * of_drive
        expected = kalman(line, current[i], off_by, drive, new_level, prior[i]) if known[i] else line
        expected = np.where([False, True, False, False, False], np.maximum(expected, 1e-3 * prior[i]), expected)
        np.testing.assert_allclose(block[:, i], expected, rtol=1e-7, atol=1e-7)


@given(**DRAWN)
@settings(max_examples=100, deadline=None)
def test_centring_moves_no_current_and_no_uncertainty(seed: int, packs: int) -> None:
    block, random = block_of(seed, packs), np.random.default_rng(seed)
    chosen, _ = masks_of(seed, packs)
    chosen[0] = True
    prior, drive = random.uniform(50.0, 400.0, packs), 0.4
    x, w, xx, xw, ww = block.copy()
    new_drive, _ = centre(block, prior, chosen, np.ones(packs, dtype=np.bool_), drive, drive)
    exchange, weight, new_xx, new_xw, new_ww = block
    assert exchange[chosen].sum() == pytest.approx(0.0, abs=1e-6)
    assert weight[chosen].sum() == pytest.approx(prior[chosen].sum())
    np.testing.assert_allclose(exchange + weight * new_drive, x + w * drive, rtol=1e-9, atol=1e-7)
    variance = new_xx + 2.0 * new_drive * new_xw + new_drive**2 * new_ww
    np.testing.assert_allclose(variance, xx + 2.0 * drive * xw + drive**2 * ww, rtol=1e-7, atol=1e-6)


@given(**DRAWN)
@settings(max_examples=50, deadline=None)
def test_shares_of_each_direction_come_to_one(seed: int, packs: int) -> None:
    weight, chosen, out = block_of(seed, packs)[1], np.array(masks_of(seed, packs)), np.empty((2, packs))
    shares(weight, chosen, out)
    np.testing.assert_array_equal(out > 0.0, chosen)
    np.testing.assert_allclose(out.sum(axis=1), chosen.any(axis=1))
    np.testing.assert_allclose(out * (chosen * weight).sum(axis=1, keepdims=True), chosen * weight)


@given(**DRAWN, sign=st.sampled_from([1.0, -1.0]))
@settings(max_examples=100, deadline=None)
def test_an_error_that_all_have_in_common_is_none(seed: int, packs: int, sign: float) -> None:
    lines = block_of(seed, packs)
    chosen, _ = masks_of(seed, packs)
    exchange, weight, *variances = lines
    block = np.empty((5, packs))
    carried = one_side(lines, sign, 0.3, chosen, block)
    np.testing.assert_allclose(block[0], sign * exchange)
    np.testing.assert_allclose(carried, (block[0] + 0.3 * weight)[chosen].sum() if chosen.any() else np.nan)
    for i in range(packs):
        among = chosen.copy()
        among[i] = True
        share = weight[i] / weight[among].sum()
        assert block[1, i] == pytest.approx(1.0 - share)
        for row, variance, signed in zip(block[2:], variances, (1.0, sign, 1.0), strict=True):
            rest = variance[chosen].sum() - (variance[i] if chosen[i] else 0.0)
            assert row[i] == pytest.approx(signed * ((1.0 - share) ** 2 * variance[i] + share**2 * rest), abs=1e-9)


@given(**DRAWN, drive=st.floats(-0.5, 0.5))
@settings(max_examples=100, deadline=None)
def test_at_its_highest_drive_a_pack_is_at_its_limit(seed: int, packs: int, drive: float) -> None:
    exchange, weight, xx, xw, ww = block_of(seed, packs)
    random = np.random.default_rng(seed)
    limits, others, drives = random.uniform(0.0, 200.0, packs), random.random(packs), np.empty(packs)
    highest_drives((exchange, weight, xx, xw, ww, others), limits, drive, 2.0, 0.03, drives)

    def above(at: Floats) -> Floats:
        variance = np.maximum(xx + 2.0 * at * xw + at * at * ww, 0.0)
        further = 0.03 * weight * others * np.maximum(at - drive, 0.0)
        return np.asarray(exchange + weight * at + further + 2.0 * np.sqrt(variance) - limits)

    found = np.isfinite(drives)
    np.testing.assert_allclose(above(np.where(found, drives, 0.0))[found], 0.0, atol=1e-4)
    grid = np.linspace(-3.0, 3.0, 61)
    for i in np.flatnonzero(~found):
        assert min(above(np.full(packs, at))[i] for at in grid) > 0.0


@given(**DRAWN)
@settings(max_examples=100, deadline=None)
def test_the_lowest_drive_of_the_sure_packs(seed: int, packs: int) -> None:
    exchange, weight, *_ = block_of(seed, packs)
    random = np.random.default_rng(seed)
    drives, own = random.uniform(-1.0, 1.0, packs), random.uniform(0.0, 200.0, packs)
    sure, maybe = masks_of(seed, packs)
    one_way = random.random(packs) < 0.5
    pack, limit, neediest, least, whole, narrower = lowest_drive(exchange, weight, drives, own, sure, maybe, one_way)
    if not sure.any():
        assert pack == -1
        return
    drive = drives[sure].min()
    flows = exchange + weight * drive
    assert drives[pack] == drive
    assert limit == pytest.approx(flows[sure].sum() + np.minimum(flows, 0.0)[maybe & ~one_way].sum())
    assert own[neediest] / weight[neediest] == least == (own / weight)[sure | maybe].min()
    assert whole == pytest.approx(weight[sure].sum())
    assert narrower == bool((drives[maybe] < drive).any())


def test_a_pack_that_no_drive_suits_leaves_no_room() -> None:
    ones, sure, maybe = np.ones(2), np.array([True, True]), np.zeros(2, dtype=np.bool_)
    assert lowest_drive(ones, ones, np.array([-np.inf, 1.0]), ones, sure, maybe, maybe)[:2] == (0, -np.inf)


@pytest.mark.parametrize(
    ("which", "wrong"),
    [
        (0, np.ones(4, dtype=np.float32)),
        (0, np.empty(0)),
        (1, np.ones(3)),
        (2, np.ones(8)[::2]),
        (4, np.ones(4)),
        (5, np.ones(4, dtype=np.int8)),
        (6, np.ones(5, dtype=np.bool_)),
    ],
    ids=["float32", "empty", "shorter", "with gaps", "a mask of numbers", "a mask of bytes", "a longer mask"],
)
def test_arrays_of_another_kind_are_refused(which: int, wrong: Any) -> None:
    arrays: list[Any] = [np.ones(4), np.ones(4), np.ones(4), np.ones(4), np.ones(4, dtype=np.bool_)]
    arrays += [arrays[-1], arrays[-1]]
    arrays[which] = wrong
    with pytest.raises(ValueError, match=r"float64|one element a pack|contiguous"):
        lowest_drive(*arrays)
