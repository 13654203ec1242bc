from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packbank.cli import doctor, doctor_ports, main
from packbank.errors import FrameError
from packbank.findings import Finding, Verdict
from packbank.model.bus_stats import BusState
from packbank.model.catalogue import BUS, plain, refusals
from packbank.outputs import local_socket
from packbank.sources.serial import ports
from packbank.sources.serial.statistics import Statistics
from served import bank, serving


@pytest.fixture
def port(tmp_path: Path) -> Iterator[str]:
    """A serial port that nobody has open but this process."""
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    yield name
    os.close(master)


def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tty: str, vendor: str, product: str) -> None:
    usb = tmp_path / "usb"
    (usb / "interface/tty").mkdir(parents=True)
    (usb / "idVendor").write_text(vendor + "\n")
    (usb / "idProduct").write_text(product + "\n")
    (tmp_path / "class" / tty).mkdir(parents=True)
    (tmp_path / "class" / tty / "device").symlink_to(usb / "interface")
    monkeypatch.setattr(ports, "SYS_TTY", tmp_path / "class")


def verdicts(findings: Iterator[Finding]) -> list[tuple[Verdict, str]]:
    return [(finding.verdict, finding.remedy) for finding in findings]


def test_a_bus_of_another_host_has_rows_and_a_remedy_of_its_own() -> None:
    remote = {**stats(500, {}), "name": "room2/bus1", "state": "receiving"}
    assert "500 rows taken" in next(doctor.bus_findings(remote)).text
    (finding,) = doctor.bus_findings({**remote, "error": "it has ended, or lost its connection"})
    assert "docs/hosts.md" in finding.remedy


def test_a_free_port_is_right(port: str) -> None:
    assert [finding.lines() for finding in doctor_ports.port_findings(port)] == [f"  ok    {port}: free"]


def test_a_port_that_is_not_there() -> None:
    (finding,) = doctor_ports.port_findings("/dev/ttyUSB99")
    assert finding.verdict is Verdict.WRONG
    assert finding.text == "/dev/ttyUSB99: no such port"
    assert "plugged in" in finding.remedy


