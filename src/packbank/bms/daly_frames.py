"""One question to a Daly board: the 13-byte request, and its answer of one frame or a burst of numbered ones.

A frame counts when board, command, length byte and sum are right. Nothing in a burst says where it ends, so it is
remembered how many cells and sensors a board has, and how many frames it was seen to send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from packbank.bms.daly_fields import DATA, FRAME_SIZE
from packbank.bms.memory import Memory
from packbank.bms.protocol import Exchange, Row
from packbank.cext.a5 import find_a5
from packbank.cext.checksum import sum8
from packbank.errors import FrameError
from packbank.model.columns import CELLS
from packbank.model.identity import Identity

START = 0xA5
LENGTH = 0x08
HOST = 0x40  # the PC's address since V1.1 of the protocol: board 1 is asked there, board 2 at 0x41
OLD_HOST = 0x80  # the PC's address in V1.0
FILL = b"\xaa" * 8  # ignored; dbus-serialbattery saw fewer read errors with it than with zeros
BYTE_TIME = 10 / 9600
LATENCY = 0.065  # s; boards that are awake begin to answer after 50 to 80 ms
MOST_FRAMES = 16  # of one answer: 48 cells; some firmware always sends so many

ASLEEP = (
    "the request came back instead of an answer: the BMS sleeps. In BmsMonitor set 'Sleep time(S)' to 65535, and give "
    "every battery its own board number and its own 'Battery code'. Charging or discharging wakes it now. (With an "
    "adapter that echoes, a board number that no battery has looks the same.)"
)
UNNUMBERED = "answered as board 0; give every battery its own board number, 1 to 16, in BmsMonitor"


@dataclass(slots=True)
class Board(Memory[int]):
    """What is remembered of one board; the ways to ask it are the addresses that it may hear."""

    cells: int = 0
    sensors: int = 0
    bursts: dict[int, int] = field(default_factory=dict)  # command -> frames it was seen to send
    said: dict[str, bytes] = field(default_factory=dict)  # its last answer to each question of this visit
    sense: int = 1  # -1: its state says that it charges while its current says that it discharges, and the reverse


@dataclass(frozen=True, slots=True)
class Command:
    """What a question is on the wire, what its answer fills, and how many numbered frames that needs."""

    question: str
    code: int
    fill: Callable[[Frames, Row, Identity], Identity]
    frames: Callable[[Board], int] | None = None  # None: one frame, without a number


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one complete answer, in the order of their numbers."""

    data: bytes
    command: Command
    board: Board

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.data) // FRAME_SIZE

    def joined(self, part: slice) -> bytes:
        """That part of each frame."""
        return b"".join([self.data[at : at + FRAME_SIZE][part] for at in range(0, len(self.data), FRAME_SIZE)])


def seal(frame: bytes) -> bytes:
    """A frame with its sum."""
    return frame + bytes((sum8(frame),))


class DalyExchange(Exchange):
    """One command to one board.

    ``rejected``: ``sum8`` (a damaged frame), ``asleep`` (the request came back, and no answer), ``board`` (the board's
    number is not set).
    """

    def __init__(self, command: Command, address: int, board: Board) -> None:
        self.address = address
        self.question = command.question
        self.request = seal(bytes((START, board.ask(command.question), command.code, LENGTH)) + FILL)
        self.command = command
        self.board = board
        self.rejected: list[FrameError] = []
        self.needed = command.frames(board) if command.frames else 1
        self.expected = max(self.needed, board.bursts.get(command.code, 0))
        self.answer_time = LATENCY + self.expected * FRAME_SIZE * BYTE_TIME
        self.answer = b""
        self._head = bytes((START, address, command.code, LENGTH))
        self._frames: dict[int, bytes] = {}
        self._held = b""

    def feed(self, data: bytes) -> bool:
        """As :meth:`Exchange.feed`; at silence, the frames that are needed are enough."""
        self._held += data
        while (at := find_a5(self._held)) >= 0:
            self._refuse_broken(self._held[:at])
            self._take(self._held[at : at + FRAME_SIZE])
            self._held = self._held[at + FRAME_SIZE :]
        open_end = max(len(self._held) - FRAME_SIZE + 1, 0)
        self._refuse_broken(self._held[: open_end + len(self._head) - 1])
        self._held = self._held[open_end:]
        if not self.answer and self._has(self.expected if data else self.needed):
            self._finish()
        return bool(self.answer)

    @property
    def _first(self) -> int:
        """The documents count frames from 0, every board seen so far from 1."""
        return 0 if 0 in self._frames else 1

    def _has(self, count: int) -> bool:
        return all(number in self._frames for number in range(self._first, self._first + count))

    def _take(self, frame: bytes) -> None:
        board, command = frame[1], frame[2]
        if frame.startswith(self._head):
            number = frame[DATA] if self.command.frames else 1
            if not self.answer and number <= MOST_FRAMES:
                self._frames[number] = frame
        elif board == self.address and command in self.board.bursts:  # the rest of a burst that was taken for whole
            self.board.bursts[command] = min(max(self.board.bursts[command], frame[DATA]), MOST_FRAMES)
        elif command == self.command.code and board == self.request[1]:
            self._reject("asleep", ASLEEP)
        elif command == self.command.code and board == 0:
            self._reject("board", UNNUMBERED)

    def _finish(self) -> None:
        first = self._first
        self.answer = b"".join([self._frames[number] for number in range(first, first + self.needed)])
        self.rejected = [error for error in self.rejected if error.reason != "asleep"]  # it was the adapter's echo
        self.board.answer(self.command.question, self.request[1], len(self.answer))
        self.board.said[self.command.question] = self.answer
        if self.command.frames:
            self.board.bursts[self.command.code] = len(self._frames)
        if self.command.question == "counts":
            cells, self.board.sensors = self._frames[1][DATA : DATA + 2]
            self.board.cells = cells if cells <= CELLS else 0

    def _refuse_broken(self, skipped: bytes) -> None:
        if self._head in skipped:
            self._reject("sum8", f"a damaged frame of command {self.command.code:#04x}")

    def _reject(self, reason: str, detail: str) -> None:
        if all(error.reason != reason for error in self.rejected):
            self.rejected.append(FrameError(reason, detail))
