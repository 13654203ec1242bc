"""What simulated packs with binary frames have in common: they hear the questions of their protocol."""

from __future__ import annotations

from abc import abstractmethod
from random import Random

from packbank.bms.framed import FramedProtocol
from packbank.bms.protocol import Row, Topic
from packbank.model.identity import Identity
from packbank.sim.responder import Burst, Responder


class FramedResponder(Responder):
    """A pack that answers the questions of ``protocol``."""

    protocol: FramedProtocol
    times: tuple[float, float, float]  # s from request to answer: least, most, usual

    def __init__(self, address: int, identity: Identity | None = None) -> None:
        super().__init__(address, identity)
        self._questions = {asked.request(address): name for name, asked in self.protocol.asked.items()}

    def wants(self, request: bytes) -> bool:
        """Whether it is one of the questions, to this address."""
        return request in self._questions and self.answers(self._questions[request])

    def answers(self, question: str) -> bool:  # noqa: ARG002
        """Whether this pack answers the question at all."""
        return True

    def topic(self, request: bytes) -> Topic:
        """By the question."""
        name = self._questions[request]
        return next(topic for topic, names in self.protocol.questions.items() if name in names)

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        """One frame."""
        return [Burst(random.triangular(*self.times), self.frame(self._questions[request], row))]

    @abstractmethod
    def frame(self, question: str, row: Row) -> bytes:
        """The answer to one of the questions."""
