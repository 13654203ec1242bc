"""``packbank doctor --bundle``: what is in the archive, with a daemon and without, and what is not."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from on_terminal import PACKBANK, eventually
from packbank.cli import main
from packbank.sim.responder_jkpb import PASSCODE
from packbank.sources.serial.recording import Event, read_events

SECRET = "hunter2"
FILES = {"README.txt", "doctor.txt", "versions.txt", "config.ini", "daemon.json", "log.txt", "capture.jsonl"}


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """The configuration of a simulated bus, with secrets in it."""
    path = tmp_path / "config.ini"
    command = [*PACKBANK, "simulate", "--packs", "2", "--folder", str(tmp_path / "ports")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as simulator:
        assert simulator.stdout is not None
        stanza = "".join(simulator.stdout.readline() for _ in range(4))
        path.write_text(f"# password: {SECRET}\n{stanza}[mqtt]\nUSERNAME = {SECRET}\nBROKER = mqtt://127.0.0.1:1\n")
        yield path
        simulator.terminate()


def contents(archive: Path) -> dict[str, str]:
    with tarfile.open(archive) as tar:
        members = {Path(member.name).name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read().decode() for name, file in members.items() if file is not None}


def captured(content: dict[str, str], path: Path) -> list[Event]:
    path.write_text(content["capture.jsonl"])
    return list(read_events(path))


def test_with_a_daemon_it_has_the_daemons_word_and_its_capture(tmp_path: Path, config: Path) -> None:
    bundle = tmp_path / "report.tar.gz"
    command = [*PACKBANK, "run", str(config), "--no-dbus", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as daemon:
        assert daemon.stdout is not None
        assert eventually(lambda: json.loads(daemon.stdout.readline())["ready"])
        assert main(["doctor", str(config), "--no-dbus", "--bundle", str(bundle), "--seconds", "2"]) == 0
        daemon.terminate()
    content = contents(bundle)
    assert content.keys() == FILES
    assert json.loads(content["daemon.json"])["online"] == 2
    assert "requests answered" in content["doctor.txt"]
    events = captured(content, tmp_path / "capture")
    assert sum(not event.sent for event in events) >= 3
    assert 0.5 < events[-1].time - events[0].time < 4.0
    assert SECRET not in "".join(content.values())
    assert PASSCODE not in b"".join(event.data for event in events)
    assert bundle.stat().st_mode & 0o777 == 0o600


def test_without_a_daemon_the_packs_are_asked_here(tmp_path: Path, config: Path) -> None:
    bundle = tmp_path / "report.tar.gz"
    main(["doctor", str(config), "--no-dbus", "--bundle", str(bundle), "--seconds", "2"])
    content = contents(bundle)
    assert content["daemon.json"].startswith("# no daemon runs")
    assert "USERNAME = ..." in content["config.ini"]
    events = captured(content, tmp_path / "capture")
    assert any(not event.sent and any(event.data) for event in events)
    assert SECRET not in "".join(content.values())
    assert PASSCODE not in b"".join(event.data for event in events)


def test_a_file_that_is_there_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tmp_path / "report.tar.gz"
    bundle.write_text("mine")
    assert main(["doctor", "--no-dbus", "--bundle", str(bundle)]) == 2
    assert "exists; name another file" in capsys.readouterr().err
    assert bundle.read_text() == "mine"
    assert main(["doctor", "--no-dbus", "--bundle", str(tmp_path / "none" / "r.tar.gz")]) == 2


def test_what_is_wrong_does_not_keep_the_report_from_being_written(tmp_path: Path) -> None:
    config, bundle = tmp_path / "config.ini", tmp_path / "report.tar.gz"
    config.write_text(f"[DEFAULT]\nTOKEN = {SECRET}\nPORT = /dev/no-such-port\n{SECRET}\n")
    assert main(["doctor", str(config), "--no-dbus", "--bundle", str(bundle), "--seconds", "1"]) == 1
    content = contents(bundle)
    assert content.keys() == FILES
    assert content["capture.jsonl"].startswith("# no capture: ")
    assert SECRET not in "".join(content.values())
