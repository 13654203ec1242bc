"""``packbank run`` as its users run it: a process over simulated buses, ended by signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., "subprocess.Popen[str]"]
PACKBANK = [sys.executable, "-m", "packbank"]


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Path]:
    """Two buses of two packs, and the folder with the configuration that reads them."""
    simulator = subprocess.Popen(
        [*PACKBANK, "simulate", "--packs", "2", "--buses", "2", "--folder", str(tmp_path), "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert simulator.stdout is not None
    ports = json.loads(simulator.stdout.readline())["ports"]
    sections = [f"[bus:rack{n}]\nPORT = {port}\nBATTERY_ADDRESSES = 1-2\n" for n, port in enumerate(ports, start=1)]
    (tmp_path / "config.ini").write_text("[DEFAULT]\nSTART_TIMEOUT = 5\n" + "".join(sections))
    yield tmp_path
    simulator.terminate()
    simulator.communicate(timeout=10)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts daemons without a D-Bus, and ends those that the test leaves running."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
        command = [*PACKBANK, "run", "--config", str(folder / "config.ini"), "--no-dbus", "--json", *arguments]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for daemon in started:
        if daemon.returncode is None:
            daemon.kill()
            daemon.communicate()


def first_battery(daemon: subprocess.Popen[str], packs: int) -> dict[str, Any]:
    """The first battery that has so many packs online."""
    assert daemon.stdout is not None
    for line in daemon.stdout:
        battery: dict[str, Any] = json.loads(line)
        if battery["online"] == packs:
            return battery
    raise AssertionError("the daemon ended")


def end(daemon: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """Send a signal; the log, once the process is gone."""
    daemon.send_signal(number)
    return daemon.communicate(timeout=10)[1]


def test_four_packs_on_two_buses_become_one_battery(bank: Path, start: Start) -> None:
    daemon = start(bank)
    battery = first_battery(daemon, 4)
    log = end(daemon)
    assert daemon.returncode == 0
    assert [pack["name"] for pack in battery["packs"]] == ["rack1 1", "rack1 2", "rack2 1", "rack2 2"]
    assert battery["ready"]
    assert 40 < battery["charge_voltage_limit"]["value"] < 58.4
    for limit in (battery["charge_current_limit"], battery["discharge_current_limit"]):
        assert limit["value"] >= 0
        assert limit["cause"]
    assert "Traceback" not in log
    assert "rack1 1" in log


def test_show_sees_the_running_daemon(bank: Path, start: Start) -> None:
    daemon = start(bank)
    first_battery(daemon, 4)
    shown = subprocess.run(
        [*PACKBANK, "show", "rack2", "1", "--config", str(bank / "config.ini"), "--json"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    pack = json.loads(shown)
    assert (pack["name"], pack["presence"], len(pack["cells"])) == ("rack2 1", "fresh", 16)
    assert pack["settings"]["cell_ovp"] > pack["settings"]["cell_uvp"] > 2.0
    end(daemon)
    gone = subprocess.run(
        [*PACKBANK, "show", "--config", str(bank / "config.ini")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert gone.returncode == 1
    assert "no daemon runs with" in gone.stderr


def test_state_is_kept_at_the_end_and_used_again(bank: Path, start: Start) -> None:
    first = start(bank)
    began = first_battery(first, 4)
    end(first)
    state = json.loads((bank / "config.state.json").read_text())
    assert state["bank"]["version"] == 1
    second = start(bank)
    assert first_battery(second, 4)["history"]["minimum_voltage"] <= began["history"]["minimum_voltage"]
    end(second)


def test_after_kill_9_the_next_start_finds_a_clean_bus(bank: Path, start: Start) -> None:
    killed = start(bank)
    first_battery(killed, 4)
    killed.kill()
    killed.communicate(timeout=10)
    again = start(bank)
    assert first_battery(again, 4)["ready"]
    log = end(again)
    assert again.returncode == 0
    assert "refused" not in log


def test_a_second_daemon_on_the_same_ports_says_who_has_them(bank: Path, start: Start) -> None:
    one = start(bank)
    first_battery(one, 4)
    other = start(bank, "--state", str(bank / "other.state.json"))
    time.sleep(3)
    log = end(other)
    end(one)
    assert str(bank) in log
    assert "in use by" in log


def test_a_second_daemon_with_the_same_state_is_refused(bank: Path, start: Start) -> None:
    one = start(bank)
    first_battery(one, 4)
    other = start(bank)
    _, log = other.communicate(timeout=30)
    end(one)
    assert other.returncode == 2
    assert "another packbank runs with" in log


def test_a_capture_has_the_traffic_and_replays(bank: Path, start: Start) -> None:
    file = bank / "capture.jsonl"
    daemon = start(bank, "--capture", str(file))
    first_battery(daemon, 4)
    end(daemon)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["dir"] for line in lines if "dir" in line} == {"rx", "tx"}
    replayed = subprocess.run(
        [*PACKBANK, "replay", str(file), "--speed", "1000"], capture_output=True, text=True, timeout=30, check=False
    )
    assert replayed.returncode == 0, replayed.stderr
    assert "4" in replayed.stdout


def test_a_bad_configuration_starts_nothing_and_exits_with_2(tmp_path: Path, start: Start) -> None:
    (tmp_path / "config.ini").write_text("[bus:a]\nPORT = /dev/null\nBATTERY_ADDRESSES = 0x00, 0x10\nMAX_CEL = 3\n")
    daemon = start(tmp_path)
    out, log = daemon.communicate(timeout=20)
    assert daemon.returncode == 2
    assert out == ""
    assert "config.ini" in log
    assert "0x00" in log
    assert "0x10" in log
    assert "MAX_CEL" in log


def test_without_d_bus_the_end_of_the_reader_is_the_end(bank: Path, start: Start) -> None:
    daemon = start(bank)
    first_battery(daemon, 4)
    assert daemon.stdout is not None
    assert daemon.stderr is not None
    daemon.stdout.close()
    assert daemon.wait(15.0) == 1
    with daemon.stderr as log:
        assert "output json has ended" in log.read()


@pytest.mark.slow
def test_events_outlive_the_daemon_and_a_kill(bank: Path, start: Start) -> None:
    """They are seen while it runs, a process that is killed loses none, and at the end all are on the disk."""
    past = [*PACKBANK, "events", "--config", str(bank / "config.ini"), "--kind", "pack"]
    daemon = start(bank)
    first_battery(daemon, 4)
    assert "part of the bank" in first_lines_of(past)
    daemon.kill()
    daemon.communicate()
    assert not (bank / "config.state.history").exists()
    daemon = start(bank)
    first_battery(daemon, 4)
    end(daemon)
    events = subprocess.run(past, capture_output=True, text=True, check=True).stdout.splitlines()
    assert sum("part of the bank" in event for event in events) >= 2
    assert (bank / "config.state.history" / "events-000001.blocks").exists()


def first_lines_of(command: list[str]) -> str:
    """What ``command`` says as soon as it has something to say."""
    for _ in range(60):
        if said := subprocess.run(command, capture_output=True, text=True, check=False).stdout:
            return said
        time.sleep(0.3)
    raise AssertionError(f"{command} has nothing to say")
