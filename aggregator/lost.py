"""What a lost pack is taken for: it may still carry current, and nobody sees its cells and its temperatures.

Its cells follow the busbar, as they do if it conducts. Its temperatures grow old. Those of the cells move as the worst
fresh pack's do, since a day warms and cools all packs alike, and what the pack was colder or hotter than that one fades
over hours: in the first hour it stays, so that a pack in a cold shed does not count as warm, and after a day nothing of
it is left. The MOSFETs lose theirs within minutes. The worst is the coldest for the cold side, the hottest for the hot.

What a lost pack said last is saved, with its age: a restart frees the bank of no pack. The age goes on from where it
was saved, whatever the wall clock says; the time that the process was away does not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.limits import OwnLimits
from packbank.aggregator.presence import FRESH, Sets
from packbank.aggregator.telemetry import COLDEST, HIGHEST, HOTTEST, LOWEST, MOSFETS, USED, Telemetry
from packbank.model.battery import Cause
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# A pack of 280 Ah holds 110 kJ/K (16 cells of 5.4 kg and 1.1 kJ/(kg K), a case) and gives about 6 W/K to still air
# (1 m2 and 6 W/(m2 K), radiation included): 5 h. The room around it is as slow, so its difference from the others
# fades like two such bodies one after the other, at first not at all. A smaller pack is faster, and is taken for slow.
CELLS_TIME = 18000.0  # s
# The heat sink of a BMS for 100 to 200 A: 0.4 kg of aluminium of 900 J/(kg K), 0.9 W/K to still air.
MOSFETS_TIME = 400.0  # s

# Packs of one busbar even out: on the flattest part of an LFP curve a point of charge (10 kC of 280 Ah) is 4 mV of 16
# cells, which press 0.67 A through the 6 mohm of a string and its wires.
EVEN_OUT = 15000.0  # s

_TEMPERATURES = slice(COLDEST, MOSFETS + 1)  # of Telemetry.extremes: coldest, hottest, MOSFETs
_WORST_FIRST = np.array([[1.0], [-1.0], [-1.0]])  # turns the worst of each row into its lowest
_FOLLOW = np.array([[1.0], [1.0], [0.0]])  # whose changes a lost pack takes part in: MOSFETs' are each pack's own
_SAVED = tuple(column for column in USED if column is not Column.STATUS_TIME)
_DIGITS = 4
_FIGURES = {Cause.TEMPERATURE: ("battery", [COLDEST, HOTTEST]), Cause.MOS_TEMPERATURE: ("MOSFETs", [MOSFETS])}
_SAME = 0.5  # K: a temperature that has aged by less counts as it was seen


class LostPacks:
    """The lost packs from step to step."""

    def __init__(self, packs: int) -> None:
        self._aged: Floats | None = None  # (3, packs), temperatures of the packs that are lost, NaN for the others
        self._before: tuple[Floats, Bools, Bools] | None = None  # temperatures, who was fresh, which sensors reported
        self._matrix: Floats | None = None  # of the last step
        self._ages = np.full(packs, np.nan)  # s, of packs that are lost
        self._recalled: dict[int, tuple[float, Floats]] = {}  # by pack: age in s when it was restored, its row
        self._restored_at = np.nan  # monotonic s of the first step
        self._restored: dict[int, Floats] = {}  # aged temperatures that were saved

    def recall(self, matrix: Floats, now: float) -> Floats:
        """``matrix`` with what was saved of packs that were lost before a restart and have not answered since."""
        if self._recalled:
            matrix = matrix.copy()
            self._restored_at = now if isnan(self._restored_at) else self._restored_at
            for pack, (age, row) in list(self._recalled.items()):
                if isnan(matrix[pack, Column.STATUS_TIME]):
                    matrix[pack] = row
                    matrix[pack, Column.STATUS_TIME] = self._restored_at - age
                else:
                    del self._recalled[pack]
        self._matrix = matrix
        return matrix

    def step(self, tele: Telemetry, sets: Sets, busbar: float, dt: float) -> Floats:
        """:attr:`Telemetry.extremes` with what the lost packs are taken for, ``dt`` s after the last step."""
        if not sets.any_lost:
            self._aged = self._before = None
            return tele.extremes
        extremes = tele.extremes.copy()
        drift = np.where(sets.lost, (busbar - tele[Column.VOLTAGE]) / tele.cells, 0.0)
        extremes[LOWEST : HIGHEST + 1] += np.where(np.isnan(drift), 0.0, drift)
        extremes[_TEMPERATURES] = np.where(sets.lost, self._age(tele, sets, dt), extremes[_TEMPERATURES])
        return extremes

    def _age(self, tele: Telemetry, sets: Sets, dt: float) -> Floats:
        """The lost packs' temperatures ``dt`` s later."""
        now, fresh = tele.extremes[_TEMPERATURES], sets.code == FRESH
        sensors = np.isnan(tele.sensors)
        aged = self._begun(now)
        if self._before is not None:
            before, were_fresh, had = self._before
            same = fresh & were_fresh & (sensors == had).all(axis=0)  # who comes or goes changes nobody's temperature
            moved = _worst(now, same) - _worst(before, same)
            aged = aged + np.where(np.isnan(moved), 0.0, _FOLLOW * moved)
        age = np.where(sets.lost & ~np.isnan(tele.age), tele.age, 0.0)
        fades = _fade(np.where(np.isnan(self._ages), 0.0, np.maximum(age - dt, 0.0)), age)
        worst = _worst(now, fresh)
        aged = np.where(np.isnan(worst), aged, worst + (aged - worst) * fades)
        self._aged = np.where(sets.lost, aged, np.nan)
        self._ages = np.where(sets.lost, tele.age, np.nan)
        self._before = now, fresh, sensors
        return self._aged

    def _begun(self, seen: Floats) -> Floats:
        """The aged temperatures, which begin with what was ``seen`` last, or with what was saved."""
        aged = seen if self._aged is None else np.where(np.isnan(self._aged), seen, self._aged)
        if self._restored:
            aged = aged.copy()
            for pack, temperatures in self._restored.items():
                aged[:, pack] = temperatures
                self._ages[pack] = 0.0  # it has begun to age before
            self._restored = {}
        return aged

    def save(self, names: Sequence[str]) -> dict[str, Any]:
        """What the lost packs said last, how long ago, and what they are taken for now; JSON-able, by name."""
        if self._aged is None or self._matrix is None:
            return {}
        saved = {}
        for pack in np.flatnonzero(self._ages >= 0.0).tolist():
            row = self._matrix[pack]
            saved[names[pack]] = {
                "age": round(float(self._ages[pack]), 1),
                "temperatures": [_plain(value) for value in self._aged[:, pack].tolist()],
                "cells": [_plain(value) for value in row[CELL_VOLTAGES].tolist()],
                "row": {column.key: _plain(row[column]) for column in _SAVED if not isnan(row[column])},
            }
        return saved

    def restore(self, names: Sequence[str], saved: Mapping[str, Any]) -> None:
        """Take it back before the first step. Raises LookupError, TypeError or ValueError when it is damaged."""
        number = {name: pack for pack, name in enumerate(names)}
        columns = {column.key: column for column in _SAVED}
        for name, reported in saved.items():
            row = np.full(COLUMNS, np.nan)
            row[CELL_VOLTAGES] = [_value(value) for value in reported["cells"]]
            for key, value in reported["row"].items():
                if key in columns:  # not one of another version
                    row[columns[key]] = float(value)
            temperatures = np.array([_value(value) for value in reported["temperatures"]])
            age = float(reported["age"])
            if temperatures.shape != (len(_WORST_FIRST),) or not age >= 0.0:
                raise ValueError(f"temperatures and age of lost pack {name}")
            if name in number:
                self._recalled[number[name]] = age, row
                self._restored[number[name]] = temperatures


