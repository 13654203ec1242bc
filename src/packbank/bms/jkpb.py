"""JKBMS PB ("inverter BMS") on RS485-2: the questions, and what an answer must look like.

A question is a Modbus function 16 write of 0 to one of three trigger registers; the answer is the vendor's own 300-byte
frame, about 7 ms of silence, and the 8-byte acknowledgement of the write, which alone says who has answered. No
other register is ever written: their neighbours calibrate, preset, or start a firmware update.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from packbank.bms import trust
from packbank.bms.jkpb_describe import describe
from packbank.bms.jkpb_frames import KINDS, REGISTERS, TYPE, conceal, fill, refusal
from packbank.bms.jkpb_overhear import JkPbOverhearing
from packbank.bms.protocol import Description, Exchange, Line, Protocol, Row, Topic
from packbank.cext.checksum import crc16_modbus
from packbank.cext.framing import ACK_REACH, FRAME_SIZE, Scanner, Unit, find_answer, request
from packbank.errors import FrameError
from packbank.model.identity import Identity

MASTER = 0  # address of a pack with all four DIP switches off

# 4.9 ms until the first byte, 26.0 of frame, 7.0 of silence, 0.7 of acknowledgement: medians of 572 and more.
ANSWER_TIME = 0.0386
OTHER_PROTOCOL = (
    "the pack answers, but with another protocol; set the protocol of RS485-2 (UART2) to 001 'JK BMS RS485 Modbus V1.0'"
    " in its app ('Erase History Data' there does it where firmware 19 does not), or use its RS485-2 socket"
)
EXCEPTION = 0x90  # function 16, refused
_HEARD = 32
_MOST_REJECTED = 16  # kept of one exchange; a line full of noise must not fill the memory


class JkPbExchange(Exchange):
    """One trigger register of one pack.

    Accepted is a frame of the topic's type with the right sum, and behind nothing but noise the acknowledgement of
    this address and this register. ``rejected`` says why anything else that looked like an answer was not one:
    ``sum8``, ``type``, ``truncated``, ``ack`` (a frame without its acknowledgement), ``foreign`` (acknowledged by
    another), ``payload`` (an acknowledgement without its frame), ``master`` (somebody else asks on this line).
    """

    answer_time = ANSWER_TIME

    def __init__(self, topic: Topic, address: int) -> None:
        self.topic = topic
        self.question = topic.value
        self.address = address
        self.register = REGISTERS[topic]
        self.request = request(address, self.register)
        self.rejected: list[FrameError] = []
        self._scanner = Scanner()
        self._candidate: Unit | None = None  # a good frame that waits for its acknowledgement
        self._refused = False  # the frame before was refused, so its acknowledgement is no news
        self._heard = b""  # the last bytes, in which another protocol may be recognised
        self.answer = b""

    def feed(self, data: bytes) -> bool:
        """As :meth:`Exchange.feed`; no bytes at all say that the line went silent, so what is open is refused."""
        if self.answer:
            return True
        if not data:
            self._give_up()
        elif self._scanner.position == 0 and self._whole(data):
            self.answer = data
        else:
            self._heard = (self._heard + data)[-_HEARD:]
            for unit in self._scanner.feed(data):
                self._judge(unit)
        return bool(self.answer)

    def _whole(self, data: bytes) -> bool:
        """The usual case, the answer alone and in one piece, needs no scanner and no copies."""
        return find_answer(data, self.address, self.register, KINDS[self.topic]) == 0

    def _give_up(self) -> None:
        for unit in self._scanner.flush():
            self._judge(unit)
        self._drop_candidate()
        if not self.rejected and (code := exception_code(self._heard, self.address)):
            self._reject(FrameError("modbus", f"Modbus exception {code}: {OTHER_PROTOCOL}"))

    def _judge(self, unit: Unit) -> None:
        if self.answer or unit.data == self.request:
            return  # what follows the answer is not ours to judge, and an adapter may echo the request
        if unit.kind == "ack":
            self._judge_acknowledgement(unit)
        elif unit.kind == "request":
            self._reject(FrameError("master", f"somebody else asks {unit.data[0]:#04x} on this line"))
        else:
            self._drop_candidate()
            self._judge_frame(unit)

    def _judge_frame(self, unit: Unit) -> None:
        kind, wanted = unit.data[TYPE] if len(unit.data) > TYPE else 0, KINDS[self.topic]
        self._refused = unit.kind == "bad" or kind != wanted
        if not self._refused:
            self._candidate = unit
        elif unit.kind == "bad":
            self._reject(refusal(unit.data))
        else:
            self._reject(FrameError("type", f"frame type {kind} instead of {wanted} for {self.topic}"))

    def _judge_acknowledgement(self, unit: Unit) -> None:
        address, register = unit.data[0], int.from_bytes(unit.data[2:4])
        frame, self._candidate = self._candidate, None
        refused, self._refused = self._refused, False
        if refused:
            return
        if (address, register) != (self.address, self.register):
            self._reject(FrameError("foreign", f"{address:#04x} acknowledges {register:#06x}, not ours"))
        elif frame is None:
            self._reject(FrameError("payload", "acknowledged without a frame"))
        elif unit.start - frame.start - FRAME_SIZE > ACK_REACH:
            self._reject(FrameError("ack", "the acknowledgement stands too far behind the frame to be its own"))
        else:
            self.answer = frame.data

    def _drop_candidate(self) -> None:
        if self._candidate is not None:
            self._candidate = None
            self._reject(FrameError("ack", "a frame without its acknowledgement"))

    def _reject(self, error: FrameError) -> None:
        if len(self.rejected) < _MOST_REJECTED:
            self.rejected.append(error)


def exception_code(data: bytes, address: int) -> int:
    """The code of the Modbus exception with which ``address`` refuses a request; 0 when there is none in ``data``."""
    head = bytes((address, EXCEPTION))
    at = data.find(head)
    while at >= 0:
        frame = data[at : at + 5]
        if len(frame) == 5 and crc16_modbus(frame) == 0:  # over frame and CRC
            return frame[2]
        at = data.find(head, at + 1)
    return 0


class JkPb(Protocol):
    """JKBMS PB packs at the addresses 1 to 15."""

    name = "jkpb"
    title = "JKBMS PB (inverter BMS), RS485-2"
    # A slave is deaf for about 30 ms after it overheard another's answer: below 30 ms requests failed, from 30.6 ms on
    # none did; to the same pack 5 ms work. The first byte comes within 6 ms, 13.7 at worst: after 100 ms none will.
    line = Line(
        baudrates=(115_200,),
        first_byte_timeout=0.100,
        idle_timeout=0.020,
        silence=0.040,
        silence_min=0.030,
        silence_max=0.120,
        same_pack_gap=0.005,
    )
    addresses = range(0x01, 0x10)
    no_address = "address {:#04x} cannot be set on a JKBMS PB: its four DIP switches make 0x01 to 0x0F"
    questions: Mapping[Topic, tuple[str, ...]] = MappingProxyType({topic: (topic.value,) for topic in Topic})
    steady_question = Topic.STATUS.value

    def exchange(self, question: str, address: int) -> JkPbExchange:
        """As :meth:`Protocol.exchange`; ValueError for an address that no pack can have."""
        if reason := self.explain_address(address):
            raise ValueError(reason)
        return JkPbExchange(Topic(question), address)

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """As :meth:`Protocol.decode`."""
        del address
        return fill(data, Topic(question), row, identity)

    def check(self, row: Row, previous: Row) -> None:
        """As :meth:`Protocol.check`."""
        trust.check(row, previous)

    def describe(self, data: bytes) -> Description:
        """As :meth:`Protocol.describe`."""
        return describe(data)

    def overhear(self) -> JkPbOverhearing:
        """As :meth:`Protocol.overhear`."""
        return JkPbOverhearing()

    def conceal(self, data: bytes) -> bytes:
        """As :meth:`Protocol.conceal`: all but whole units, and most of about frames."""
        return conceal(data)

    def explain_address(self, address: int) -> str:
        """As :meth:`Protocol.explain_address`."""
        if address == MASTER:
            return (
                "address 0x00 is a pack with all four DIP switches off: that is master mode, which ends its RS485; "
                "set at least one switch ('packbank dip' shows which)"
            )
        return super().explain_address(address)
