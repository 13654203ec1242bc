"""What an answer costs the processor, in real time: ``pytest -s -o addopts= benchmarks/bench_bus.py``.

The packs are simulated in a process of their own, at the pace of real ones. The rival reads as drivers do that
ask the port for a byte at a time, with the same pyserial, kernels and packs. ``extra_info`` has for an answer:
microseconds of CPU, voluntary context switches (wake-ups), and beside them the time the bytes were on the wire.
``bench_daemon.py`` has the least that any program can spend.
"""

from __future__ import annotations

import resource
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator

import pytest
import serial
from pytest_benchmark.fixture import BenchmarkFixture

from packbank.bms.jkpb import JkPb
from packbank.bms.protocol import Answer, Topic
from packbank.cli.simulate import add_bank_arguments
from packbank.cli.simulator import Simulator
from packbank.config.model import BusConfig
from packbank.sources.serial.bus import start_bus
from packbank.sources.serial.gate import Gate, Member
from packbank.sources.serial.statistics import BITS_A_BYTE, Statistics
from packbank.sources.store import Store

PACKS = 15
SECONDS = 15.0
WARM_UP = 4.0  # s: about and settings are read at the start
ANSWER, REQUEST = 308, 11  # bytes
WIRE_MS = (ANSWER + REQUEST) * BITS_A_BYTE / 115_200 * 1e3
GAP = 0.12  # s from request to request, as dbus-serialbattery keeps

Measured = tuple[float, float, float]  # CPU us, context switches, ms of a round's share, each for an answer


@pytest.fixture
def port() -> Iterator[str]:
    parser = ArgumentParser()
    add_bank_arguments(parser)
    with Simulator(parser.parse_args([f"--packs={PACKS}"])) as simulator:
        yield simulator.ports[0]


def measure(answers: Callable[[], int]) -> Measured:
    """What this process spends on an answer in :data:`SECONDS`; ``answers`` counts them so far."""
    before, first = resource.getrusage(resource.RUSAGE_SELF), answers()
    time.sleep(SECONDS)
    after, count = resource.getrusage(resource.RUSAGE_SELF), answers() - first
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu / count * 1e6, (after.ru_nvcsw - before.ru_nvcsw) / count, SECONDS / count * 1e3


def report(benchmark: BenchmarkFixture, name: str, measured: Measured) -> None:
    cpu, switches, share = measured
    benchmark.extra_info |= {"cpu_us": cpu, "context_switches": switches, "share_ms": share, "wire_ms": WIRE_MS}
    print(
        f"\n{name:9}: {cpu:6.0f} us of CPU and {switches:6.1f} context switches an answer, one in {share:5.1f} ms, "
        f"of which {WIRE_MS:.1f} ms are bytes on the wire"
    )


def test_packbank(benchmark: BenchmarkFixture, port: str) -> None:
    members = [Member(index, index + 1, f"pack {index + 1}") for index in range(PACKS)]
    bus = start_bus(BusConfig(name="bench", port=port), JkPb(), members, Store(PACKS))
    time.sleep(WARM_UP)
    measured = benchmark.pedantic(measure, args=(lambda: bus.stats().answers,), rounds=1)  # type: ignore[no-untyped-call]
    bus.stop()
    bus.join()
    benchmark.extra_info["lost"] = bus.stats().lost
    report(benchmark, "packbank", measured)


class ByteByByte:
    """A driver that reads a byte at a time; decoding, checks and store are ours, so the difference is the reading."""

    def __init__(self, port: str) -> None:
        members = [Member(index, index + 1, f"pack {index + 1}") for index in range(PACKS)]
        self.statistics = Statistics("rival", port)
        self._protocol = JkPb()
        self._gate = Gate("rival", self._protocol, members, Store(PACKS), self.statistics)
        self._port = serial.Serial(port, 115_200, timeout=0.5)

    def run(self, seconds: float) -> int:
        """Poll for so long; how many answers were taken."""
        until, address, first = time.monotonic() + seconds, 0, self.statistics.counted("answers")
        while time.monotonic() < until:
            asked = time.monotonic()
            self._ask(address % PACKS + 1)
            address += 1
            time.sleep(max(asked + GAP - time.monotonic(), 0.0))
        return self.statistics.counted("answers") - first

    def _ask(self, address: int) -> None:
        exchange = self._protocol.exchange("status", address)
        self._port.reset_input_buffer()
        self._port.write(exchange.request)
        data = bytearray()
        while len(data) < ANSWER and (byte := self._port.read(1)):
            data += byte
        if exchange.feed(bytes(data)):
            self._gate.take(Answer(address, Topic.STATUS, {"status": exchange.answer}, time.monotonic()))


def test_a_byte_at_a_time(benchmark: BenchmarkFixture, port: str) -> None:
    rival = ByteByByte(port)
    rival.run(WARM_UP)
    benchmark.pedantic(lambda: report(benchmark, "rival", paced(rival.run)), rounds=1)  # type: ignore[no-untyped-call]
    assert rival.statistics.counted("answers")


def paced(run: Callable[[float], int]) -> Measured:
    """As :func:`measure`, for work done in this thread."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    count = run(SECONDS)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu / count * 1e6, (after.ru_nvcsw - before.ru_nvcsw) / count, SECONDS / count * 1e3
