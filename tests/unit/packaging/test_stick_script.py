"""What a USB stick's script decides, with an installation that only notes what it was asked for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from packbank.config.loader import load

STICK = Path(__file__).parents[3] / "packaging/stick"
FOUND = "# found\n#   0x01 one\n#   0x02 two\n\n[bus:ttyUSB0]\nPORT = /dev/ttyUSB0\nBATTERY_ADDRESSES = 0x01, 0x02\n"
MARK = (STICK / "mark").read_text()


class Gx:
    """A root folder with a stick in it. Programs of the installation write their name and arguments into ``calls``."""

    def __init__(self, root: Path) -> None:
        self.app, self.media, self.hooks = root / "data/apps/packbank", root / "media/sda1", root / "rc"
        self._root, self._calls = root, root / "calls"
        self.media.mkdir(parents=True)
        (self.media / "venus-data.tar.gz").touch()
        self.scans(FOUND, FOUND)
        for name in ("serialbattery.sh", "enable.sh", "disable.sh"):
            self.program(self.app / name, f'echo "{name} ${{answer-}}" >>{self._calls}')
        stop_tty = root / "opt/victronenergy/serial-starter/stop-tty.sh"
        self.program(stop_tty, f'echo "stop-tty.sh $1" >>{self._calls}')
        self.program(self.app / "python/bin/python3", "echo com.victronenergy.grid.cgwacs_ttyUSB1_di30_mb1")
        scan = f"""n=$(cat {root}/n 2>/dev/null || echo 1)
            echo 2 >{root}/n
            shift; echo "$*" >{root}/scanned
            cat "{root}/scan$n"
            grep -q "#   0x" "{root}/scan$n\""""
        self.program(self.app / "bin/packbank", f'[ "$1" != scan ] || {{ {scan}; }}')
        self.hooks.mkdir()
        for name in ("pre-hook.sh", "mark"):
            shutil.copy(STICK / name, self.hooks)
        self.program(self.hooks / "install.sh", 'echo "install.sh $*" >>' + f"{self._calls}; exit 1")

    def scans(self, first: str, second: str) -> None:
        (self._root / "scan1").write_text(first)
        (self._root / "scan2").write_text(second)
        (self._root / "n").unlink(missing_ok=True)

    def scanned(self) -> str:
        """The ports of the last scan."""
        return (self._root / "scanned").read_text().strip()

    def program(self, path: Path, line: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def _run(self, script: Path) -> int:
        environment = {**os.environ, "PACKBANK_ROOT": str(self._root), "PATH": f"{self._root}/bin:{os.environ['PATH']}"}
        return subprocess.run(["sh", script], env=environment, check=False).returncode

    def boot(self) -> list[str] | None:
        """What was called at a boot; ``None`` when the stick is not unpacked."""
        self._calls.write_text("")
        if self._run(self.hooks / "pre-hook.sh") != 0:
            return None
        unpacked = self._root / "data/packbank-stick"
        unpacked.mkdir()
        for name in ("stick.sh", "mark"):
            shutil.copy(STICK / name, unpacked)
        self.program(unpacked / "install.sh", f'echo "install.sh $1" >>{self._calls}')
        assert self._run(unpacked / "stick.sh") == 0
        assert not unpacked.exists()
        return self._calls.read_text().splitlines()

    @property
    def config(self) -> str | None:
        file = self.app / "config.ini"
        return file.read_text() if file.exists() else None


@pytest.fixture
def gx(tmp_path: Path) -> Iterator[Gx]:
    runtime = tmp_path / "var/run/dbus"
    runtime.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(runtime / "system_bus_socket"))
        yield Gx(tmp_path)


def test_port_and_number_make_a_configuration(gx: Gx) -> None:
    (gx.media / "packbank.txt").write_bytes(b"\xef\xbb\xbfport = /dev/ttyUSB0, /dev/ttyUSB1\r\nPACKS=2\r\n")
    calls = gx.boot()
    assert calls is not None
    assert [call for call in calls if call.startswith("stop-tty")] == ["stop-tty.sh ttyUSB0", "stop-tty.sh ttyUSB1"] * 2
    assert gx.scanned() == "/dev/ttyUSB0 /dev/ttyUSB1"
    assert calls[-1] == "enable.sh "
    assert gx.config == FOUND
    assert "on the stick: packbank.txt\n" in (gx.media / "packbank-install.log").read_text()
    assert gx.boot() is None


