"""Rows of figures, a row a stretch of time, and the bytes that they become."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MEAN, LOW, HIGH = range(3)  # of each figure, over the stretch of a row
STATISTICS = ("mean", "low", "high")
STEP = 2.0  # s by which a wall clock must have been set to matter
_MISSING = np.iinfo(np.int32).min
_LARGEST = 2.0e9  # of a scaled figure; what is beyond cannot be true
_LENGTH = Struct("<I")
_DAMAGED = (ValueError, KeyError, TypeError, IndexError, zlib.error, RecursionError, OverflowError)

Array = NDArray[np.float64]
PackPlace = dict[str, Any]  # of a pack: name, bus, address


class Figure(NamedTuple):
    """A quantity that is kept: its key in the catalogue, and the digits kept."""

    key: str
    digits: int


class Clock(NamedTuple):
    """What the clocks were when something was written: times are put right later by the last one of the same boot."""

    boot: str
    offset: float  # s, wall clock minus clock since the boot
    read: float  # s since the boot

    def correction(self, later: Clock) -> float:
        """What to add to a time by this clock when the wall clock was set until ``later``, of the same boot; s."""
        change = later.offset - self.offset
        return change if abs(change) > STEP else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """``n`` rows. ``bank`` has the shape (n, 3, figures), ``packs`` (n, 3, packs, figures); NaN is not known.

    ``times`` are when each row begins (wall clock, s since 1970, by ``clock``), ``seconds`` how many seconds of it were
    seen. The three are :data:`MEAN`, :data:`LOW` and :data:`HIGH`.
    """

    clock: Clock
    times: Array
    seconds: Array
    bank: Array
    packs: Array
    bank_figures: tuple[Figure, ...]
    pack_figures: tuple[Figure, ...]
    places: tuple[PackPlace, ...]

    def over(self, period: float) -> Rows:
        """The same in rows of ``period`` s, which begin at multiples of it."""
        times, seconds, (bank, packs) = over(period, self.times, self.seconds, self.bank, self.packs)
        return replace(self, times=times, seconds=seconds, bank=bank, packs=packs)

    def fits(self, other: Rows) -> bool:
        """Whether both have the same figures of the same packs, by one clock."""
        mine, others = ((rows.clock.boot, rows.bank_figures, rows.pack_figures, rows.places) for rows in (self, other))
        return mine == others


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows that :meth:`Rows.fits` each other as one, all with times by the clock of the last."""
    last = parts[-1]
    return replace(
        last,
        times=np.concatenate([part.times + part.clock.correction(last.clock) for part in parts]),
        seconds=np.concatenate([part.seconds for part in parts]),
        bank=np.concatenate([part.bank for part in parts]),
        packs=np.concatenate([part.packs for part in parts]),
    )


def over(period: float, times: Array, seconds: Array, *values: Array) -> tuple[Array, Array, list[Array]]:
    """Rows in order as rows of ``period`` s, which begin at multiples of it: times, seconds, values (n, 3, ...)."""
    stretch = np.floor(times / period)
    first = np.flatnonzero(np.diff(stretch, prepend=np.nan) != 0)
    if not first.size:
        return times, seconds, list(values)
    merged = [_merged(some, seconds, first) for some in values]
    return stretch[first] * period, np.add.reduceat(seconds, first), merged


def _merged(values: Array, seconds: Array, first: NDArray[Any]) -> Array:
    """Groups of rows as one row each; a mean counts by the seconds that were seen."""
    mean = values[:, MEAN]
    known = ~np.isnan(mean)
    weight = known * seconds.reshape(-1, *[1] * (mean.ndim - 1))
    total = np.add.reduceat(weight, first)
    merged = np.full((len(first), *values.shape[1:]), np.nan)
    np.divide(np.add.reduceat(np.where(known, mean, 0.0) * weight, first), total, out=merged[:, MEAN], where=total > 0)
    merged[:, LOW] = np.fmin.reduceat(values[:, LOW], first)
    merged[:, HIGH] = np.fmax.reduceat(values[:, HIGH], first)
    return merged


class Stretch(NamedTuple):
    """The clock and the times of some rows, which are read without the rest."""

    clock: Clock
    earliest: float
    latest: float


