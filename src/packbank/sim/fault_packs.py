"""Packs that are not what they were: other values, another pack at the address, or two of them.

Each fault gives, for a pack that is asked, the packs that really answer in its place (a
:data:`~packbank.sim.wire.Change`). What they say is what they mean to say: checksums and acknowledgements are right.
The cells behind them stay as they are. The docstrings are what ``packbank simulate --help`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import partial
from random import Random
from typing import NamedTuple

import numpy as np

from packbank.bms.protocol import Row
from packbank.model.columns import CELL_RESISTANCES, CELL_VOLTAGES, CELLS, Column
from packbank.sim.wire import Change, WirePack

SLOTS = {
    1: Column.TEMPERATURE_1,
    2: Column.TEMPERATURE_2,
    3: Column.TEMPERATURE_3,
    4: Column.TEMPERATURE_4,
    5: Column.TEMPERATURE_5,
}
SIZE = (  # what differs between a large pack and a small one
    Column.CHARGE_CURRENT_LIMIT,
    Column.DISCHARGE_CURRENT_LIMIT,
    Column.NOMINAL_CAPACITY,
    Column.FULL_CAPACITY,
    Column.REMAINING_CAPACITY,
)
SERIAL_LENGTH = 16
TWIN_SOC = 20.0  # points that the second pack at an address has less than the first
TWIN_TICKS = 100_000.0  # s that it has been running for longer

Values = Callable[[Row, float, float], None]
"""Changes a copy of a pack's row, given the fault's number and the seconds since the fault began."""


def _cells(row: Row, number: float, _since: float) -> None:
    """NUMBER cells in series (15), in the settings and in the status."""
    count, known = int(number), row[CELL_VOLTAGES]
    mean = float(np.nanmean(known))
    for cells, filler in ((known, mean), (row[CELL_RESISTANCES], 0.05)):
        cells[:count] = np.where(np.isnan(cells[:count]), filler, cells[:count])
        cells[count:] = np.nan
    row[Column.CELL_COUNT] = count
    row[Column.VOLTAGE] = np.nansum(known)
    row[Column.POWER] = row[Column.VOLTAGE] * row[Column.CURRENT]
    row[Column.CELL_AVERAGE] = np.nanmean(known)
    row[Column.CELL_DELTA] = np.nanmax(known) - np.nanmin(known)


def _ticks(row: Row, number: float, _since: float) -> None:
    """The ticks since boot are always NUMBER (0) seconds: a firmware without that clock."""
    row[Column.TICKS] = number


def _zero_sensor(row: Row, number: float, _since: float) -> None:
    """Temperature slot NUMBER (4) of 1 to 5 reads 0 degC, as slots without a sensor do on some firmware."""
    row[SLOTS[int(number)]] = 0.0


def _charge_limit(row: Row, number: float, _since: float) -> None:
    """The settings allow NUMBER (20) A of charge, as after a change in the app."""
    row[Column.CHARGE_CURRENT_LIMIT] = number


def _discharge_limit(row: Row, number: float, _since: float) -> None:
    """The settings allow NUMBER (20) A of discharge, as after a change in the app."""
    row[Column.DISCHARGE_CURRENT_LIMIT] = number


def _other_size(row: Row, number: float, since: float) -> None:
    row[list(SIZE)] *= number
    row[Column.TICKS] = row[Column.RUNTIME] = since
    row[Column.CYCLES] = row[Column.CYCLE_CAPACITY] = 0.0


def _twin(row: Row, _number: float, _since: float) -> None:
    row[Column.SOC] = max(row[Column.SOC] - TWIN_SOC, 0.0)
    row[Column.REMAINING_CAPACITY] = row[Column.SOC] / 100 * row[Column.FULL_CAPACITY]
    row[Column.TICKS] += TWIN_TICKS


def _with(pack: WirePack, values: Values, number: float, start: float) -> WirePack:
    """The pack with other values, from ``start`` on."""

    def row(now: float) -> Row:
        changed = pack.row(now).copy()
        values(changed, number, now - start)
        return changed

    return replace(pack, row=row)


def _another(pack: WirePack, mark: str) -> WirePack:
    """A pack at the same address, with a serial number of its own: at most 16 characters that end in ``mark``."""
    responder = copy(pack.responder)
    identity = responder.identity
    responder.identity = replace(
        identity, serial=f"{identity.serial[: SERIAL_LENGTH - len(mark)]}{mark}", name=f"{identity.name} {mark}".strip()
    )
    return replace(pack, responder=responder)


def _values(values: Values, number: float, start: float, _random: Random) -> Change:
    return lambda _now, pack: [_with(pack, values, number, start)]


def _frozen(_number: float, _start: float, _random: Random) -> Change:
    """Every byte of the pack's answers stands still from here on."""
    rows: dict[int, Row] = {}

    def change(now: float, pack: WirePack) -> list[WirePack]:
        row = rows.setdefault(pack.responder.address, pack.row(now).copy())
        return [replace(pack, row=lambda _now: row)]

    return change


def _swap(number: float, start: float, random: Random) -> Change:
    """Another pack stands at the address: NUMBER (0.5) times the limits and capacity, its own serial, just booted."""
    mark = f"S{random.randrange(10_000):04d}"
    return lambda _now, pack: [_with(_another(pack, mark), _other_size, number, start)]


def _pair(pack: WirePack, start: float) -> list[WirePack]:
    return [pack, _with(_another(pack, "T"), _twin, 0.0, start)]


def _two_in_turn(_number: float, start: float, _random: Random) -> Change:
    """Two packs are set to this address and answer in turn."""
    turns: dict[int, int] = {}

    def change(_now: float, pack: WirePack) -> list[WirePack]:
        address = pack.responder.address
        turns[address] = 1 - turns.get(address, 1)
        return [_pair(pack, start)[turns[address]]]

    return change


def _two_at_once(_number: float, start: float, _random: Random) -> Change:
    """Two packs are set to this address and answer at once: each garbles the other's bytes."""
    return lambda _now, pack: _pair(pack, start)


class PackFault(NamedTuple):
    """A fault of this module: how to make its change (number, start, random), and what its number may be."""

    change: Callable[[float, float, Random], Change]
    meaning: str
    default: float = 0.0
    least: float = 0.0
    most: float = 0.0  # equal to least: it takes no number


def _of(values: Values, default: float, least: float, most: float) -> PackFault:
    return PackFault(partial(_values, values), values.__doc__ or "", default, least, most)


PACK_FAULTS: Mapping[str, PackFault] = {
    "cells": _of(_cells, 15, 1, CELLS),
    "ticks": _of(_ticks, 0, 0, 4e8),
    "frozen": PackFault(_frozen, _frozen.__doc__ or ""),
    "zero-sensor": _of(_zero_sensor, 4, 1, 5),
    "charge-limit": _of(_charge_limit, 20, 0, 1000),
    "discharge-limit": _of(_discharge_limit, 20, 0, 1000),
    "swap": PackFault(_swap, _swap.__doc__ or "", 0.5, 0.1, 2),
    "two-in-turn": PackFault(_two_in_turn, _two_in_turn.__doc__ or ""),
    "two-at-once": PackFault(_two_at_once, _two_at_once.__doc__ or ""),
}
