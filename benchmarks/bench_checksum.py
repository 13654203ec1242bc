"""Checksums against fastcrc, in the same run: ``pytest -s -o addopts= benchmarks/bench_checksum.py``."""

from __future__ import annotations

from collections.abc import Callable

import fastcrc
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from wire import wire_ms

from packbank.cext.checksum import crc16_modbus, sum8
from packbank.cli.timing import net_ns

FUNCTIONS = {"crc16_modbus": crc16_modbus, "fastcrc": fastcrc.crc16.modbus, "sum8": sum8, "sum() & 255": None}


def plain_sum8(data: bytes) -> int:
    return sum(data) & 0xFF


@pytest.mark.parametrize("size", [8, 11, 308])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_checksum(benchmark: BenchmarkFixture, name: str, size: int) -> None:
    data = bytes(k * 7 & 0xFF for k in range(size))
    function: Callable[[bytes], int] = FUNCTIONS[name] or plain_sum8
    benchmark.group = f"{size} bytes, {wire_ms(size):.2f} ms on the wire"
    benchmark(function, data)
    net = round(net_ns(function, data))
    benchmark.extra_info |= {"net_ns": net, "wire_ms": wire_ms(size)}
    print(f"\n{name:>14} {size:4} bytes: {net:5} ns a call; on the wire {wire_ms(size):5.2f} ms")
