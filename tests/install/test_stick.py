"""A USB stick: Venus OS unpacks it at every boot, and an owner without ssh has only this."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from gx import APP, Gx, names, until
from gx_releases import Releases

pytestmark = pytest.mark.timeout(1800)
START = 300.0  # s, under emulation and beside other work: installation, two scans, the start
# The same steps in the same order as Venus OS's own script, but for --exclude, which Debian's BusyBox lacks.
UPDATE_DATA = """#!/bin/sh
tmp=$(mktemp -d)
names=$(tar tzf /media/sda1/venus-data.tar.gz | grep -v '^rc')
tar xzf /media/sda1/venus-data.tar.gz -C "$tmp" rc
if sh "$tmp/rc/pre-hook.sh"; then
    tar xzf /media/sda1/venus-data.tar.gz -C /data $names && arg=success || arg=extraction-failed
    sh "$tmp/rc/post-hook.sh" $arg
else
    echo blocked
fi
rm -rf "$tmp"
"""


@pytest.fixture
def stick(gx: Gx, releases: Releases) -> Path:
    """A stick with what ``scripts/bundle --stick`` made."""
    folder = gx.root / "media/sda1"
    folder.mkdir()
    shutil.copy(releases.archive.with_name("venus-data.tar.gz"), folder)
    gx.write("opt/update-data.sh", UPDATE_DATA, 0o755)
    return folder


def plug_in(gx: Gx) -> str:
    """A boot with the stick in, until the hooks have done their work; what the log on the stick says."""
    blocked = gx.run("/opt/update-data.sh").stdout
    until(lambda: not (gx.root / "data/packbank-stick").exists(), START, lambda: blocked)
    log = gx.root / "media/sda1/packbank-install.log"
    return blocked + (log.read_text() if log.exists() else "")


def test_port_and_number_of_packs_are_enough(gx: Gx, stick: Path) -> None:
    (stick / "packbank.txt").write_bytes(b"PORT = /dev/ttyUSB0\r\nPACKS = 3\r\n")
    said = plug_in(gx)
    print(said)
    until(gx.battery, START, gx.log)
    assert gx.get("/System/NrOfModulesOnline") == 3
    process = gx.daemon()
    (gx.app / "config.ini").write_text((gx.app / "config.ini").read_text() + "# mine\n")
    assert plug_in(gx).startswith("blocked\n")  # the next boot
    assert gx.daemon() == process
    assert (gx.app / "config.ini").read_text().endswith("# mine\n")
    assert not (gx.root / "data/rc").exists()


@pytest.mark.slow
def test_without_a_word_packs_are_shown_and_the_owner_decides(gx: Gx, stick: Path) -> None:
    assert "found 3 packs" in plug_in(gx)
    until(gx.battery, START, gx.log)
    assert gx.get("/System/NrOfModulesOnline") == 3
    assert gx.get("/Info/MaxChargeVoltage") is None
    assert gx.get("/Info/MaxChargeCurrent") is None
    process = gx.daemon()
    assert plug_in(gx).startswith("blocked\n")
    assert gx.daemon() == process
    (stick / "packbank.txt").write_text("PORT = /dev/ttyUSB0\nPACKS = 3\n")
    plug_in(gx)
    until(lambda: gx.battery() and gx.get("/Info/MaxChargeVoltage"), START, gx.log)
    assert plug_in(gx).startswith("blocked\n")


@pytest.mark.slow
def test_another_number_of_packs_starts_nothing_until_it_is_put_right(gx: Gx, stick: Path) -> None:
    (stick / "packbank.txt").write_text("PORT = /dev/ttyUSB0\nPACKS = 4\n")
    assert "found 3 packs, and packbank.txt says 4" in plug_in(gx)
    assert "BATTERY_ADDRESSES = 0x01-0x03" in (stick / "config.found.ini").read_text()
    assert not (gx.app / "config.ini").exists()
    assert not (gx.root / "service/packbank").exists()
    (stick / "packbank.txt").unlink()
    (stick / "config.ini").write_bytes(b"[DEFAULT]\r\nPORT = /dev/ttyUSB0\r\nBATTERY_ADDRESSES = 0x01, 0x02\r\n")
    plug_in(gx)
    until(gx.battery, START, gx.log)
    assert gx.get("/System/NrOfModulesOnline") == 2


@pytest.mark.slow
def test_an_update_by_stick_and_no_way_back_to_an_older_version(gx: Gx, stick: Path, releases: Releases) -> None:
    (stick / "config.ini").write_text("[DEFAULT]\nPORT = /dev/ttyUSB0\n")
    plug_in(gx)
    until(gx.battery, START, gx.log)
    releases.publish("second", "9.2.0")
    gx.run("sh", "-c", f"PACKBANK_KEY={releases.key} PACKBANK_RELEASES={releases.address('second')} {APP}/install.sh")
    assert plug_in(gx).startswith("blocked\n")
    assert gx.run("cat", f"{APP}/version").stdout == "9.2.0\n"


def test_a_disk_that_is_full_while_the_stick_is_unpacked(gx: Gx, stick: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=15m", "tmpfs", gx.root / "data"], check=True)
    try:
        gx.run("/opt/update-data.sh")
        assert names(gx.root / "data") == []
    finally:
        subprocess.run(["umount", gx.root / "data"], check=True)
