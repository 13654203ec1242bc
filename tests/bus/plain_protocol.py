"""A protocol as small as can be, and packs that a test scripts byte by byte on a pseudo-terminal.

A request is ``? address question checksum``, an answer ``! address question two-byte value checksum``; a
request heard from somebody else is understood by :class:`PlainEar`. A status needs two questions.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
import tty
from collections.abc import Callable
from dataclasses import replace
from math import nan
from pathlib import Path
from threading import Thread

from packbank.bms.protocol import Answer, Description, Exchange, Line, Overhearing, Protocol, Request, Row, Topic
from packbank.config.model import BusConfig, Mode
from packbank.errors import FrameError
from packbank.model.columns import Column
from packbank.model.identity import Identity
from packbank.sources.serial.bus import Bus
from packbank.sources.serial.gate import Member
from packbank.sources.serial.link import Tap
from packbank.sources.store import Store

LINE = Line(
    baudrates=(115200,),
    first_byte_timeout=0.15,  # a busy machine must not make packs late that are not
    idle_timeout=0.01,
    silence=0.01,
    silence_min=0.005,
    silence_max=0.04,
    same_pack_gap=0.002,
)
COLUMN = {"v": Column.VOLTAGE, "c": Column.CURRENT, "s": Column.CELL_OVP, "a": Column.CYCLES}
TOPIC = {"v": Topic.STATUS, "c": Topic.STATUS, "s": Topic.SETTINGS, "a": Topic.ABOUT}
ANSWER_LENGTH = 6
SECRET = 0xABCD


def request(address: int, question: str) -> bytes:
    body = bytes((ord("?"), address, ord(question)))
    return body + bytes((sum(body) & 0xFF,))


def answer(address: int, question: str, value: int) -> bytes:
    body = bytes((ord("!"), address, ord(question), value >> 8, value & 0xFF))
    return body + bytes((sum(body) & 0xFF,))


class PlainExchange(Exchange):
    def __init__(self, question: str, address: int) -> None:
        self.address = address
        self.question = question
        self.answer = b""
        self.request = request(address, question)
        self.answer_time = 0.004
        self.rejected = []
        self._buffer = b""

    def feed(self, data: bytes) -> bool:
        self._buffer += data
        while (
            not self.answer and (start := self._buffer.find(b"!")) >= 0 and len(self._buffer) >= start + ANSWER_LENGTH
        ):
            frame, self._buffer = self._buffer[start : start + ANSWER_LENGTH], self._buffer[start + 1 :]
            if sum(frame[:-1]) & 0xFF != frame[-1]:
                self.rejected.append(FrameError("sum", frame.hex()))
            elif frame[1] != self.address or frame[2] != ord(self.question):
                self.rejected.append(FrameError("address", frame.hex()))
            else:
                self.answer = frame
        return bool(self.answer)


class PlainEar(Overhearing):
    patience = 0.6

    def __init__(self) -> None:
        self.rejected = []
        self._buffer = b""

    def feed(self, data: bytes, now: float | None = None) -> list[Answer | Request]:
        self._buffer += data
        heard: list[Answer | Request] = []
        while (starts := [self._buffer.find(mark) for mark in (b"?", b"!") if mark in self._buffer]) and len(
            self._buffer
        ) - min(starts) >= ANSWER_LENGTH - 2 * (self._buffer[min(starts)] == ord("?")):
            start = min(starts)
            length = ANSWER_LENGTH - 2 * (self._buffer[start] == ord("?"))
            frame = self._buffer[start : start + length]
            right = sum(frame[:-1]) & 0xFF == frame[-1] and chr(frame[2]) in COLUMN
            self._buffer = self._buffer[start + (length if right else 1) :]
            if right:
                heard.append(self._understood(frame, now))
        return heard

    def _understood(self, frame: bytes, now: float | None) -> Answer | Request:
        address, question = frame[1], chr(frame[2])
        if frame[0] == ord("?"):
            return Request(address, TOPIC[question])
        return Answer(address, TOPIC[question], {question: frame}, nan if now is None else now)


class PlainProtocol(Protocol):
    name = "plain"
    title = "Plain test packs"
    line = LINE
    addresses = range(1, 16)
    questions = {Topic.STATUS: ("v", "c"), Topic.SETTINGS: ("s",), Topic.ABOUT: ("a",)}  # noqa: RUF012

    def exchange(self, question: str, address: int) -> PlainExchange:
        return PlainExchange(question, address)

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        value = data[3] << 8 | data[4]
        row[COLUMN[question]] = value
        return Identity(serial=f"SN{value}") if question == "a" else identity

    def check(self, row: Row, previous: Row) -> None:
        if row[Column.VOLTAGE] > 60000:
            raise FrameError("voltage", f"{row[Column.VOLTAGE]}")

    def describe(self, data: bytes) -> Description:
        return Description("unknown", data.hex())

    def overhear(self) -> Overhearing:
        return PlainEar()

    def conceal(self, data: bytes) -> bytes:
        return data.replace(SECRET.to_bytes(2, "big"), b"\0\0")


class BriefProtocol(PlainProtocol):
    """One question brings a status, so packs can be asked in a sweep; a turn takes 34 ms, of which 20 are silence."""

    line = replace(LINE, silence=0.02, silence_min=0.02)
    steady_question = "v"
    questions = {Topic.STATUS: ("v",), Topic.SETTINGS: ("s",), Topic.ABOUT: ("a",)}  # noqa: RUF012

    def exchange(self, question: str, address: int) -> PlainExchange:
        exchange = super().exchange(question, address)
        exchange.answer_time = 0.010
        return exchange


Script = Callable[[int, str], list[tuple[float, bytes]]]
"""What the packs say to a request (address, question): pauses and bytes."""


class ScriptedBus:
    """Packs on a pseudo-terminal: each request is answered as ``script`` says, in real time."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path = path
        self.script = script
        self.requests: list[tuple[float, int, str]] = []
        self._open()
        self._running = True
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> str:
        return str(self.path)

    def say(self, data: bytes) -> None:
        """Something nobody asked for."""
        os.write(self._master, data)

    def unplug(self) -> None:
        """Make the port vanish, as a removed adapter does."""
        self._running = False
        self._thread.join()
        self.path.unlink()
        os.close(self._master)
        os.close(self._slave)

    def replug(self) -> None:
        """Make it come back under the same path."""
        self._open()
        self._running = True
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._running:
            self.unplug()

    def _open(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path.symlink_to(os.ttyname(self._slave))

    def _serve(self) -> None:
        buffer = b""
        while self._running:
            if not select.select([self._master], [], [], 0.05)[0]:
                continue
            buffer += os.read(self._master, 4096)
            while len(buffer) >= 4:
                asked, buffer = buffer[:4], buffer[4:]
                self.requests.append((time.monotonic(), asked[1], chr(asked[2])))
                with contextlib.suppress(OSError):
                    for pause, data in self.script(asked[1], chr(asked[2])):
                        time.sleep(pause)
                        os.write(self._master, data)


class Rig:
    """A scripted bus with the real thread that reads it, and the store it fills: pack ``n`` is row ``n - 1``."""

    def __init__(
        self,
        folder: Path,
        script: Script,
        packs: int = 3,
        mode: Mode = Mode.POLL,
        *,
        protocol: Protocol | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.wire = ScriptedBus(folder / "port", script)
        self.store = Store(packs)
        members = [Member(index, index + 1, f"pack {index + 1}") for index in range(packs)]
        config = BusConfig(name="rack", port=self.wire.port, mode=mode)
        self.bus = Bus(config, protocol or PlainProtocol(), members, self.store, tap)

    def __enter__(self) -> Rig:
        self.bus.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bus.stop()
        ended = self.bus.join(2.0)
        self.wire.close()
        assert ended, "the bus thread must end within two seconds"

    @property
    def voltages(self) -> list[float]:
        return [float(value) for value in self.store.snapshot()[0][:, Column.VOLTAGE]]

    def age(self, address: int) -> float:
        return time.monotonic() - float(self.store.snapshot()[0][address - 1, Column.STATUS_TIME])

    def wait(self, until: Callable[[], bool], seconds: float = 3.0) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, f"not within {seconds} s: {self.bus.stats()}"
            time.sleep(0.01)


def all_answer(address: int, question: str) -> list[tuple[float, bytes]]:
    return [(0.003, answer(address, question, address * 100))]
