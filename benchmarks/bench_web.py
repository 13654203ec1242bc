"""What the web page costs the whole daemon: ``scripts/bench web``.

``packbank run`` with a D-Bus over the same simulated buses several times at the same time, so that all see the same
machine: without [web], with it and nobody looking, with one and five readers of its stream as browsers are, and with
everything: MQTT, the page and one reader. The readers are in this process and cost the daemons nothing but the sending.
"""

from __future__ import annotations

import socket
import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest
from bench_daemon import cpu, running
from bench_mqtt import memory, spent
from pytest_benchmark.fixture import BenchmarkFixture

from brokers import MOSQUITTO, Mosquitto, free_port
from packbank.cli.private_bus import PrivateBus
from packbank.cli.simulate import add_bank_arguments, plans_of, stanza
from packbank.cli.simulator import Simulator

PACKS = 15
SETTLE = 25.0  # s: the start is over, everybody has been sent the whole
SECONDS = 60.0


class Kind(NamedTuple):
    """A daemon to measure."""

    name: str
    web: bool = True
    readers: int = 0
    mqtt: bool = False


KINDS = (
    Kind("off", web=False),
    Kind("idle"),
    Kind("one", readers=1),
    Kind("five", readers=5),
    Kind("all", readers=1, mqtt=True),
)


class Reader:
    """Reads the stream as a browser does, and counts the bytes."""

    def __init__(self, port: int) -> None:
        """Waits until somebody listens there."""
        self.bytes = 0
        self._link = _connection(port)
        self._link.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(ConnectionError):
            while data := self._link.recv(1 << 18):
                self.bytes += len(data)

    def close(self) -> None:
        with suppress(OSError):  # the daemon has hung up
            self._link.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._link.close()


def _connection(port: int) -> socket.socket:
    end = time.monotonic() + 30.0
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
        time.sleep(0.1)


@pytest.mark.parametrize("buses", [1, 8])
def test_web(benchmark: BenchmarkFixture, tmp_path: Path, buses: int) -> None:
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed (package mosquitto)")
    parser = ArgumentParser()
    add_bank_arguments(parser)
    arguments = parser.parse_args([f"--packs={PACKS}", f"--buses={buses}"])
    broker = Mosquitto(tmp_path)
    with ExitStack() as stack:
        broker.start()
        stack.callback(broker.stop)
        pids: dict[str, int] = {}
        readers: dict[str, list[Reader]] = {}
        ports = {kind.name: free_port() for kind in KINDS}
        for kind in KINDS:
            folder = tmp_path / kind.name
            folder.mkdir()
            stack.enter_context(PrivateBus(folder))  # the environment names the newest
            simulator = stack.enter_context(Simulator(arguments))
            sections = f"\n[web]\nLISTEN = 127.0.0.1:{ports[kind.name]}\n" if kind.web else ""
            sections += f"\n[mqtt]\nBROKER = {broker.url}\n" if kind.mqtt else ""
            config = folder / "config.ini"
            config.write_text(stanza(simulator.ports, plans_of(arguments)) + sections)
            command = [sys.executable, "-m", "packbank", "run", "--config", str(config)]
            pids[kind.name] = stack.enter_context(running(command))
        time.sleep(SETTLE / 2)
        for kind in KINDS:
            readers[kind.name] = [Reader(ports[kind.name]) for _ in range(kind.readers)]
            for reader in readers[kind.name]:
                stack.callback(reader.close)
        time.sleep(SETTLE / 2)
        used = benchmark.pedantic(spent, args=(pids, SECONDS), rounds=1)  # type: ignore[no-untyped-call]
        resident = {name: memory(pid) for name, pid in pids.items()}
        threads = cpu(pids["five"])
    for name in pids:
        benchmark.extra_info |= {
            f"{name}_cpu_s_a_minute": used[name] - used["off"],
            f"{name}_memory_mb": resident[name] - resident["off"],
        }
        sent = sum(reader.bytes for reader in readers[name]) / max(1, len(readers[name])) / 1000.0
        more = f"{used[name] - used['off']:+.3f} s, {resident[name] - resident['off']:+.1f} MB"
        print(f"\n{buses} x {PACKS} packs, {name}: {used[name]:.3f} s of CPU a minute, {resident[name]:.1f} MB", end="")
        print(f" ({more}), {sent:.0f} kB to each reader")
    benchmark.extra_info["everything_mb"] = resident["all"]
    print("\n".join(f"  {name:24} {seconds:.3f} s since the start" for name, seconds in sorted(threads.items())))