def even_out(block: Floats, unseen: Bools, dt: float) -> None:
    """Let what ``unseen`` packs exchange with the others fade, and how unknown it is, in ``block`` of ``Lines``.

    Otherwise what nobody sees is more unknown each day, and a pack that is lost for days stops the bank. So it is never
    more unknown than after some hours; its weight stays what it is.
    """
    exchange, _, xx, xw, _ = block
    left = np.where(unseen, np.exp(-dt / EVEN_OUT), 1.0)
    exchange *= left
    xx *= left * left
    xw *= left


def like_the_others(own: OwnLimits, tele: Telemetry, sets: Sets) -> OwnLimits:
    """``own`` with limits of lost packs that have not answered since the start: for each Ah the lowest that conducts.

    One whose capacity is not known either is as large as they are in the median. Where the configuration gives a lower
    ceiling that holds.
    """
    unheard = sets.lost & np.isnan(tele.age)
    if not np.count_nonzero(unheard):
        return own
    known = tele.capacity[sets.member & ~np.isnan(tele.capacity)]
    size = np.where(np.isnan(tele.capacity), np.median(known) if len(known) else 1.0, tele.capacity)
    bounds = (
        np.minimum.reduce(of / size, axis=1, where=sets.sure & ~np.isnan(of), initial=np.inf, keepdims=True) * size
        for of in (own.ceiling, own.value)
    )
    ceiling = np.where(unheard, np.fmin(own.ceiling, next(bounds)), own.ceiling)
    return replace(own, ceiling=ceiling, value=np.where(unheard, np.fmin(ceiling, next(bounds)), own.value))


