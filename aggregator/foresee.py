"""What a pack carries, or will carry, as its voltage shows it: where its current is not measured.

A pack that conducts has cells at ``V = e + r I`` behind wires. Nobody knows the resistance of these wires; both ends of
its range make the uncertainty.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.lines import Lines
from packbank.aggregator.presence import Sets
from packbank.aggregator.strings import WIRES
from packbank.aggregator.telemetry import Telemetry
from packbank.model.columns import Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

IDLE = 1.0  # A: a pack below carries nothing
AGAINST_CELLS = np.array([[0.15], [0.8]])  # resistance of cables, MOSFETs and shunt against that of the cells
STRING_ERROR = 0.2  # of a current that is reckoned from a voltage: the resistance may be another
VOLTAGE_ERROR = 0.001  # V a cell
GAIN_ERROR = 0.001  # V a cell, by which all cells of a pack may be read too high or too low
DIODE = 0.5  # V that an open switch holds off: body diodes take 0.6 to 0.8 V at the current of a pack, cold ones more
LEAST_WIRES, MOST_WIRES = 0.5 * WIRES, 2.0 * WIRES
UNLIKE_WIRES = 0.35  # of a pack's part of the current: what unlike cables make of a voltage
FADES = 600.0  # s in which packs at one voltage even out: polarisation takes minutes


def foresee(lines: Lines, tele: Telemetry, chosen: Bools, sets: Sets, cell_ohms: Floats, stronger: Floats) -> Lines:
    """The lines with exchange of packs that carry nothing from their voltage, which shows what they will carry.

    One that closes with cells at ``V_j`` takes ``((V - V_j) / r_j + rho I_s) / (1 + rho)``, where ``I_s`` is what a
    pack of its weight carries now, and ``rho`` the resistance of the wires against that of the cells. ``stronger`` says
    how many times as strong as its like a pack is: so much less is its ``r_j``.
    """
    if np.count_nonzero(chosen) == len(chosen):
        return lines
    flow = np.maximum.reduce(tele.flow)
    open_packs = sets.online & ~chosen & ~np.logical_and.reduce(sets.sure) & (flow < IDLE)
    if not np.count_nonzero(open_packs):
        return lines
    volts, by_share = _busbar(lines, tele, chosen)
    cell_ohms = cell_ohms / stronger
    by_voltage = volts / (cell_ohms * tele.cells)
    ends = by_share + (by_voltage - by_share) / (1.0 + AGAINST_CELLS)
    error = np.hypot(_half(ends), STRING_ERROR * np.abs(by_voltage)) + VOLTAGE_ERROR / (cell_ohms * np.sqrt(tele.cells))
    return _replaced(lines, open_packs, ends, error)


def held_off_by_diode(tele: Telemetry, cell_ohms: Floats) -> Floats:
    """A that each pack carries less for the voltage that an open switch holds off, at least; 0 where unknown."""
    less: Floats = np.nan_to_num(DIODE / (cell_ohms * tele.cells * (1.0 + AGAINST_CELLS[1])))
    return less


def bound_by_voltage(lines: Lines, tele: Telemetry, chosen: Bools, unread: Bools, dt: float) -> Lines:
    """The lines with exchange of the ``unread`` packs, which conduct, as their voltage bounds it.

    One that conducts with cells at ``V_j`` carries ``I_s + (V - V_j) / R``, behind wires of ``R``. That is rough, but
    it shows when what a pack exchanged has faded, which nothing else shows of a pack whose current nobody reads. Where
    it says more than is known, it is taken. Where it fits no exchange at all, what is known fades.
    """
    volts, by_share = _busbar(lines, tele, chosen)
    ends = by_share + volts / np.array([[LEAST_WIRES], [MOST_WIRES]])
    read_off = VOLTAGE_ERROR * np.sqrt(tele.cells) + GAIN_ERROR * tele.cells
    unlike = UNLIKE_WIRES * np.abs(by_share)
    error = np.hypot(_half(ends), unlike) + read_off / LEAST_WIRES
    even = unread & (np.abs(volts) <= read_off + unlike * LEAST_WIRES)
    left = np.where(even, np.exp(-dt / FADES), 1.0)
    faded = replace(lines, exchange=lines.exchange * left, xx=lines.xx * left * left)
    return _replaced(faded, unread & (error * error < faded.xx), ends, error)


def _busbar(lines: Lines, tele: Telemetry, chosen: Bools) -> tuple[Floats, Floats]:
    """V by which each pack's cells are below those of the ``chosen`` packs, and A that is its part by weight."""
    volts, current = tele[Column.VOLTAGE], tele[Column.CURRENT]
    weight = np.where(chosen, lines.weight, 0.0)
    whole = float(np.add.reduce(weight))
    busbar = float(np.add.reduce(np.where(chosen, weight * volts, 0.0))) / whole
    by_share = lines.weight * (float(np.add.reduce(current, where=chosen)) / whole)
    return busbar - volts, by_share


def _half(ends: Floats) -> Floats:
    half: Floats = 0.5 * np.abs(ends[0] - ends[1])
    return half


def _replaced(lines: Lines, packs: Bools, ends: Floats, error: Floats) -> Lines:
    """The lines of ``packs`` with a current in the middle of ``ends`` at the present drive; not where it is unknown."""
    expected = 0.5 * (ends[0] + ends[1])
    known = packs & np.isfinite(expected)
    return replace(
        lines,
        exchange=np.where(known, expected - lines.weight * lines.drive, lines.exchange),
        xx=np.where(known, error * error, lines.xx),
        xw=np.where(known, 0.0, lines.xw),
    )
