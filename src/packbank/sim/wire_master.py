"""Others who speak on a bus: a pack that is master and polls the rest itself, and a foreign poller.

JK PB: the order and the slots are those measured on firmware 15.41 (reference: jkpb.md 5): in a slot of 220 ms one
request; status of 1..15 in turn, settings after a status that was answered, then the master's own status and
settings, each 308 bytes without a gap.

Seplos V3: the blocks that owners saw on the line between the packs (reference: more-bms.md 4), the cells with two
sensors. Nobody has published times, nor settled whether the master's own values are there; here they are not.
"""

from __future__ import annotations

from collections.abc import Generator
from random import Random

from packbank.bms.protocol import Topic
from packbank.bms.seplos_v3_frames import BLOCKS, LEAST
from packbank.bms.seplos_v3_frames import request as seplos_v3_request
from packbank.sim.responder_jkpb import request
from packbank.sim.wire import Wire, WirePack

SLOT = 0.220  # s
MASTER = 0  # its address
SLAVES = range(1, 16)


class JkPbMaster:
    """The pack at DIP 0 (a :class:`~packbank.sim.wire.Talker`). It is not among the packs of the wire."""

    def __init__(self, own: WirePack, start: float) -> None:
        self.due = start
        self._own = own
        self._answered = False
        self._script = self._slots()

    def speak(self, now: float, wire: Wire) -> None:
        """Use one slot."""
        topic, address = next(self._script)
        if address == MASTER:
            for bursts in wire.answers(now, self._own, request(topic, MASTER)):
                wire.send(now, MASTER, b"".join(burst.data for burst in bursts))
        else:
            self._answered = wire.ask(now, request(topic, address))
        self.due += SLOT

    def _slots(self) -> Generator[tuple[Topic, int], None, None]:
        while True:
            for address in SLAVES:
                yield Topic.STATUS, address
                if self._answered:
                    yield Topic.SETTINGS, address
            yield Topic.STATUS, MASTER
            yield Topic.SETTINGS, MASTER


class SeplosV3Master:
    """The pack at DIP 0 (a :class:`~packbank.sim.wire.Talker`). It asks all that may be linked with it."""

    def __init__(self, start: float) -> None:
        self.due = start
        self._answered = False
        self._script = self._slots()

    def speak(self, now: float, wire: Wire) -> None:
        """Use one slot."""
        self._answered = wire.ask(now, next(self._script))
        self.due += SLOT

    def _slots(self) -> Generator[bytes, None, None]:
        pack, cells, bits = (BLOCKS[name] for name in ("pack", "cells", "bits"))
        while True:
            for address in SLAVES:
                yield seplos_v3_request(pack._replace(count=pack.count + 1), address)
                if self._answered:
                    yield seplos_v3_request(cells._replace(count=LEAST["cells"]), address)
                    yield seplos_v3_request(bits, address)


class SecondMaster:
    """A foreign poller (a :class:`~packbank.sim.wire.Talker`): in ``rate`` of its slots it sends a request."""

    def __init__(self, requests: list[bytes], rate: float, start: float, random: Random) -> None:
        self.due = start
        self._requests = requests
        self._rate = rate
        self._random = random

    def speak(self, now: float, wire: Wire) -> None:
        """Use one slot, or let it pass."""
        if self._random.random() < self._rate:
            wire.ask(now, self._random.choice(self._requests))
        self.due = now + SLOT