def describe(cause: Cause, pack: int, tele: Telemetry, extremes: Floats) -> str:
    """The figure behind a lost pack's own limit, ready to print; ``extremes`` are those of :meth:`LostPacks.step`."""
    if isnan(tele.age[pack]):
        return "has not answered yet, taken for one of the others"
    if cause not in _FIGURES:
        return ""
    name, rows = _FIGURES[cause]
    seen, taken = ([float(values[row, pack]) for row in rows] for values in (tele.extremes, extremes))
    if any(isnan(value) for value in seen):
        return "temperature unknown"
    text = f"{name} as last seen, {_span(seen)}"
    if max(abs(now - was) for now, was in zip(taken, seen, strict=True)) < _SAME:
        return text
    return f"{text}, {_duration(float(tele.age[pack]))} ago, taken for {_span(taken)}"


def _worst(temperatures: Floats, chosen: Bools) -> Floats:
    """Of the ``chosen`` packs that report, shape ``(3, 1)``; ``NaN`` where none does."""
    reported = np.where(chosen, _WORST_FIRST * temperatures, np.nan)
    worst: Floats = _WORST_FIRST * np.fmin.reduce(reported, axis=1, keepdims=True)
    return worst


def _fade(before: Floats, age: Floats) -> Floats:
    """What is left at ``age`` s of a difference that was there ``before``, shape ``(3, packs)``."""
    gone = age - before
    cells = (CELLS_TIME + age) / (CELLS_TIME + before) * np.exp(-gone / CELLS_TIME)
    return np.stack([cells, cells, np.exp(-gone / MOSFETS_TIME)])


def _span(values: Sequence[float]) -> str:
    ends = dict.fromkeys(f"{value:.0f}" for value in (min(values), max(values)))
    return f"{' to '.join(ends)} degC"


def _duration(seconds: float) -> str:
    return f"{seconds / 3600.0:.1f} h" if seconds >= 3600.0 else f"{seconds / 60.0:.0f} min"


def _plain(value: float) -> float | None:
    return None if isnan(value) else round(float(value), _DIGITS)


def _value(saved: float | None) -> float:
    return float("nan") if saved is None else float(saved)
