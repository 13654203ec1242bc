"""``packbank run`` with [web], as its users run it: simulated packs, all attacks at once, and a port that is taken."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

pytest.importorskip("h11", reason="the web page is an extra: pip install packbank[web]")

from brokers import free_port
from web_attacks import ATTACKS
from web_bench import Client

PACKBANK = [sys.executable, "-m", "packbank"]
SECONDS = 5  # snapshots that must come while everybody attacks
MAY_GROW = 12_000  # kB; buffers that are in use for the first time, and a fragmented heap

Run = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts the daemon over two simulated packs with the lines given for [web]; it prints JSON lines."""
    started: list[subprocess.Popen[str]] = []
    simulate = [*PACKBANK, "simulate", "--packs", "2", "--json", "--folder", str(tmp_path)]
    simulator = subprocess.Popen(simulate, stdout=subprocess.PIPE, text=True)
    started.append(simulator)
    assert simulator.stdout is not None
    (port,) = json.loads(simulator.stdout.readline())["ports"]

    def run(section: str) -> subprocess.Popen[str]:
        config = tmp_path / "config.ini"
        config.write_text(f"[DEFAULT]\nPORT = {port}\nBATTERY_ADDRESSES = 1-2\nSTART_TIMEOUT = 5\n[web]\n{section}\n")
        command = [*PACKBANK, "run", "--config", str(config), "--no-dbus", "--json"]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in reversed(started):
        process.kill()
        process.communicate()


def lines(daemon: subprocess.Popen[str], count: int) -> list[int]:
    """The numbers of the next snapshots."""
    assert daemon.stdout is not None
    return [json.loads(daemon.stdout.readline())["number"] for _ in range(count)]


def memory(daemon: subprocess.Popen[str]) -> int:
    return int(Path(f"/proc/{daemon.pid}/status").read_text().split("VmRSS:")[1].split()[0])


@pytest.mark.slow
def test_all_attacks_at_once_harm_nothing_but_the_page(run: Run) -> None:
    port = free_port()
    daemon = run(f"LISTEN = 127.0.0.1:{port}")
    lines(daemon, 4)
    with Client(port) as client:
        assert client.get("/api/snapshot").status_code == 200
        assert len(json.loads(client.body)["packs"]) == 2
    before, over = memory(daemon), Event()
    attackers = [Thread(target=attack, args=(port, over)) for attack in ATTACKS]
    for attacker in attackers:
        attacker.start()
    numbers = lines(daemon, SECONDS)
    over.set()
    for attacker in attackers:
        attacker.join()
    assert numbers == list(range(numbers[0], numbers[0] + SECONDS))
    assert memory(daemon) - before < MAY_GROW
    with Client(port) as client:
        assert client.get("/metrics").status_code == 200
    daemon.send_signal(signal.SIGTERM)
    said = daemon.communicate(timeout=20)[1]
    assert daemon.returncode == 0
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_port_that_is_taken_keeps_nothing_else(run: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        daemon = run(f"LISTEN = 127.0.0.1:{other.getsockname()[1]}")
        lines(daemon, 5)
    daemon.send_signal(signal.SIGTERM)
    said = daemon.communicate(timeout=20)[1]
    assert daemon.returncode == 0
    assert said.count("Address already in use; write another") == 1
    assert "Traceback" not in said
