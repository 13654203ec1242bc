"""What the answers of PACE, Pylontech and Seplos begin with: counts, each before its values, and so the shape of INFO.

Analog values (0x42): flag, number, cells, u16 each, sensors, u16 each, and then what differs. States (0x44): the same
with u8. A layout is compiled for each shape that is met, which is one or two in a bank.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple

from packbank.bms.ascii_frames import Question
from packbank.bms.fields import Bits, Field, names_of
from packbank.bms.protocol import Row
from packbank.cext.envelope import HEADER
from packbank.cext.figures import spread
from packbank.cext.layout import Layout
from packbank.errors import FrameError
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, CELLS, Column
from packbank.model.identity import Identity

FLAG, NUMBER, COUNTS = HEADER, HEADER + 1, HEADER + 2  # places in an opened frame
MOST_SENSORS = 16
SHAPES = 32  # layouts kept

# Raw full capacity from which a short 0x42 with VER 20 is Pylontech's, below it PACE's: 35 Ah there, 350 Ah here.
PYLONTECH_FULL = 35_000

FOUR_CELLS: tuple[Column | None, ...] = BATTERY_TEMPERATURES


class Shape(NamedTuple):
    """How many values an answer has, and how many bytes in all; ``end`` is where what differs begins."""

    cells: int
    sensors: int
    end: int
    size: int

    @property
    def rest(self) -> int:
        """Bytes from ``end`` on."""
        return self.size - self.end

    @property
    def misfit(self) -> FrameError:
        """Why an answer of this shape is none to the question: ``layout``."""
        return FrameError("layout", f"{self.rest} bytes behind {self.cells} cells and {self.sensors} sensors")


def counted(opened: bytes, width: int, at: int = COUNTS) -> Shape:
    """The shape of an answer whose values have ``width`` bytes; FrameError ``layout`` when it has none."""
    size = len(opened)
    cells = opened[at] if at < size else 0
    sensors_at = at + 1 + width * cells
    sensors = opened[sensors_at] if sensors_at < size else MOST_SENSORS + 1
    end = sensors_at + 1 + width * sensors
    if not 1 <= cells <= CELLS or sensors > MOST_SENSORS or end > size:
        raise FrameError("layout", f"{size - HEADER} bytes of INFO do not hold {cells} cells with their sensors")
    return Shape(cells, sensors, end, size)


def split_counted(opened: bytes, end: Callable[[bytes, Shape], int]) -> list[bytes]:
    """An answer about several packs, one behind the other, as answers about one; ``end`` says where the next begins.

    None where they do not fill INFO exactly.
    """
    count = opened[NUMBER] if len(opened) > NUMBER else 0
    at, blocks = COUNTS, list[bytes]()
    try:
        while len(blocks) < count:
            next_at = end(opened, counted(opened, 2, at))
            blocks.append(opened[:FLAG] + bytes((opened[FLAG], len(blocks) + 1)) + opened[at:next_at])
            at = next_at
    except FrameError:
        return []
    return blocks if at == len(opened) else []


def raw_full(opened: bytes, shape: Shape) -> int:
    """The full capacity in an answer of PACE or Pylontech, which have different units."""
    return int.from_bytes(opened[shape.end + 7 : shape.end + 9])


def fields_of(shape: Shape, roles: Sequence[Column | None], zero: int, absent: int | None, source: str) -> list[Field]:
    """The cells, their number, and a temperature for each of ``roles``: 0.1 K with ``zero`` at 0 degC."""
    made = [
        Field(Column.CELL_COUNT, COUNTS, "u8", source=source),
        Field(CELL_VOLTAGES.start, COUNTS + 1, "u16", 0.001, count=shape.cells, source=source),
    ]
    at = COUNTS + 2 + 2 * shape.cells
    for place, column in enumerate(roles[: shape.sensors]):
        if column is not None:
            made.append(Field(column, at + 2 * place, "u16", 0.1, -zero, absent, source=source))
    return made


def check_cells(opened: bytes, shape: Shape) -> None:
    """FrameError ``empty`` when every cell is 0 V: there is no such pack, or its BMS does not measure."""
    cells = opened[COUNTS + 1 : COUNTS + 1 + 2 * shape.cells]
    if not any(cells):
        raise FrameError("empty", f"all {shape.cells} cells are 0 V")


def check_states(rests: Collection[int], opened: bytes) -> None:
    """As :attr:`Question.check` for 0x44, behind whose states so many bytes can stand."""
    shape = counted(opened, 1)
    if shape.rest not in rests:
        raise shape.misfit


def fill_states(layout: Callable[[Shape], Layout], opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill` for 0x44."""
    layout(counted(opened, 1)).decode_into(opened, row)
    return identity


def name_states(bits: Bits, opened: bytes, behind: int = 0) -> list[str]:
    """As :attr:`Question.names` for 0x44, when the bits' bytes count from ``behind`` the states on."""
    return names_of(bits, opened, counted(opened, 1).end + behind)


def ask_states(rests: Collection[int], layout: Callable[[Shape], Layout], bits: Bits, digits: int) -> Question:
    """0x44 of a family whose alarm bits stand behind the states, with so many ``digits`` of INFO usually."""
    check, fill, names = partial(check_states, rests), partial(fill_states, layout), partial(name_states, bits)
    return Question(0x44, check, fill, digits, numbered=True, names=names)


def finish(row: Row) -> None:
    """What follows from voltage, current and capacities."""
    row[Column.POWER] = row.item(Column.VOLTAGE) * row.item(Column.CURRENT)
    remaining, full = row.item(Column.REMAINING_CAPACITY), row.item(Column.FULL_CAPACITY)
    if full > 0.0:
        row[Column.SOC] = min(100.0 * remaining / full, 100.0)


def unwrap_voltage(row: Row, span: float) -> None:
    """A voltage in a word of 16 bits begins anew at ``span``; the cells say how often it did."""
    total = spread(row, CELL_VOLTAGES.start, CELL_VOLTAGES.stop).total
    row[Column.VOLTAGE] += span * max(round((total - row.item(Column.VOLTAGE)) / span), 0)
