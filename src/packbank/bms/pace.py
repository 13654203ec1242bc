"""PACE BMS (Gobel, Jakiper, SOK, EASUN, SungoldPower, Greenrich and other brands), ASCII protocol 2.5.

Packs with VER 20 or 26 and the shortest form of 0x42 are read too. On the RS232 of a pack that is master (DIP 1) the
others are asked through it: ADR is then the master's, and the number in INFO says whose values these are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from packbank.bms import pace_fields as tables
from packbank.bms.ascii_counts import (
    FLAG,
    PYLONTECH_FULL,
    Shape,
    ask_states,
    check_cells,
    counted,
    finish,
    raw_full,
    split_counted,
    unwrap_voltage,
)
from packbank.bms.ascii_frames import RETURN_CODES, VER, Question, Way
from packbank.bms.ascii_protocol import AsciiProtocol
from packbank.bms.protocol import Row, Topic
from packbank.cext.envelope import HEADER
from packbank.errors import FrameError
from packbank.model.columns import Column
from packbank.model.identity import Identity

MASTER = 0x01
NEW, OLD, RICHPOWER = 0x25, 0x20, 0x26  # VER
OLD_GAP = 0.200  # s between two questions to a board that does not have the newest VER; nkinnan/esphome-pace-bms
SOC_AGREES = 2.0  # %


def analog_shape(opened: bytes) -> Shape:
    """The shape of an answer about one pack to 0x42; FrameError ``layout``, ``empty``."""
    shape = counted(opened, 2)
    tail = shape.rest - tables.TO_TAIL
    clone = tail == tables.CLONE_TAIL and opened[FLAG] <= 1 and raw_full(opened, shape) < PYLONTECH_FULL
    if tail not in tables.TAILS or (opened[VER] != NEW and not clone):
        raise shape.misfit
    check_cells(opened, shape)
    return shape


def check_analog(opened: bytes) -> None:
    """As :attr:`Question.check`."""
    analog_shape(opened)


def fill_analog(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`."""
    shape = counted(opened, 2)
    tables.analog_layout(shape).decode_into(opened, row)
    unwrap_voltage(row, tables.VOLTAGE_SPAN)
    finish(row)
    if shape.rest - tables.TO_TAIL in tables.SOC_TAILS:
        reported = opened[shape.end + 13]
        if abs(reported - row.item(Column.SOC)) <= SOC_AGREES:
            row[Column.SOC] = reported
    return identity


def split_analog(opened: bytes) -> list[bytes]:
    """The answer about all packs as answers about one; they all have the same tail."""
    for tail in tables.TAILS:
        if blocks := split_counted(opened, partial(_end, tail)):
            return blocks
    return []


def _end(tail: int, opened: bytes, shape: Shape) -> int:
    del opened
    return shape.end + tables.TO_TAIL + tail


def _words(opened: bytes) -> list[int]:
    """The numbers of a setting behind its first byte."""
    return [int.from_bytes(opened[at : at + 2]) for at in range(tables.AT, len(opened) - 1, 2)]


# Settings do not name their command, and several have one form: what they say distinguishes them.
_SENSE: Mapping[str, Callable[[list[int]], bool]] = MappingProxyType(
    {
        "cell high": lambda words: words[2] < words[1] and 2000 <= words[1] <= 5000,
        "cell low": lambda words: words[1] < words[2] <= 5000,
        "charge current": lambda words: 0 < words[0] <= words[1] < 0x8000,
        "discharge current": lambda words: 0x8000 <= words[1] <= words[0],  # negative
        "hot": lambda words: words[1] >= words[2] > tables.ZERO and words[4] >= words[5] > tables.ZERO,
        "cold": lambda words: words[1] <= words[2] and words[4] <= words[5],
    }
)


def check_setting(question: str, opened: bytes) -> None:
    """As :attr:`Question.check`."""
    size, _ = tables.SETTINGS[question]
    if len(opened) != HEADER + size or opened[HEADER] != 1 or not _SENSE[question](_words(opened)):
        raise FrameError("layout", f"{opened[HEADER:].hex()} is no answer about '{question}'")


