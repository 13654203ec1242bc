"""An answer of 308 bytes into a row: ``pytest -s -o addopts= benchmarks/bench_decode.py``.

``kernel`` checks mark, type, sum and acknowledgement and fills the row, in two calls; ``scanner`` finds the answer in
a stream first; ``exchange`` is all that a bus does with an answer (new exchange, feed, apply, check); ``struct`` is the
same work as ``kernel`` in plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from wire import wire_ms

from packbank.bms.jkpb import JkPb
from packbank.bms.jkpb_fields import STATUS, STATUS_FLAGS, status_layout
from packbank.bms.jkpb_frames import REGISTERS
from packbank.bms.protocol import Row, Topic
from packbank.cext.framing import Scanner, acknowledgement, find_answer
from packbank.cli.timing import net_ns
from packbank.model.columns import CELL_VOLTAGES, CELLS, COLUMNS, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.sim.responder_jkpb import frame

ADDRESS, REGISTER, KIND = 3, REGISTERS[Topic.STATUS], 2
CODES = {"u8": "<B", "u16": "<H", "i16": "<h", "u32": "<I", "i32": "<i"}


def answer() -> bytes:
    row = empty_matrix(1)[0]
    row[CELL_VOLTAGES][:16] = 3.3
    row[CELL_VOLTAGES.stop : CELL_VOLTAGES.stop + 16] = 0.05
    row[Column.VOLTAGE], row[Column.CURRENT], row[Column.POWER], row[Column.SOC] = 52.8, 10.0, 528.0, 60
    row[Column.CELL_AVERAGE], row[Column.CELL_DELTA] = 3.3, 0.0
    return frame(Topic.STATUS, row, ADDRESS, Identity()) + acknowledgement(ADDRESS, REGISTER)


def kernel() -> Callable[[bytes, Row], None]:
    decode_into = status_layout().decode_into

    def run(data: bytes, row: Row) -> None:
        decode_into(data, row, find_answer(data, ADDRESS, REGISTER, KIND))

    return run


def scanned() -> Callable[[bytes, Row], None]:
    decode_into, scan = status_layout().decode_into, Scanner().feed

    def run(data: bytes, row: Row) -> None:
        decode_into(scan(data)[0].data, row)

    return run


def exchange() -> Callable[[bytes, Row], None]:
    protocol, previous = JkPb(), np.full(COLUMNS, np.nan)

    def run(data: bytes, row: Row) -> None:
        asked = protocol.exchange("status", ADDRESS)
        asked.feed(data)
        protocol.decode(ADDRESS, "status", asked.answer, row, Identity())
        protocol.check(row, previous)

    return run


def in_struct() -> Callable[[bytes, Row], None]:
    plain = [(field, CODES[field.kind], round(1 / field.scale)) for field in STATUS if field.count == 1]

    def run(data: bytes, row: Row) -> None:
        start = data.index(b"\x55\xaa\xeb\x90")
        if (
            data[start + 4] != KIND
            or sum(data[start : start + 299]) & 0xFF != data[start + 299]
            or not acked(data, start)
        ):
            raise ValueError
        mask = unpack_from("<I", data, start + 70)[0]
        for first, offset in ((0, 6), (CELLS, 80)):
            for k, raw in enumerate(unpack_from("<32H", data, start + offset)):
                row[first + k] = raw / 1000 if mask >> k & 1 else np.nan
        for field, code, divisor in plain:
            raw = unpack_from(code, data, start + field.offset)[0]
            row[field.column] = np.nan if raw == field.absent else raw / divisor
        bits = unpack_from("<I", data, start + 166)[0]
        for flag in STATUS_FLAGS:
            row[flag.column] = flag.level if bits & flag.mask else 0

    return run


def acked(data: bytes, start: int) -> bool:
    crc = 0xFFFF
    for byte in data[start + 300 : start + 306]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc == unpack_from("<H", data, start + 306)[0] and data[start + 300] == ADDRESS


WAYS = {"kernel": kernel, "scanner": scanned, "exchange": exchange, "struct": in_struct}


@pytest.mark.parametrize("way", WAYS)
def test_decode(benchmark: BenchmarkFixture, way: str) -> None:
    data, row, run = answer(), np.full(COLUMNS, np.nan), WAYS[way]()
    benchmark.group = f"{len(data)} bytes, {wire_ms(len(data)):.2f} ms on the wire"
    benchmark(run, data, row)
    assert row[Column.CURRENT] == 10.0
    net = round(net_ns(run, data, row))
    benchmark.extra_info |= {"net_ns": net, "wire_ms": wire_ms(len(data))}
    print(f"\n{way:>10}: {net / 1000:7.2f} us an answer; on the wire {wire_ms(len(data)):5.2f} ms")
