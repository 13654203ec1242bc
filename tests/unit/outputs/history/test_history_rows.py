"""Rows: what is encoded is decoded to the digits kept, damaged bytes raise nothing, merging loses no extreme."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from packbank.outputs.history.rows import HIGH, LOW, MEAN, Clock, Figure, Rows, decode, encode, joined, stretch

FIGURES = (Figure("voltage", 2), Figure("current", 1), Figure("cells.1", 3))
VALUES = st.floats(-2000.0, 2000.0) | st.just(float("nan")) | st.sampled_from([float("inf"), 1e300, -1e12])
PLACES = tuple({"name": f"pack {number}", "bus": "roof", "address": number} for number in (1, 2))


@st.composite
def some_rows(draw: st.DrawFn) -> Rows:
    count = draw(st.integers(1, 5))

    def triples(*shape: int) -> NDArray[np.float64]:
        """Mean, low and high in order, or all unknown."""
        values = np.sort(draw(arrays(np.float64, (count, 3, *shape), elements=VALUES)), axis=1)
        values[np.broadcast_to(np.isnan(values).any(axis=1, keepdims=True), values.shape)] = np.nan
        return values[:, [1, 0, 2]]

    steps = draw(arrays(np.float64, count, elements=st.integers(-100_000, 100_000)))
    return Rows(
        clock=Clock("boot1", draw(st.floats(-1e9, 2e9)), 12.5),
        times=draw(st.integers(0, 4_000_000_000)) + np.cumsum(steps),
        seconds=draw(arrays(np.float64, count, elements=st.integers(1, 3600))),
        bank=triples(len(FIGURES)),
        packs=triples(len(PLACES), len(FIGURES)),
        bank_figures=FIGURES,
        pack_figures=FIGURES,
        places=PLACES,
    )


def same(read: NDArray[np.float64], written: NDArray[np.float64]) -> None:
    for place, figure in enumerate(FIGURES):
        step = 10.0**-figure.digits
        expected = np.where(np.abs(written[..., place]) <= 2e9 * step, written[..., place], np.nan)
        mean = ~np.isnan(expected[:, MEAN])
        np.testing.assert_allclose(read[..., place][:, MEAN], expected[:, MEAN], atol=0.51 * step)
        for one in (LOW, HIGH):  # unknown where the mean is, or where the two are too far apart for the block
            known = mean & ~np.isnan(read[..., place][:, one])
            np.testing.assert_allclose(read[..., place][:, one][known], expected[:, one][known], atol=0.51 * step)


@settings(max_examples=50)
@given(some_rows())
def test_what_is_encoded_is_decoded(rows: Rows) -> None:
    read = decode(encode(rows))
    assert read is not None
    for part in ("clock", "bank_figures", "pack_figures", "places"):
        assert getattr(read, part) == getattr(rows, part)
    np.testing.assert_array_equal(read.times, rows.times)
    np.testing.assert_array_equal(read.seconds, rows.seconds)
    same(read.bank, rows.bank)
    same(read.packs, rows.packs)
    when = stretch(encode(rows))
    assert when == (rows.clock, rows.times.min(), rows.times.max())


@pytest.fixture
def rows() -> Rows:
    """Two minutes of two packs."""
    bank = np.arange(18.0).reshape(2, 3, 3)
    packs = np.arange(36.0).reshape(2, 3, 2, 3)
    times, seconds = np.array([60.0, 120.0]), np.array([60.0, 30.0])
    return Rows(Clock("b", 0.0, 1.0), times, seconds, bank, packs, FIGURES, FIGURES, PLACES)


def test_damaged_bytes_raise_nothing(rows: Rows) -> None:
    """The CRC of a block refuses them; should one slip through, it costs that block only."""
    whole = encode(rows)
    for place in range(len(whole)):
        for change in (1, 128, 255):
            damaged = bytearray(whole)
            damaged[place] ^= change
            decode(bytes(damaged))
            stretch(bytes(damaged))
        assert decode(whole[:place]) is None


def test_times_far_apart_are_not_lost(rows: Rows) -> None:
    """A GX that starts in 1970 and is then set, within one block."""
    odd = dataclasses.replace(rows, times=np.array([60.0, 1_900_000_000.0]))
    read = decode(encode(odd))
    assert read is not None
    assert read.times.tolist() == [60.0, 1_900_000_000.0]


@settings(max_examples=50)
@given(some_rows(), st.sampled_from([60.0, 300.0, 86400.0]))
def test_merged_rows_keep_extremes_and_seconds(rows: Rows, period: float) -> None:
    ordered = dataclasses.replace(rows, times=np.sort(rows.times))
    merged = ordered.over(period)
    assert merged.seconds.sum() == ordered.seconds.sum()
    assert np.all(np.diff(merged.times) > 0)
    assert np.all(merged.times % period == 0)
    for now, before in ((merged.bank, ordered.bank), (merged.packs, ordered.packs)):
        np.testing.assert_array_equal(np.fmin.reduce(now[:, LOW]), np.fmin.reduce(before[:, LOW]))
        np.testing.assert_array_equal(np.fmax.reduce(now[:, HIGH]), np.fmax.reduce(before[:, HIGH]))
        known = np.isfinite(now).all(axis=1)
        room = 1e-9 * np.abs(now[:, HIGH][known]) + 1e-9
        assert np.all(now[:, MEAN][known] >= now[:, LOW][known] - 1e-9 * np.abs(now[:, LOW][known]) - 1e-9)
        assert np.all(now[:, MEAN][known] <= now[:, HIGH][known] + room)


def test_a_mean_counts_by_the_seconds_that_were_seen(rows: Rows) -> None:
    bank = rows.bank.copy()
    bank[0, MEAN, 0], bank[1, MEAN, 0], bank[1, MEAN, 1] = 10.0, 40.0, np.nan
    merged = dataclasses.replace(rows, bank=bank).over(3600.0)
    assert merged.bank[0, MEAN, 0] == pytest.approx((10.0 * 60 + 40.0 * 30) / 90)
    assert merged.bank[0, MEAN, 1] == bank[0, MEAN, 1]  # the only one that is known


def test_joined_rows_follow_the_last_clock(rows: Rows) -> None:
    later = dataclasses.replace(rows, clock=Clock("b", 5000.0, 130.0), times=rows.times + 5000.0 + 120.0)
    assert joined([rows, later]).times.tolist() == [5060.0, 5120.0, 5180.0, 5240.0]
    drifted = dataclasses.replace(rows, clock=Clock("b", 1.0, 130.0), times=rows.times + 120.0)
    assert joined([rows, drifted]).times.tolist() == [60.0, 120.0, 180.0, 240.0]
