"""Fuzzes everything that reads bytes off a line; run by ``scripts/fuzz`` on a build with ASan and UBSan.

The invariant: any bytes in any chunks give frames or a FrameError, never anything else, never unbounded memory.
What the sanitizers find ends the process; any other exception, or a scanner that hoards bytes, is a finding too.

A seed makes a run repeatable: each case is drawn from ``Random(f"{seed}/{number}")``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import numpy as np

from packbank.bms.fields import Bit, Field, Flag, Kind
from packbank.bms.protocol import Answer, Protocol
from packbank.bms.registry import NAMES, protocol
from packbank.cext import a5, checksum, envelope, framing, tlv
from packbank.cext.layout import Layout
from packbank.errors import FrameError
from packbank.model.columns import COLUMNS
from packbank.model.identity import Identity
from packbank.sim.responder import responder_class

Case = Callable[[Random, list[bytes]], int]  # returns how many chunks it has fed

KINDS: tuple[Kind, ...] = ("u8", "i8", "u16", "i16", "u32", "i32")
HELD_AT_MOST = framing.FRAME_SIZE


def seeds() -> dict[str, list[bytes]]:
    """Sound requests and answers of every protocol, made by the simulated packs."""
    random = Random(0)
    row = np.abs(np.random.default_rng(0).normal(3.3, 0.1, COLUMNS))
    return {name: list(_answers(protocol(name), name, row, random)) for name in NAMES}


def _answers(spoken: Protocol, name: str, row: np.ndarray[Any, Any], random: Random) -> Iterator[bytes]:
    address = spoken.addresses[0]
    responder = responder_class(name)(address, Identity())
    for questions in spoken.questions.values():
        for question in questions:
            request = spoken.exchange(question, address).request
            yield request
            if responder.wants(request):
                yield b"".join(burst.data for burst in responder.answer(request, row, random))


def mutated(random: Random, corpus: list[bytes]) -> bytes:
    """A piece of traffic with what a line does to it: cut, doubled, flipped, padded, mixed."""
    data = bytearray(random.choice(corpus))
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        match random.randrange(6):
            case 0:
                data = data[: random.randrange(len(data) + 1)]
            case 1:
                data = data[random.randrange(len(data) + 1) :]
            case 2 if data:
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            case 3:
                at = random.randrange(len(data) + 1)
                data[at:at] = random.randbytes(random.randrange(12))
            case 4:
                data += random.choice(corpus)
            case _:
                data = bytearray(random.randbytes(random.randrange(40))) + data
    return bytes(data)


def chunks(random: Random, data: bytes) -> Iterator[bytes]:
    """``data`` in pieces of one to many bytes."""
    largest = random.choice((1, 8, 64, 1000))
    at = 0
    while at < len(data):
        size = random.randrange(1, largest + 1)
        yield data[at : at + size]
        at += size


def stream(random: Random, corpus: list[bytes]) -> list[bytes]:
    """A few seconds of a bad line, in chunks."""
    return list(chunks(random, b"".join(mutated(random, corpus) for _ in range(random.randrange(1, 5)))))


def fuzz_protocol(spoken: Protocol) -> Case:
    """Exchange, overhearing, plausibility and description of one protocol."""
    questions = [question for asked in spoken.questions.values() for question in asked]

    def case(random: Random, corpus: list[bytes]) -> int:
        exchange, ear = spoken.exchange(random.choice(questions), spoken.addresses[0]), spoken.overhear()
        row = np.full(COLUMNS, np.nan)
        fed, complete = stream(random, corpus), False
        for chunk in fed:
            complete = exchange.feed(chunk)
        if not complete:
            complete = exchange.feed(b"")
        if complete:
            with suppress(FrameError):
                spoken.decode(exchange.address, exchange.question, exchange.answer, row, Identity())
                spoken.check(row, np.full(COLUMNS, np.nan))
        for number, chunk in enumerate(fed if ear else ()):
            for heard in ear.feed(chunk, number * 0.01) if ear else ():
                if isinstance(heard, Answer):
                    with suppress(FrameError):
                        for question, data in heard.data.items():
                            spoken.decode(heard.address, question, data, row, Identity())
        whole = b"".join(fed)
        spoken.describe(whole)
        assert len(spoken.conceal(whole)) == len(whole)
        return len(fed)

    return case


def fuzz_framing(random: Random, corpus: list[bytes]) -> int:
    """The scanner, in any chunks, and the search in one buffer."""
    scanner = framing.Scanner()
    fed = stream(random, corpus)
    for chunk in fed:
        scanner.feed(random.choice((bytes, bytearray, memoryview))(chunk))
        assert scanner.held < HELD_AT_MOST
    scanner.flush()
    framing.find_answer(b"".join(fed), random.randrange(-1, 17), random.choice((0x161E, 0x1620)), random.randrange(4))
    return len(fed)


def fuzz_checksums(random: Random, corpus: list[bytes]) -> int:
    """Every length and every alignment."""
    data = memoryview(mutated(random, corpus))[random.randrange(8) :]
    for function in (checksum.crc16_modbus, checksum.sum8, checksum.sum16, checksum.sum_xor8):
        function(data)
    return 1


def fuzz_layout(random: Random, corpus: list[bytes]) -> int:
    """Tables that nobody would write, on messages that are too short, and back."""
    size = random.randrange(1, 40)
    try:
        layout = Layout([_field(random) for _ in range(random.randrange(5))], [_flag(random)], size=size)
    except (ValueError, OverflowError):
        return 0
    row = np.full(layout.columns + random.randrange(-1, 2), random.choice((np.nan, np.inf, -1e300, 3.3)))
    with suppress(ValueError):
        layout.decode_into(mutated(random, corpus), row, random.choice((0, 0, 1, -1, 300, 2**62)))
        layout.encode_into(bytearray(random.randbytes(random.randrange(50))), row, random.randrange(-2, 20))
        layout.encode_from(row)
    return 1


def _field(random: Random) -> Field:
    number = random.choice((random.randrange(0, 20), random.randrange(0, 20), random.randrange(-3, 2**17)))
    return Field(
        random.randrange(-1, 40),
        random.randrange(-1, 40),
        random.choice(KINDS),
        scale=random.choice((1.0, 0.001, -0.1, 1e-30, 1e30)),
        shift=random.choice((0, -40, 1e20)),
        absent=random.choice((None, 0, -2000, 2**40)),
        present=random.choice((None, Bit(random.randrange(-1, 40), random.randrange(-9, 99), random.randrange(2)))),
        mask=random.choice((None, None, 0x0F, 0x3FFF, 2**31)),
        count=random.choice((1, 1, 2, number)),
        stride=random.choice((0, 0, 2, number)),
        sign=random.choice((None, None, random.randrange(-2, 40))),
    )


def _flag(random: Random) -> Flag:
    return Flag(random.randrange(50), random.randrange(40), random.choice(KINDS), random.choice((1, 0x80)), 2)


def fuzz_tlv(random: Random, corpus: list[bytes]) -> int:
    """Tag lists with any tags over any bytes."""
    data = mutated(random, corpus)
    a5.find_a5(data, random.randrange(len(data) + 2))
    try:
        tags = [
            tlv.Tag(random.randrange(256), random.randrange(12), random.randrange(40), random.randrange(4))
            for _ in range(random.randrange(1, 6))
        ]
        tag_list = tlv.TagList(tags)
    except (ValueError, OverflowError):
        return 0
    with suppress(ValueError):
        record, _ = tag_list.unroll(data, random.randrange(-1, len(data) + 2))
        tag_list.roll(record)
    return 1


def fuzz_envelope(random: Random, corpus: list[bytes]) -> int:
    """The ASCII envelope over any bytes, and back."""
    data = mutated(random, corpus)
    envelope.frame_size(data, random.choice((4095, 512, 0)))
    with suppress(ValueError):
        version, address, cid1, code, *info = envelope.open_frame(data)
        envelope.seal(version, address, cid1, code, bytes(info))
    with suppress(ValueError, OverflowError):
        head = random.choices((0, 255, 256, -1, 2**40), (9, 9, 1, 1, 1), k=4)
        envelope.seal(head[0], head[1], head[2], head[3], data * random.randrange(1, 9))
    return 1


def cases(corpora: dict[str, list[bytes]]) -> list[tuple[Case, list[bytes]]]:
    """Every kernel and protocol with the traffic that it is fed."""
    all_traffic = [data for corpus in corpora.values() for data in corpus]
    kernels = [(case, all_traffic) for case in (fuzz_framing, fuzz_checksums, fuzz_layout, fuzz_tlv, fuzz_envelope)]
    return [*kernels, *((fuzz_protocol(protocol(name)), corpora[name]) for name in NAMES)]


def main() -> int:
    """Run until enough chunks have been fed; 0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chunks", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--seed", default="packbank")
    args = parser.parse_args()
    table = cases(seeds())
    fed, number, findings = 0, 0, 0
    while fed < args.chunks and findings < 10:
        number += 1
        case, corpus = table[number % len(table)]
        try:
            fed += case(Random(f"{args.seed}/{number}"), corpus)
        except Exception as error:  # noqa: BLE001  a fuzzer's catch is every exception
            findings += 1
            print(f"finding: case {number} of seed {args.seed}: {type(error).__name__}: {error}", file=sys.stderr)
    print(f"{fed} chunks in {number} cases, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