def fill_setting(question: str, opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`."""
    tables.setting_layout(question).decode_into(opened, row)
    return identity


def check_text(size: int, opened: bytes) -> None:
    """As :attr:`Question.check`: a text, filled up with NUL."""
    text = opened[HEADER:]
    if len(text) != size or not all(32 <= byte < 127 or not byte for byte in text):
        raise FrameError("layout", f"no text of {size} characters")


def fill_version(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`: ``P16S100A-1812-1.00``."""
    del row
    text = _text(opened[HEADER:])
    return replace(identity, model=text.split("-")[0], software=text)


def fill_product(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`: the serial numbers of the BMS and of the pack."""
    del row
    return replace(identity, serial=_text(opened[HEADER:]))


def _text(raw: bytes) -> str:
    return " ".join(raw.replace(b"\0", b" ").decode("ascii", "replace").split())


def check_packs(opened: bytes) -> None:
    """As :attr:`Question.check`: one byte."""
    if len(opened) != HEADER + 1:
        raise FrameError("layout", "no number of packs")


def fill_nothing(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`, for what concerns nothing in a row."""
    del opened, row
    return identity


COMMANDS = {
    "cell high": 0xD1,
    "cell low": 0xD3,
    "charge current": 0xD9,
    "discharge current": 0xDB,
    "hot": 0xDD,
    "cold": 0xDF,
}


def _setting(name: str) -> Question:
    size, _ = tables.SETTINGS[name]
    return Question(COMMANDS[name], partial(check_setting, name), partial(fill_setting, name), 2 * size)


ASKED: Mapping[str, Question] = MappingProxyType(
    {
        "analog": Question(0x42, check_analog, fill_analog, 124, numbered=True, split=split_analog),
        "warning": ask_states(tables.WARNING_REST, tables.warning_layout, tables.ALARMS, 76),
        **{name: _setting(name) for name in COMMANDS},
        "version": Question(0xC1, partial(check_text, 20), fill_version, 40),
        "product": Question(0xC2, partial(check_text, 40), fill_product, 80),
        "packs": Question(0x90, check_packs, fill_nothing, 2),
    }
)


class Pace(AsciiProtocol):
    """PACE packs."""

    name = "pace"
    title = "PACE BMS (ASCII protocol), RS232 or RS485"
    addresses = range(0x00, 0x10)
    no_address = (
        "address {:#04x} cannot be set on a PACE pack: its four DIP switches make 0x00 (alone), 0x01 (master) to 0x0F; "
        "restart the BMS after a change"
    )
    reports_limits = False
    versions = (NEW, OLD, RICHPOWER)
    return_codes = MappingProxyType({code: why for code, why in RETURN_CODES.items() if code < 0x90})  # 0x90 asks here
    questions = MappingProxyType(
        {
            Topic.STATUS: ("analog", "warning"),
            Topic.SETTINGS: tuple(COMMANDS),
            Topic.ABOUT: ("version", "product", "packs"),
        }
    )
    asked = ASKED

    def __init__(self) -> None:
        super().__init__()
        self._packs = 1  # that the master says it has, with itself

    def ways(self, address: int) -> Sequence[Way]:
        """As :meth:`AsciiProtocol.ways`; through the master once that has said that it has so many packs."""
        number = address or 1
        direct = [Way(NEW, address, number), Way(OLD, address, number)]
        return [*direct, Way(NEW, MASTER, address)] if MASTER < address <= self._packs else direct

    def heads(self, address: int, question: Question) -> Sequence[tuple[int, int, int]]:
        """As :meth:`AsciiProtocol.heads`: the master may answer for others, with its own ADR."""
        senders = {address, MASTER} if question.numbered else {address}
        return [(version, sender, self.cid1) for version in self.versions for sender in senders]

    def mine(self, address: int, way: Way, sender: int, number: int) -> bool:
        """As :meth:`AsciiProtocol.mine`; some boards give themselves the number 0 (TDT)."""
        if sender == address:
            return number in (way.number, 0)
        return number == address

    def questions_to(self, address: int, topic: Topic) -> Iterable[str]:
        """As :meth:`Protocol.questions_to`; only the status is reported through the master."""
        direct = self._memories.of(address).ways[0].address == address
        return super().questions_to(address, topic) if direct or topic is Topic.STATUS else ()

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """As :meth:`Protocol.decode`."""
        if data[VER] != NEW and self.line.same_pack_gap < OLD_GAP:
            self.line = replace(self.line, same_pack_gap=OLD_GAP)
        if question == "packs" and address == MASTER and data[HEADER] != self._packs:
            self._packs = data[HEADER]
            for other, memory in list(self._memories.items()):
                if not memory.answered:  # there may be another way to it now
                    del self._memories[other]
        return super().decode(address, question, data, row, identity)
