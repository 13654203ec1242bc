"""What the families with the ASCII envelope have in common; each adds its questions, its ways to ask, and its times."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import numpy as np

from packbank.bms import trust
from packbank.bms.ascii_frames import ADR, CID1, CODE, RETURN_CODES, VER, AsciiExchange, Question, Way, frames_in
from packbank.bms.asking import AskingProtocol
from packbank.bms.describe import known_values
from packbank.bms.memory import Memories, Memory
from packbank.bms.protocol import Description, Line, Topic
from packbank.cext.envelope import HEADER
from packbank.errors import FrameError
from packbank.model.columns import COLUMNS
from packbank.model.identity import Identity

# PACE, Seplos and basen give a pack 500 ms to begin its answer. Of PACE whole answers of 128 to 132 characters came
# after 182 to 246 ms, of which 133 are wire (nkinnan/esphome-pace-bms #55, #58). That reader keeps 50 ms between two
# requests and knows boards that lock up when they are asked faster; of the others nobody has measured it.
LINE = Line(
    baudrates=(9_600, 19_200),
    first_byte_timeout=0.500,
    idle_timeout=0.080,
    silence=0.100,
    silence_min=0.050,
    silence_max=0.500,
    same_pack_gap=0.050,
)


class AsciiProtocol(AskingProtocol):
    """Packs that are asked ``~ VER ADR CID1 CID2 LENGTH INFO CHKSUM CR``."""

    line = LINE
    latency: float = 0.050  # s from the end of a request to the first character of its answer
    cid1: int = 0x46
    versions: Sequence[int]  # VER of their answers, the one to ask with first
    asked: Mapping[str, Question]
    essential: Collection[str] = ("analog",)
    leads = True
    return_codes: Mapping[int, str] = RETURN_CODES

    def __init__(self) -> None:
        self._memories = Memories(lambda address: Memory(list(self.ways(address))))

    def ways(self, address: int) -> Sequence[Way]:
        """How the pack may want to be asked, the usual way first."""
        return [Way(self.versions[0], address, address)]

    def heads(self, address: int, question: Question) -> Sequence[tuple[int, int, int]]:
        """The (VER, ADR, CID1) that the pack's answer to the question can have."""
        del question
        return [(version, address, self.cid1) for version in self.versions]

    def mine(self, address: int, way: Way, sender: int, number: int) -> bool:
        """Whether a sound answer from ``sender`` (ADR) with this ``number`` is the pack's."""
        del address
        return sender == way.address and number == way.number

    def summary(self, opened: bytes) -> Mapping[str, object]:
        """What a frame says that is no answer to any of the questions, for :meth:`describe`; empty: nothing known."""
        del opened
        return {}

    def exchange(self, question: str, address: int) -> AsciiExchange:
        """As :meth:`Protocol.exchange`; ValueError for an address that no pack can have."""
        if reason := self.explain_address(address):
            raise ValueError(reason)
        asked = self.asked[question]
        return AsciiExchange(
            question,
            address,
            self._memories.of(address),
            asked,
            cid1=self.cid1,
            heads=self.heads(address, asked),
            return_codes=self.return_codes,
            mine=partial(self.mine, address),
            latency=self.latency,
            baudrate=self.line.baudrate,
        )

    def describe(self, data: bytes) -> Description:
        """As :meth:`Protocol.describe`: the first sound frame of this family."""
        opened, faults = frames_in(data)
        for frame in opened:
            if frame[VER] in self.versions and frame[CID1] == self.cid1:
                return self._describe_frame(frame)
        if opened:
            ver, cid1 = opened[0][VER], opened[0][CID1]
            return Description("unknown", f"unknown: a frame of VER {ver:02X} and CID1 {cid1:02X} is another family's")
        return Description("unknown", str(faults[0]) if faults else f"no frame of {self.title}")

    def _describe_frame(self, frame: bytes) -> Description:
        values: dict[str, object] = {"version": f"{frame[VER]:02X}", "code": f"{frame[CODE]:02X}"}
        info = frame[HEADER:].hex()
        if summary := self.summary(frame):
            return Description("summary", address=frame[ADR], values=values | dict(summary))
        if meaning := self.return_codes.get(frame[CODE]):
            return Description("refusal", address=frame[ADR], values=values | {"meaning": meaning})
        if frame[CODE]:
            name = next((name for name, one in self.asked.items() if one.command == frame[CODE]), None)
            return Description("request", address=frame[ADR], values=values | {"question": name, "info": info})
        for topic, names in self.questions.items():
            for name in names:
                if answers := self._answers(self.asked[name], frame):
                    reported = [self._values(self.asked[name], one) for one in answers]
                    failed = next((error for _, error in reported if error), "")
                    many = {"packs": [values for values, _ in reported]}
                    shown = many if len(reported) > 1 else reported[0][0]
                    plain = {} if topic is Topic.STATUS else {"info": info}
                    return Description(topic.value, failed, frame[ADR], {} if failed else values | shown | plain)
        return Description("other", address=frame[ADR], values=values | {"info": info})

    @staticmethod
    def _answers(question: Question, frame: bytes) -> list[bytes]:
        """The answers about one pack that the frame is, if it answers the question."""
        try:
            question.check(frame)
        except FrameError as error:
            if error.reason != "layout":
                return [frame]
            return question.split(frame) if question.split else []
        return [frame]

    def _values(self, question: Question, frame: bytes) -> tuple[dict[str, object], str]:
        row = np.full(COLUMNS, np.nan)
        try:
            question.check(frame)
            identity = question.fill(frame, row, Identity())
            trust.check(row, row)
        except FrameError as error:
            return {}, str(error)
        values = known_values(row, identity)
        return values | ({"alarms": question.names(frame)} if question.names else {}), ""
