"""A JK PB pack on RS485-2: what it answers and when, as measured on real buses (reference: jkpb.md 1 to 3)."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np

from packbank.bms.jkpb_fields import ABOUT, ABOUT_POWER_ON_COUNT, ABOUT_RUNTIME, settings_layout, status_layout
from packbank.bms.jkpb_frames import KINDS, MARK, REGISTERS, SECRETS, TYPE
from packbank.bms.protocol import Row, Topic
from packbank.cext.framing import FRAME_SIZE, acknowledgement, seal
from packbank.cext.framing import request as build_request
from packbank.model.columns import Column
from packbank.model.identity import Identity
from packbank.sim.responder import Burst, Responder

TURNAROUND = (0.00421, 0.00528, 0.00492)  # s from request to frame: least, most, usual
PAUSE = (0.00694, 0.00801, 0.00700)  # s from frame to acknowledgement, likewise
DEAF_TIME = 0.030  # s
PASSCODE = b"1234"  # every pack has one in its about frame; it must never be shown
VOLTAGE_AGAIN = 234  # u16, 0.01 V


def request(topic: Topic, address: int) -> bytes:
    """The eleven bytes that ask pack ``address`` about ``topic``."""
    return build_request(address, REGISTERS[topic])


class JkPbResponder(Responder):
    """The pack at ``address``."""

    deaf_time = DEAF_TIME

    model = "JK_PB2A16S20P"
    software = "15.41"

    def __init__(self, address: int, identity: Identity | None = None) -> None:
        super().__init__(address, identity)
        self._topics = {request(topic, address): topic for topic in REGISTERS}

    def wants(self, request: bytes) -> bool:
        """Whether it is one of the three questions, to this address."""
        return request in self._topics

    def topic(self, request: bytes) -> Topic:
        """Status, settings or about, by the register."""
        return self._topics[request]

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        """The frame, a pause, and the acknowledgement."""
        topic = self._topics[request]
        return [
            Burst(random.triangular(*TURNAROUND), frame(topic, row, self.address, self.identity)),
            Burst(random.triangular(*PAUSE), acknowledgement(self.address, REGISTERS[topic])),
        ]


def frame(topic: Topic, row: Row, address: int, identity: Identity) -> bytes:
    """The 300 bytes with which a pack answers a question about ``topic``."""
    if topic is Topic.STATUS:
        content = _status(row)
    elif topic is Topic.SETTINGS:
        content = _settings(row, address)
    else:
        content = _about(identity)
    content[: len(MARK)] = MARK
    content[TYPE] = KINDS[topic]
    seal(content)
    return bytes(content)


def _status(row: Row) -> bytearray:
    content = status_layout().encode_from(row)
    if not np.isnan(row[Column.VOLTAGE]):
        content[VOLTAGE_AGAIN : VOLTAGE_AGAIN + 2] = round(row[Column.VOLTAGE] * 100).to_bytes(2, "little")
    return content


def _settings(row: Row, address: int) -> bytearray:
    own = row.copy()
    own[Column.DEVICE_ADDRESS] = address
    return settings_layout().encode_from(own)


def _about(identity: Identity) -> bytearray:
    content = bytearray(FRAME_SIZE)
    sent = replace(identity, manufactured=identity.manufactured[2:].replace("-", ""))  # as YYMMDD
    for text in ABOUT:
        value = str(getattr(sent, text.name)).encode()[: text.length]
        content[text.offset : text.offset + len(value)] = value
    for secret in SECRETS:
        content[secret.start : secret.start + len(PASSCODE)] = PASSCODE
    for offset, count in ((ABOUT_RUNTIME, identity.runtime), (ABOUT_POWER_ON_COUNT, identity.power_on_count)):
        content[offset : offset + 4] = (count or 0).to_bytes(4, "little")
    return content