def encode(rows: Rows) -> bytes:
    """``rows`` (one at least) as bytes: whole numbers, as differences from row to row, deflated."""
    start = round(float(rows.times[0]))
    reach = (float(rows.times.min()), float(rows.times.max()))
    head = {"clock": rows.clock, "start": start, "reach": reach, "rows": len(rows.times)}
    about = {"bank": rows.bank_figures, "packs": rows.pack_figures, "places": rows.places}
    series = np.concatenate(
        (
            _whole(np.stack((rows.times - start, rows.seconds))),
            _scaled(rows.bank, rows.bank_figures),
            _scaled(rows.packs, rows.pack_figures),
        )
    )
    packed = zlib.compress(_prefixed(_json(about)) + _planes(series), 6)
    return _prefixed(_json(head)) + packed


def stretch(payload: bytes) -> Stretch | None:
    """When the rows in ``payload`` were; ``None`` for bytes that another version may have written."""
    try:
        head = json.loads(_split(payload)[0])
        return Stretch(Clock(*head["clock"]), *map(float, head["reach"]))
    except _DAMAGED:
        return None


def decode(payload: bytes) -> Rows | None:
    """The rows that became ``payload``; ``None`` for bytes that another version may have written."""
    try:
        return _decode(payload)
    except _DAMAGED:
        return None


def _decode(payload: bytes) -> Rows:
    text, packed = _split(payload)
    head = json.loads(text)
    text, planes = _split(zlib.decompress(packed))
    about = json.loads(text)
    bank_figures, pack_figures = (tuple(Figure(*figure) for figure in about[of]) for of in ("bank", "packs"))
    count, width, packs = int(head["rows"]), len(bank_figures), len(about["places"])
    series = _series(planes, count)
    of_bank = series[2 : 2 + 3 * width].reshape(3, width, count)
    of_packs = series[2 + 3 * width :].reshape(3, packs, len(pack_figures), count)
    return Rows(
        clock=Clock(*head["clock"]),
        times=head["start"] + series[0].astype(np.float64),
        seconds=series[1].astype(np.float64),
        bank=_figures(of_bank, bank_figures),
        packs=_figures(of_packs, pack_figures),
        bank_figures=bank_figures,
        pack_figures=pack_figures,
        places=tuple(about["places"]),
    )


def _scaled(values: Array, figures: tuple[Figure, ...]) -> NDArray[np.int32]:
    """(n, 3, ..., figures) as series (all, n): the means, and how far low and high are from them."""
    whole = _whole(values * [10.0**figure.digits for figure in figures]).astype(np.int64)
    missing = whole == _MISSING
    whole[:, LOW] = whole[:, MEAN] - whole[:, LOW]
    whole[:, HIGH] -= whole[:, MEAN]
    whole[missing | (abs(whole) > _LARGEST)] = _MISSING
    return np.moveaxis(whole.astype(np.int32), 0, -1).reshape(-1, len(values))


def _figures(series: NDArray[np.int32], figures: tuple[Figure, ...]) -> Array:
    """What :func:`_scaled` was given, from (3, ..., figures, n)."""
    whole = np.where(series == _MISSING, np.nan, series.astype(np.float64))
    whole[LOW] = whole[MEAN] - whole[LOW]
    whole[HIGH] += whole[MEAN]
    return np.moveaxis(whole, -1, 0) / [10.0**figure.digits for figure in figures]


def _whole(values: Array) -> NDArray[np.int32]:
    usable = np.abs(values) <= _LARGEST  # NaN is not
    return np.where(usable, np.rint(np.where(usable, values, 0.0)), _MISSING).astype(np.int32)


def _planes(series: NDArray[np.int32]) -> bytes:
    """Differences along each row, and of the first column down; small ones as small numbers; byte by byte."""
    change = series.copy()
    change[:, 1:] -= series[:, :-1]  # wraps, and so does the sum that undoes it
    change[1:, 0] -= series[:-1, 0]
    small = ((change << 1) ^ (change >> 31)).astype("<i4")
    return small.reshape(-1, 1).view(np.uint8).T.tobytes()


def _series(planes: bytes, count: int) -> NDArray[np.int32]:
    small = np.ascontiguousarray(np.frombuffer(planes, np.uint8).reshape(4, -1).T).view("<u4").reshape(-1, count)
    change = (small >> 1).astype(np.int32) ^ -(small & 1).astype(np.int32)
    change[:, 0] = np.cumsum(change[:, 0], dtype=np.int32)
    return np.cumsum(change, axis=1, dtype=np.int32)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _prefixed(text: bytes) -> bytes:
    return _LENGTH.pack(len(text)) + text


def _split(data: bytes) -> tuple[bytes, bytes]:
    if len(data) < _LENGTH.size:
        raise ValueError("too short")
    end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    return data[_LENGTH.size : end], data[end:]
