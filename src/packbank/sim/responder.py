"""What a simulated pack is to the wire: requests go in, timed bursts of bytes come out.

One module a protocol implements :class:`Responder` (``responder_jkpb.py`` ...). No I/O and no clock here;
the wire (``wire.py``) decides who hears a request, when a burst is on the line and what collides.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from random import Random
from typing import NamedTuple

from packbank.bms.protocol import Row, Topic
from packbank.bms.registry import FAMILIES, module_of
from packbank.model.identity import Identity


class Burst(NamedTuple):
    """Bytes sent without a gap, after ``delay`` seconds of silence since the request or the burst before."""

    delay: float
    data: bytes


class Responder(ABC):
    """A pack's side of a protocol."""

    model: str = ""  # of a pack as it is sold, for the identities of simulated banks
    software: str = ""
    address: int
    identity: Identity  # who the pack says it is; each answer is made with the identity of that moment
    deaf_time: float = 0.0  # s of silence after somebody else's traffic before this pack hears a request again

    def __init__(self, address: int, identity: Identity | None = None) -> None:
        self.address = address
        serial = f"SIM{address:08d}"
        self.identity = identity or Identity(model=self.model, software=self.software, serial=serial)

    @abstractmethod
    def wants(self, request: bytes) -> bool:
        """Whether ``request`` is a question to this pack, with a right checksum, that it answers."""

    def topic(self, request: bytes) -> Topic:  # noqa: ARG002
        """What a wanted request asks about; the status where a protocol has one question for everything."""
        return Topic.STATUS

    @abstractmethod
    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        """The answer to a wanted request with the values of ``row``; ``random`` spreads its times as measured."""


def responder(name: str, address: int, identity: Identity) -> Responder:
    """A simulated pack of the family ``name``."""
    return responder_class(name)(address, identity)


def responder_class(name: str) -> type[Responder]:
    """The simulated pack of a family, whose name says where it is."""
    module = import_module(f"packbank.sim.responder_{module_of(name)}")
    cls: type[Responder] = getattr(module, f"{FAMILIES[name].cls}Responder")
    return cls
