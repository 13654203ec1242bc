"""The commands of Daly boards by the names of their questions, and what each answer fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from struct import unpack_from
from types import MappingProxyType

import numpy as np

from packbank.bms import daly_fields as fields
from packbank.bms.daly_fields import DATA
from packbank.bms.daly_frames import MOST_FRAMES, Board, Command, Frames
from packbank.bms.fields import Text
from packbank.bms.protocol import Row, Topic
from packbank.bms.sensors import put_temperatures
from packbank.bms.trust import SIGN_CERTAIN
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, CELLS, COLUMNS, Column
from packbank.model.identity import Identity

QUESTIONS: Mapping[Topic, tuple[str, ...]] = MappingProxyType(
    {
        Topic.STATUS: ("pack", "state", "cells", "temperatures", "balance", "alarms"),
        Topic.SETTINGS: ("counts", "rated"),
        Topic.ABOUT: ("production", "code", "software", "hardware"),
    }
)
ESSENTIAL = ("pack", "counts", "cells")  # boards are known that answer no other
FLOWS = {1: 1, 2: -1}  # the state byte; 0: neither


@cache
def commands() -> Mapping[str, Command]:
    """Every question. The extremes are not asked in a round, since cells and temperatures report more."""
    made = (
        Command("pack", 0x90, _pack),
        Command("cell extremes", 0x91, _cell_extremes),
        Command("temperature extremes", 0x92, _plain),
        Command("state", 0x93, _state),
        Command("counts", 0x94, _counts),
        Command("cells", 0x95, _cells, _frames_of_cells),
        Command("temperatures", 0x96, _temperatures, _frames_of_sensors),
        Command("balance", 0x97, _plain),
        Command("alarms", 0x98, _alarms),
        Command("rated", 0x50, _plain),
        Command("production", 0x53, _production),
        Command("code", 0x57, _text("serial"), lambda _: 5),
        Command("software", 0x62, _text("software"), lambda _: 2),
        Command("hardware", 0x63, _text("hardware"), lambda _: 2),
    )
    return MappingProxyType({command.question: command for command in made})


def sense(board: Board) -> int:
    """Whether the current and the state of this visit agree (1), contradict each other (-1), or say nothing (0)."""
    pack, state = board.said.get("pack"), board.said.get("state")
    if not pack or not state:
        return 0
    row = np.full(COLUMNS, np.nan)
    fields.layout(0x90).decode_into(pack, row)
    together = row.item(Column.CURRENT) * FLOWS.get(state[fields.STATE_OFFSET], 0)
    return int(np.sign(together)) if abs(together) > SIGN_CERTAIN else 0


def _frames_of_cells(board: Board) -> int:
    return -(-board.cells // fields.CELLS_A_FRAME) or MOST_FRAMES


def _frames_of_sensors(board: Board) -> int:
    return -(-board.sensors // fields.SENSORS_A_FRAME) or 1


def _plain(frames: Frames, row: Row, identity: Identity) -> Identity:
    fields.layout(frames.command.code).decode_into(frames.joined(slice(None)), row)
    return identity


def _pack(frames: Frames, row: Row, identity: Identity) -> Identity:
    _plain(frames, row, identity)
    row[Column.POWER] = row[Column.VOLTAGE] * row[Column.CURRENT]
    return identity


def _cell_extremes(frames: Frames, row: Row, identity: Identity) -> Identity:
    highest, _, lowest = unpack_from(">HBH", frames.joined(slice(None)), DATA)
    row[Column.CELL_DELTA] = (highest - lowest) / 1000
    return identity


def _state(frames: Frames, row: Row, identity: Identity) -> Identity:
    _plain(frames, row, identity)
    if row[Column.REMAINING_CAPACITY] == 0 and row[Column.SOC] > 0:  # seen on firmware that does not count it
        row[Column.REMAINING_CAPACITY] = np.nan
    row[Column.FLOW] = FLOWS.get(frames.joined(slice(None))[fields.STATE_OFFSET], 0)
    return identity


def _counts(frames: Frames, row: Row, identity: Identity) -> Identity:
    _plain(frames, row, identity)
    if not 1 <= row[Column.CELL_COUNT] <= CELLS:
        raise FrameError("cells", f"{row[Column.CELL_COUNT]:.0f} cells in series; 1 to {CELLS} can be")
    return identity


def _cells(frames: Frames, row: Row, identity: Identity) -> Identity:
    """Slots behind the last cell hold zeros or stale copies of other cells."""
    slots = frames.joined(fields.CELL_BYTES).ljust(2 * CELLS, b"\0")
    fields.cells_layout().decode_into(slots, row)
    row[CELL_VOLTAGES][frames.board.cells or frames.count * fields.CELLS_A_FRAME :] = np.nan
    return identity


def _temperatures(frames: Frames, row: Row, identity: Identity) -> Identity:
    raw = frames.joined(fields.SENSOR_BYTES)[: frames.board.sensors or None]
    put_temperatures(row, [np.nan if value in fields.NO_SENSOR else value + fields.COLDEST for value in raw])
    return identity


def _alarms(frames: Frames, row: Row, identity: Identity) -> Identity:
    _plain(frames, row, identity)
    word = frames.joined(fields.ALARM_BYTES)
    row[Column.ALARM_BITS] = int.from_bytes(word, "little") & fields.ALARM_BITS_KNOWN
    return identity


def _production(frames: Frames, row: Row, identity: Identity) -> Identity:
    del row
    year, month, day = frames.joined(fields.PRODUCTION_BYTES)
    known = 1 <= month <= 12 and 1 <= day <= 31
    return replace(identity, manufactured=f"20{year:02d}-{month:02d}-{day:02d}" if known else "")


def _text(name: str) -> Callable[[Frames, Row, Identity], Identity]:
    def fill(frames: Frames, row: Row, identity: Identity) -> Identity:
        del row
        raw = frames.joined(fields.TEXT_BYTES)
        reported: dict[str, str] = {name: Text(name, 0, len(raw)).decode(raw)}
        return replace(identity, **reported)  # type: ignore[arg-type]  # every name is of a text

    return fill
