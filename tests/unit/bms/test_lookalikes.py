"""What a pack of another family answers is named with the PROTOCOL that reads it."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest

from other_bms import pack_row
from packbank.bms import registry
from packbank.bms.eg4 import Eg4
from packbank.bms.lookalikes import look_alike
from packbank.bms.protocol import Topic
from packbank.bms.remedies import remedy
from packbank.cext.checksum import crc16_modbus
from packbank.model.identity import Identity
from packbank.sim.responder import responder


def status_of(name: str) -> bytes:
    """What a simulated pack of the family answers to its first question."""
    protocol = registry.protocol(name)
    address = max(protocol.addresses[0], 1)
    pack = responder(name, address, Identity(serial="A1"))
    for question in protocol.questions[Topic.STATUS]:
        for _ in range(protocol.ways_to_ask(address)):
            if pack.wants(request := protocol.exchange(question, address).request):
                row = pack_row(cell_average=3.3115, cell_delta=0.003)
                return b"".join(burst.data for burst in pack.answer(request, row, Random(1)))
    raise AssertionError(name)


@pytest.mark.parametrize(("asked", "other"), list(permutations(registry.NAMES, 2)))
def test_every_family_is_named_to_every_other(asked: str, other: str) -> None:
    error = look_alike(registry.protocol(asked), b"\x00" + status_of(other))
    assert error is not None
    assert error.reason == "family"
    assert str(error).endswith(f"PROTOCOL = {other}")
    assert "PROTOCOL" in remedy(error.reason)


@pytest.mark.parametrize("name", registry.NAMES)
def test_own_answers_requests_and_noise_are_nobodys(name: str) -> None:
    protocol = registry.protocol(name)
    request = protocol.exchange(protocol.questions[Topic.STATUS][0], protocol.addresses[0]).request
    for heard in (status_of(name), request, request + request, b"", b"\x00\x03\x01\xff" * 10):
        assert look_alike(protocol, heard) is None


def test_an_unknown_ascii_protocol_is_named() -> None:
    body = b"30014A0000" + b"E004" + b"0102"
    check = -sum(body) & 0xFFFF
    error = look_alike(Eg4(), b"~" + body + f"{check:04X}".encode() + b"\r")
    assert error is not None
    assert error.reason == "ascii"
    assert "ASCII protocol" in str(error)


def test_unknown_modbus_is_named() -> None:
    body = bytes((0x40, 3, 4, 0x15, 0x00, 0xFE, 0x4C))
    error = look_alike(Eg4(), body + crc16_modbus(body).to_bytes(2, "little"))
    assert error is not None
    assert error.reason == "modbus"
    assert "EG4-LL" in str(error)