def test_a_port_that_we_may_not_open(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(ports, "_permit", lambda _: "run 'sudo usermod -aG dialout me' and log in again")
    (finding,) = doctor_ports.port_findings(port)
    assert (finding.verdict, finding.text) == (Verdict.WRONG, f"{port}: forbidden")
    assert finding.remedy.startswith("run 'sudo usermod")


@pytest.mark.parametrize("venus", [False, True])
def test_a_port_that_another_program_holds(
    port: str, venus: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = tmp_path / "stop-tty.sh"
    monkeypatch.setattr(ports, "STOP_TTY", str(stop))
    if venus:
        stop.touch()
    monkeypatch.setattr(doctor_ports, "holder", lambda _: "vedirect-interf (pid 1)")
    monkeypatch.setattr("packbank.sources.serial.ports.holder", lambda _: "vedirect-interf (pid 1)")
    (finding,) = doctor_ports.port_findings(port)
    assert (finding.verdict, finding.text) == (Verdict.WRONG, f"{port}: in use by vedirect-interf (pid 1)")
    assert finding.remedy == (f"{stop} {Path(port).name}" if venus else "stop it")


def test_a_port_that_packbank_holds_is_right(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_ports, "holder", lambda _: f"python3 (pid {os.getpid()})")
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"/usr/bin/python3\0-m\0packbank\0run")
    assert verdicts(doctor_ports.port_findings(port)) == [(Verdict.OK, "")]


def test_a_port_that_serial_starter_still_has(port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_ports, "SERIAL_STARTER", tmp_path)
    (tmp_path / Path(port).name).touch()
    (finding,) = doctor_ports.port_findings(port)
    assert finding.verdict is Verdict.WRONG
    assert finding.remedy.endswith(f"stop-tty.sh {Path(port).name}")


@pytest.mark.parametrize(("product", "wrong"), [("6001", True), ("6010", False)])
def test_adapters_known_to_be_trouble(
    port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, product: str, wrong: bool
) -> None:
    adapter(tmp_path, monkeypatch, Path(port).name, "0403", product)
    found = [finding for finding in doctor_ports.port_findings(port) if "FT232R" in finding.text]
    assert bool(found) is wrong


def test_a_network_port_is_only_noted() -> None:
    assert verdicts(doctor_ports.port_findings("socket://10.0.0.7:8899")) == [(Verdict.NOTE, "")]


def stats(answers: int, refused: dict[str, int], **changes: Any) -> dict[str, Any]:
    requests = answers + 2
    statistics = Statistics("roof", "/dev/ttyUSB0")
    for reason, count in refused.items():
        for _ in range(count):
            statistics.refuse(5, FrameError(reason, "0x12 is not 0x34"), b"secret")
    values: dict[str, Any] = {"state": BusState.POLLING, "requests": requests, "answers": answers} | changes
    done = replace(statistics.snapshot(60.0, 115200), **values)
    return plain(BUS, done) | refusals(done)


def test_a_healthy_bus() -> None:
    (finding,) = doctor.bus_findings(stats(500, {}, round_time=1.193))
    assert finding.lines() == (
        "  ok    bus roof (/dev/ttyUSB0): polling, 500 of 502 requests answered, last round 1.19 s"
    )


def test_refused_answers_by_reason_with_their_remedies() -> None:
    first, link, often, seldom = doctor.bus_findings(stats(500, {"sum8": 40, "voltage": 2}))
    assert first.verdict is Verdict.OK
    assert link.text == "bus roof (/dev/ttyUSB0), pack 0x05: 0 retries and 42 refused answers in 60 s"
    assert often.verdict is Verdict.WRONG
    assert "40 answers refused: sum8, last from 0x05 (sum8: 0x12 is not 0x34)" in often.text
    assert "termination" in often.remedy
    assert (seldom.verdict, seldom.remedy) == (Verdict.NOTE, "")
    assert "secret" not in often.text


def test_how_often_a_pack_is_asked_again_is_a_rate_once_there_was_time() -> None:
    later = doctor.bus_findings(stats(9000, {"sum8": 3}, seconds=7200.0))
    assert "pack 0x05: 0.0 retries and 1.5 refused answers an hour" in [*later][1].text


def test_a_bus_without_its_port() -> None:
    (finding,) = doctor.bus_findings(stats(0, {}, error="/dev/ttyUSB0: in use by screen (pid 7)"))
    assert finding.verdict is Verdict.WRONG
    assert "screen (pid 7)" in finding.text


def test_another_master() -> None:
    findings = [*doctor.bus_findings({**stats(10, {}), "state": "standing back", "foreign": 88})]
    assert findings[-1].verdict is Verdict.WRONG
    assert "88 requests" in findings[-1].text


def test_without_a_bus_the_page_says_so_and_the_exit_code_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("dbus.bus")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    assert main(["doctor"]) == 1
    page = capsys.readouterr().out
    assert "WRONG no D-Bus at unix:path=/nowhere" in page
    assert page.endswith("1 thing wrong\n")


def test_without_dbus_python_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['dbus'] = None; from packbank.cli import main; sys.exit(main(['doctor']))"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "WRONG the D-Bus needs dbus-python and PyGObject" in done.stdout
    assert "-> pip install 'packbank[venus]'" in done.stdout


def test_without_the_dbus_it_asks_the_daemon_on_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local_socket, "runtime_folders", lambda: [tmp_path / "run"])
    monkeypatch.setattr("packbank.cli.feed.runtime_folders", lambda: [tmp_path / "run"])
    monkeypatch.setitem(sys.modules, "dbus", None)
    assert main(["doctor", "--no-dbus"]) == 0
    assert "not asked: no daemon runs" in capsys.readouterr().out
    with serving(tmp_path / "config.ini", bank()):
        assert main(["doctor", "--no-dbus"]) == 1
    page = capsys.readouterr().out
    assert "WRONG lost: pack 3" in page
    assert "bus roof (/dev/ttyUSB0): polling, 9890 of 9900 requests answered" in page
    assert "WRONG bus roof (/dev/ttyUSB0), pack 0x03: answers, but garbled" in page
    assert "D-Bus" not in page


def test_a_wrong_configuration_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    (tmp_path / "config.ini").write_text("[bus:a]\nPROT = /dev/ttyUSB0\n")
    assert main(["doctor", "--config", str(tmp_path / "config.ini")]) == 1
    assert f"-> packbank check {tmp_path}/config.ini" in capsys.readouterr().out
