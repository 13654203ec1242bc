"""Daly BMS with the A5 protocol (9600 baud, RS485 or UART), boards 1 to 16 on one bus.

A board is asked at ``0x40 + board - 1`` and answers as ``board``; firmware of the protocol's V1.0 hears 0x80 only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from packbank.bms import trust
from packbank.bms.daly_commands import ESSENTIAL, QUESTIONS, commands, sense
from packbank.bms.daly_fields import ALARMS, DATA, FRAME_SIZE
from packbank.bms.daly_frames import HOST, OLD_HOST, Board, DalyExchange, Frames
from packbank.bms.describe import known_values
from packbank.bms.memory import PATIENCE, RARELY, Memories
from packbank.bms.protocol import Description, Line, Protocol, Row, Topic
from packbank.cext.a5 import find_a5
from packbank.errors import FrameError
from packbank.model.columns import COLUMNS, Column
from packbank.model.identity import Identity

FORGET_AFTER = 30  # questions left unanswered one after the other: a board that returns then may be another one

HEAD = re.compile(b"\xa5[\x00-\x10].\x08", re.DOTALL)  # of an answer that is damaged or broken off
DAMAGED = "sum8: a frame with a wrong sum, or not all of it"


class Daly(Protocol):
    """Daly boards."""

    name = "daly"
    title = "Daly BMS (A5 protocol), RS485 or UART"
    # A board that is awake begins to answer within 80 ms, 122 ms on a busy bus; 13 bytes take 13.5 ms. Others leave
    # 20 ms (dbus-serialbattery) to 150 ms (Daly2MQTT) before a request and found shorter pauses to fail.
    line = Line(
        baudrates=(9_600,),
        first_byte_timeout=0.250,
        idle_timeout=0.060,
        silence=0.040,
        silence_min=0.020,
        silence_max=0.200,
        same_pack_gap=0.020,
    )
    addresses = range(1, 17)
    no_address = "{} is no Daly board number: BmsMonitor sets 1 to 16 (its 'Battery code' is a text, no address)"
    questions = QUESTIONS
    reports_limits = False

    def __init__(self) -> None:
        self._boards = Memories(self._new_board, FORGET_AFTER)

    def exchange(self, question: str, address: int) -> DalyExchange:
        """As :meth:`Protocol.exchange`; ValueError for an address that no board can have."""
        if reason := self.explain_address(address):
            raise ValueError(reason)
        return DalyExchange(commands()[question], address, self._boards.of(address))

    def questions_to(self, address: int, topic: Topic) -> Iterator[str]:
        """As :meth:`Protocol.questions_to`.

        Current and state are two answers, and the load may turn between them. Where they disagree, the current is asked
        once more: only a current that contradicts the state before and after it has the wrong sign.
        """
        board = self._boards.of(address)
        for question in self._worth_asking(board, address, topic):
            yield question
            if question == "state" and sense(board) == -board.sense:
                yield "pack"
                board.sense = sense(board) or board.sense

    def _worth_asking(self, board: Board, address: int, topic: Topic) -> tuple[str, ...]:
        """The questions about a topic: rarely what this board has never answered.

        The cell count comes first while it is unknown, and now and then: with a wrong one no status is ever right.
        """
        asked = self.questions[topic]
        if topic is Topic.STATUS:
            board.rounds += 1
            board.said.clear()
        rare = board.rounds % RARELY == 0
        if topic is Topic.STATUS and (rare or not board.cells):
            asked = ("counts", *asked)
        if rare:
            return asked
        unanswered = board.unanswered
        return tuple([one for one in asked if unanswered[one] < PATIENCE or not self.may_lack(address, one)])

    def may_lack(self, address: int, question: str) -> bool:
        """As :meth:`Protocol.may_lack`."""
        return question not in ESSENTIAL and question not in self._boards.of(address).answered

    def ways_to_ask(self, address: int) -> int:
        """As :meth:`Protocol.ways_to_ask`."""
        return len(self._boards.of(address).ways)

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """As :meth:`Protocol.decode`."""
        command = commands()[question]
        return command.fill(Frames(data, command, self._boards.of(address)), row, identity)

    def check(self, row: Row, previous: Row) -> None:
        """As :meth:`Protocol.check`."""
        trust.check(row, previous)

    def describe(self, data: bytes) -> Description:
        """As :meth:`Protocol.describe`; several frames of one board are put together."""
        return describe(data)

    @staticmethod
    def _new_board(address: int) -> Board:
        return Board([HOST + address - 1, OLD_HOST] if address == 1 else [HOST + address - 1])


def describe(data: bytes) -> Description:
    """What frames are: a request, or what one board answers."""
    frames, rest = _cut(data)
    if not frames:
        return Description("unknown", DAMAGED if HEAD.search(rest) else "no Daly frame")
    board, code = frames[0][1], frames[0][2]
    question = next((command.question for command in commands().values() if command.code == code), "")
    if board not in Daly.addresses:
        asked = board - HOST + 1
        values = {"host": f"{board:#04x}", "command": f"{code:#04x}", "question": question or None}
        return Description("request", address=asked if asked in Daly.addresses else None, values=values)
    known = Topic.STATUS.value if question else "other"
    kind = next((topic.value for topic, questions in QUESTIONS.items() if question in questions), known)
    if HEAD.search(rest):
        return Description(kind, DAMAGED, address=board)
    try:
        return Description(kind, address=board, values=_values(board, frames))
    except FrameError as error:
        return Description(kind, str(error), address=board)


def _cut(data: bytes) -> tuple[list[bytes], bytes]:
    """The frames in ``data``, and what is left of it."""
    frames, rest, end = [], [], 0
    while (at := find_a5(data, end)) >= 0:
        rest.append(data[end:at])
        end = at + FRAME_SIZE
        frames.append(data[at:end])
    return frames, b"|".join([*rest, data[end:]])


def _values(address: int, frames: list[bytes]) -> dict[str, object]:
    """What the frames of one board say together; FrameError when they contradict themselves or lack a part."""
    row, identity, board = np.full(COLUMNS, np.nan), Identity(), Board([HOST])
    mine = [frame for frame in frames if frame[1] == address]
    for command in sorted(commands().values(), key=lambda command: command.question != "counts"):
        own = [frame for frame in mine if frame[2] == command.code]
        if own:
            exchange = DalyExchange(command, address, board)
            if command.frames and not board.cells:
                exchange.needed = max(frame[DATA] for frame in own)
            exchange.feed(b"".join(own))
            if not exchange.feed(b""):
                raise FrameError("incomplete", f"{len(own)} of {exchange.needed} frames of command {command.code:#04x}")
            identity = command.fill(Frames(exchange.answer, command, board), row, identity)
    judged = row.copy()
    if not any(frame[2] == commands()["cells"].code for frame in mine):
        judged[Column.CELL_COUNT] = np.nan  # no cell was reported, so their number contradicts nothing
    trust.check(judged, judged)
    values = known_values(row, identity)
    if np.isfinite(row[Column.ALARM_BITS]):
        bits = int(row[Column.ALARM_BITS])
        values["alarms"] = [name for (byte, bit), (name, _, _) in ALARMS.items() if bits >> 8 * byte + bit & 1]
    return values
