"""A simulated Acme pack. A skeleton to copy to ``src/packbank/sim/responder_acme.py``."""

from __future__ import annotations

from random import Random

from packbank.bms.acme import HEADER, READ, REGISTERS, layout, request, seal

from packbank.bms.protocol import Row
from packbank.model.identity import Identity
from packbank.sim.responder import Burst, Responder

LATENCY = (0.030, 0.080, 0.050)  # s from request to answer: least, most, usual


class AcmeResponder(Responder):
    """The pack at ``address``."""

    model = "ACME 16S100A"

    def __init__(self, address: int, identity: Identity | None = None) -> None:
        super().__init__(address, identity)
        self._request = request(address)

    def wants(self, request: bytes) -> bool:
        """Whether it is the question, to this address."""
        return request == self._request

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        """One frame, made with the decoder's own table."""
        del request
        head = bytes((self.address, READ, 2 * REGISTERS))
        frame = seal(head + bytes(layout().encode_from(row)))
        assert len(frame) == HEADER + 2 * REGISTERS + 2
        return [Burst(random.triangular(*LATENCY), frame)]
