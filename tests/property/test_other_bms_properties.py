"""Any bytes in any chunks give an answer or a FrameError, never anything else, and memory stays at a few frames."""

from __future__ import annotations

import sys
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from other_bms import blank, pack_row
from packbank.bms import registry
from packbank.bms.protocol import Answer, Exchange, Request
from packbank.bms.search import FrameSearch
from packbank.bms.seplos_v3 import ASKED, SeplosV3
from packbank.errors import FrameError
from packbank.model.columns import COLUMNS
from packbank.model.identity import Identity
from packbank.sim.responder import responder
from packbank.sim.responder_seplos_v3 import SeplosV3Responder

NAMES = tuple(name for name in registry.NAMES if name != "jkpb")  # which has properties of its own
ADDRESSES = {name: max(registry.protocol(name).addresses[0], 1) for name in NAMES}
MOST_HELD = 1024  # bytes


def answers(name: str) -> dict[str, bytes]:
    protocol, address, found = registry.protocol(name), ADDRESSES[name], {}
    pack = responder(name, address, Identity(serial="A1"))
    for question in {question for asked in protocol.questions.values() for question in asked}:
        request = next(r for _ in range(2) if pack.wants(r := protocol.exchange(question, address).request))
        found[question] = pack.answer(request, pack_row(), Random(1))[0].data
    return found


SAMPLES = {name: answers(name) for name in NAMES}


def held(holder: Exchange | FrameSearch) -> int:
    """The bytes that an exchange, and the search in it, keep."""
    total = 0
    for value in vars(holder).values():
        if isinstance(value, bytes):
            total += len(value)
        elif isinstance(value, dict):
            total += sum(len(part) for part in value.values())
        elif isinstance(value, FrameSearch):
            total += held(value)
    return total


def fed(exchange: Exchange, chunks: list[bytes]) -> bool:
    """Whether the chunks, all of them, and the silence behind them make an answer."""
    for chunk in chunks:
        exchange.feed(chunk)
    return exchange.feed(b"")


@st.composite
def mangled(draw: st.DrawFn, sample: bytes) -> list[bytes]:
    """An answer with bytes changed, lost, doubled and put before and behind, in any chunks."""
    data = bytearray(sample)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["change", "lose", "insert", "double"]))
        if kind == "change" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif kind == "lose":
            del data[at : at + draw(st.integers(1, 20))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=20))
        else:
            data[at:at] = data[: draw(st.integers(0, 40))]
    whole = draw(st.binary(max_size=30)) + bytes(data) + draw(st.binary(max_size=30))
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@pytest.mark.parametrize("family", NAMES)
@given(data=st.data())
def test_mangled_answers_give_an_answer_or_a_frame_error(family: str, data: st.DataObject) -> None:
    protocol = registry.protocol(family)
    question = data.draw(st.sampled_from(sorted(SAMPLES[family])))
    exchange = protocol.exchange(question, ADDRESSES[family])
    chunks = data.draw(mangled(SAMPLES[family][question]))
    complete = fed(exchange, chunks)
    assert held(exchange) < MOST_HELD + len(chunks[-1])
    assert all(isinstance(error, FrameError) for error in exchange.rejected)
    assert len(exchange.rejected) <= 20
    if complete:
        row = blank()
        try:
            protocol.decode(exchange.address, exchange.question, exchange.answer, row, Identity())
            protocol.check(row, blank())
        except FrameError:
            return
        assert row.shape == (COLUMNS,)


@pytest.mark.parametrize("family", NAMES)
@given(chunks=st.lists(st.binary(max_size=400), max_size=8))
def test_noise_is_no_answer_and_is_forgotten(family: str, chunks: list[bytes]) -> None:
    protocol = registry.protocol(family)
    for question in SAMPLES[family]:
        exchange = protocol.exchange(question, ADDRESSES[family])
        for chunk in chunks:
            exchange.feed(chunk)
        exchange.feed(b"")
        assert held(exchange) < MOST_HELD


@pytest.mark.parametrize("family", NAMES)
@given(data=st.data())
def test_chunks_make_no_difference(family: str, data: st.DataObject) -> None:
    question = data.draw(st.sampled_from(sorted(SAMPLES[family])))
    protocols = registry.protocol(family), registry.protocol(family)
    whole, pieces = (protocol.exchange(question, ADDRESSES[family]) for protocol in protocols)
    answer = data.draw(st.binary(max_size=20)) + SAMPLES[family][question]
    taken = fed(whole, [answer])
    assert fed(pieces, [answer[at : at + 1] for at in range(len(answer))]) == taken
    if taken:
        rows = blank(), blank()
        one, other = [
            protocol.decode(exchange.address, question, exchange.answer, row, Identity())
            for protocol, exchange, row in zip(protocols, (whole, pieces), rows, strict=True)
        ]
        assert one == other
        np.testing.assert_array_equal(*rows)


@pytest.mark.parametrize("family", NAMES)
@given(noise=st.binary(max_size=500))
def test_describing_and_concealing_never_fail(family: str, noise: bytes) -> None:
    protocol = registry.protocol(family)
    description = protocol.describe(noise)
    assert description.kind
    assert len(protocol.conceal(noise)) == len(noise)
    assert sys.getsizeof(description.error) < 2000


V3_ADDRESSES = (0, 1, 2)
V3_REQUESTS = [SeplosV3().exchange(question, address).request for question in ASKED for address in V3_ADDRESSES]
V3_ANSWERS = [
    SeplosV3Responder(address).frame(question, pack_row(soc=40.0 + address))
    for question in ASKED
    for address in V3_ADDRESSES
]


@given(
    parts=st.lists(st.one_of(st.sampled_from(V3_REQUESTS), st.sampled_from(V3_ANSWERS), st.binary(max_size=12))),
    cuts=st.lists(st.integers(1, 60), min_size=1),
)
def test_any_traffic_between_a_seplos_v3_master_and_its_packs_is_understood_or_passed_over(
    parts: list[bytes], cuts: list[int]
) -> None:
    """An answer that is heard is that of the pack whose address it bears, to the question asked right before it."""
    ear, stream, at, heard = SeplosV3().overhear(), b"".join(parts), 0, list[Answer | Request]()
    for cut in cuts:
        heard += ear.feed(stream[at : at + cut], 1.0) if stream[at : at + cut] else []
        at += cut
    heard += ear.feed(stream[at:], 1.0) if stream[at:] else []
    heard += ear.feed(b"", 1.0)
    for one in heard:
        if isinstance(one, Answer):
            for question, data in one.data.items():
                own = SeplosV3Responder(one.address).frame(question, pack_row(soc=40.0 + one.address))
                asked = SeplosV3().exchange(question, one.address).request
                assert data == own
                assert asked in stream[: stream.index(own)]
    assert len(ear.rejected) <= len(stream)