@pytest.mark.parametrize(
    ("text", "second", "why"),
    [
        ("PACKS = 3", FOUND, "found 2 packs, and packbank.txt says 3"),
        ("PACKS = 2", FOUND.replace("0x02", "0x03"), "two scans found different packs"),
        ("", FOUND.replace("0x02", "0x03"), "two scans found different packs"),
        ("PACKS = 2", "# nothing\n", "no pack was found"),
    ],
)
def test_what_does_not_agree_starts_nothing(gx: Gx, text: str, second: str, why: str) -> None:
    (gx.media / "packbank.txt").write_text(text)
    gx.scans(FOUND, second)
    calls = gx.boot()
    assert calls is not None
    assert not any(call.startswith("enable.sh") for call in calls)
    assert gx.config is None
    assert why in (gx.media / "packbank-install.log").read_text()


def test_without_a_number_packs_are_only_shown_until_the_owner_decides(gx: Gx) -> None:
    calls = gx.boot()
    assert calls is not None
    assert calls[-1] == "enable.sh "
    assert gx.config == MARK + "[DEFAULT]\nPUBLISH_LIMITS = False\n\n" + FOUND
    assert not load(gx.app / "config.ini").service.publish_limits
    assert "packbank.txt: " not in (gx.media / "packbank-install.log").read_text(), "a complaint of the shell"
    assert gx.boot() is None, "nothing was decided"
    (gx.media / "packbank.txt").write_text("REPLACE_SERIALBATTERY = no\n")
    assert gx.boot() is None, "nothing was decided"
    (gx.media / "packbank.txt").write_text("PACKS = 2\n")
    gx.scans(FOUND, FOUND)
    calls = gx.boot()
    assert calls is not None
    assert [call.split()[0] for call in calls] == ["install.sh", "serialbattery.sh", "disable.sh", "enable.sh"]
    assert gx.config == FOUND
    assert gx.boot() is None


def test_adapters_where_the_gx_has_found_a_device_are_left_alone(gx: Gx, tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    for name in ("ttyUSB0", "ttyUSB1", "ttyUSB10"):
        (tmp_path / "dev" / name).touch()
    gx.boot()
    assert gx.scanned() == f"{tmp_path}/dev/ttyUSB0 {tmp_path}/dev/ttyUSB10"


def test_an_update_waits_for_the_service_that_has_to_prove_it(gx: Gx, tmp_path: Path) -> None:
    """The stick is unpacked early in a boot; a service that does not run yet is replaced without a proof."""
    (tmp_path / "data/rc.local").write_text(f"ln -sfn {gx.app}/service /service/packbank\n")
    up = f"[ $(grep -c svstat {tmp_path}/calls) -gt 2 ] && echo 'x: up (pid 7)' || echo 'x: supervise not running'"
    gx.program(tmp_path / "bin/svstat", f"echo svstat >>{tmp_path}/calls; {up}")
    gx.program(tmp_path / "bin/sleep", "")
    calls = gx.boot()
    assert calls is not None
    assert [call.split()[0] for call in calls[:4]] == ["svstat", "svstat", "svstat", "install.sh"]


@pytest.mark.parametrize("text", ["PACKS = 2\n", ""])
def test_a_disk_that_is_full_leaves_no_half_configuration(gx: Gx, tmp_path: Path, text: str) -> None:
    """Half of one would be taken for the owner's own, and never be replaced."""
    (gx.media / "packbank.txt").write_text(text)
    partly = 'case $2 in */apps/packbank/*config*) head -c 20 "$1" >"$2"; exit 1 ;; esac; exec /bin/cp "$@"'
    gx.program(tmp_path / "bin/cp", partly)
    calls = gx.boot()
    assert calls is not None
    assert not any(call.startswith("enable.sh") for call in calls)
    assert gx.config is None
    assert [path.name for path in gx.app.iterdir() if path.name.startswith(".")] == []
    assert "config.ini could not be written" in (gx.media / "packbank-install.log").read_text()


def test_the_owners_own_configuration_is_never_replaced(gx: Gx) -> None:
    own = "[DEFAULT]\nPUBLISH_LIMITS = False\n" + FOUND
    (gx.app / "config.ini").write_text(own)
    (gx.media / "config.ini").write_text(FOUND)
    assert gx.boot() is None
    assert gx.config == own


@pytest.mark.parametrize("word", ["yes", "no", ""])
def test_another_driver_is_replaced_only_where_that_was_asked_for(gx: Gx, word: str) -> None:
    (gx.media / "packbank.txt").write_text(f"PACKS = 2\nREPLACE_SERIALBATTERY = {word}\n")
    calls = gx.boot()
    assert calls is not None
    wanted = word == "yes"
    assert calls[:2] == [
        f"install.sh {'--yes' if wanted else gx.app.parents[1] / 'packbank-stick'}",
        f"serialbattery.sh {word if wanted else ''}",
    ]
