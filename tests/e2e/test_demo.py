"""``packbank demo`` and ``simulate`` as a user starts and ends them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packbank.bms import registry
from packbank.bms.protocol import Topic
from packbank.cli.private_bus import missing
from packbank.config.loader import load
from packbank.sim.responder_jkpb import request

serial = pytest.importorskip("serial")

COMMAND = [sys.executable, "-m", "packbank"]
needs_dbus = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")


def environment(folder: Path) -> dict[str, str]:
    """Everything temporary goes to ``folder``, where we can see what is left of it."""
    return {**os.environ, "TMPDIR": str(folder)}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(folder), capture_output=True, text=True, timeout=60, check=False
    )


def processes_that_mention(text: str) -> list[str]:
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found


@pytest.mark.slow
@needs_dbus
def test_demo_shows_the_whole_chain_and_leaves_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, "demo", "--packs", "2", "--buses", "2", "--seconds", "7")
    assert result.returncode == 0, result.stderr
    assert "4/4 packs" in result.stdout
    assert re.search(r"^battery after \d\.\d s: 4 of 4 packs$", result.stdout, re.MULTILINE)
    assert len(re.findall(r"^bus\d: round \d\.\d\d s .* 0 lost, 0 refused$", result.stdout, re.MULTILINE)) == 2
    (off,) = re.findall(r"truth: off by (\d+\.\d+) A", result.stdout)
    assert float(off) < 0.5
    assert re.search(r"^CCL \d+\.\d A: ", result.stdout, re.MULTILINE)
    (signals,) = re.findall(r"^D-Bus: (\d+) ItemsChanged", result.stdout, re.MULTILINE)
    assert 2 <= int(signals) <= 8
    assert list(tmp_path.iterdir()) == []
    assert processes_that_mention(str(tmp_path)) == []


@pytest.mark.slow
def test_demo_of_every_make_works_without_dbus(tmp_path: Path) -> None:
    result = run(tmp_path, "demo", "--mix", "--seconds", "10", "--no-dbus")
    assert result.returncode == 0, result.stderr
    assert re.search(r"(\d+) of \1 packs", result.stdout)
    assert len(re.findall(r"^bus\d+: .* 0 lost, 0 refused", result.stdout, re.MULTILINE)) == len(registry.NAMES)
    assert "D-Bus" not in result.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_demo_ends_on_a_signal_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--packs", "1"], env=environment(tmp_path), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "packs: 1, buses: 1;" in process.stdout.readline()
    assert "1/1 packs" in process.stdout.readline()
    process.send_signal(number)
    rest, _ = process.communicate(timeout=20)
    assert ("battery after" in rest) == (number == signal.SIGTERM)
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert processes_that_mention(str(tmp_path)) == []


def test_demo_of_a_bank_that_cannot_be_is_a_usage_error(tmp_path: Path) -> None:
    result = run(tmp_path, "demo", "--packs", "16")
    assert result.returncode == 2
    assert "--packs 16: write 1 to 15" in result.stderr


def test_simulate_prints_a_configuration_that_loads(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "simulate", "--packs", "3", "--buses", "2", "--folder", str(tmp_path / "ports")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        printed = "".join(_lines(process, 9))
        file = tmp_path / "config.ini"
        file.write_text(printed, encoding="utf-8")
        config = load(file)
        assert [(pack.bus, pack.address) for pack in config.packs] == [
            (f"bus{b}", n) for b in (1, 2) for n in (1, 2, 3)
        ]
        with serial.serial_for_url(config.buses[1].port, 115200, timeout=1.0) as port:
            port.write(request(Topic.STATUS, 3))
            assert port.read(4) == bytes.fromhex("55AAEB90")
    finally:
        process.terminate()
        process.communicate(timeout=10)
    assert process.returncode == 0
    assert list((tmp_path / "ports").iterdir()) == []


def _lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def test_simulate_prints_the_truth_as_json(tmp_path: Path) -> None:
    begin = time.monotonic()
    result = run(tmp_path, "simulate", "--json", "--seconds", "1")
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(said[0]["ports"]) == 1
    assert len(said) >= 4
    assert all(begin < truth["time"] for truth in said[1:])
    assert said[-1]["voltage"] == pytest.approx(52.8, abs=0.5)


def test_simulate_refuses_an_unknown_fault(tmp_path: Path) -> None:
    result = run(tmp_path, "simulate", "--fault", "gremlins")
    assert result.returncode == 2
    assert "there is no 'gremlins'" in result.stderr
