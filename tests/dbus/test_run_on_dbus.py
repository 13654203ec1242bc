"""``packbank run`` over a simulated bus, with localsettings and systemcalc beside it, as on a GX."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packbank.outputs.venus.bindings import dbus

NAME = "com.victronenergy.battery.packbank"
SYSTEM = "com.victronenergy.system"
PACKBANK = [sys.executable, "-m", "packbank"]


class Gx:
    """Two simulated packs, the daemon over them, and a client that looks on."""

    def __init__(self, bench: Any, folder: Path) -> None:
        self.bench = bench
        self.folder = folder
        bench.start("settings")
        bench.start("system")
        self.client = bench.connect()
        simulate = [*PACKBANK, "simulate", "--packs", "2", "--buses", "1"]
        self.packs = subprocess.Popen(simulate, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.packs.stdout is not None
        lines: list[str] = []
        while not (lines and lines[-1].startswith("BATTERY_ADDRESSES")):
            lines.append(self.packs.stdout.readline())
        config = folder / "config.ini"
        config.write_text("[DEFAULT]\nHELD_AFTER = 1\nLOST_AFTER = 2\n" + "".join(lines))
        self.log = (folder / "log").open("w")
        self.daemon = subprocess.Popen(
            [*PACKBANK, "run", "--config", config],
            env=os.environ | {"DBUS_SESSION_BUS_ADDRESS": bench.address},
            stderr=self.log,
        )

    def get(self, path: str, service: str = NAME) -> Any:
        try:
            return self.bench.ask(self.client, service, path, "GetValue")
        except dbus.exceptions.DBusException:
            return None

    def said(self) -> str:
        return (self.folder / "log").read_text()

    def close(self) -> None:
        self.packs.send_signal(signal.SIGCONT)
        for process in (self.daemon, self.packs):
            process.terminate()
            process.communicate(timeout=10)
        self.log.close()


@pytest.fixture
def gx(bench: Any, tmp_path: Path) -> Iterator[Gx]:
    gx = Gx(bench, tmp_path)
    try:
        bench.until(lambda: gx.get("/ActiveBmsService", SYSTEM) == NAME, 30.0)
        yield gx
    finally:
        gx.close()


def test_a_bank_appears_takes_wishes_and_leaves_on_a_signal(gx: Gx) -> None:
    assert gx.get("/System/NrOfModulesOnline") == 2
    assert gx.get("/HardwareVersion").startswith("JKBMS PB")
    buses = json.loads(gx.get("/Debug/Status"))["buses"]
    assert [(bus["state"], bus["answers"] > 0, bus["error"]) for bus in buses] == [("polling", True, "")]
    assert gx.bench.ask(gx.client, NAME, "/Io/ForceChargingOff", "SetValue", "v", 1) == 0
    gx.bench.until(lambda: "user limit" in str(gx.get("/Info/ChargeLimitation")), 15.0)
    assert gx.get("/Info/MaxChargeCurrent") == 0.0
    gx.daemon.send_signal(signal.SIGTERM)
    gx.bench.until(lambda: gx.daemon.poll() is not None, 10.0)
    assert gx.daemon.returncode == 0
    assert gx.get("/ActiveBmsService", SYSTEM) == []
    assert json.loads((gx.folder / "config.state.json").read_text())["controls"]["charge_off"] is True


def test_a_bank_that_falls_silent_says_zero_then_leaves_while_the_daemon_lives_on(gx: Gx) -> None:
    gx.packs.send_signal(signal.SIGSTOP)  # silent; a killed simulator's terminal may become another program's
    gx.bench.until(lambda: gx.get("/Alarms/BmsCable") == 2, 15.0)
    assert gx.get("/Info/MaxChargeCurrent") == gx.get("/Info/MaxDischargeCurrent") == 0.0
    assert gx.get("/Info/MaxChargeVoltage") > 40
    gx.bench.until(lambda: gx.get("/ActiveBmsService", SYSTEM) == [], 15.0)
    assert gx.daemon.poll() is None
    gx.bench.until(lambda: "left the D-Bus: no pack answers" in gx.said())


@pytest.mark.slow
def test_the_gx_looks_for_packs(gx: Gx) -> None:
    """Both packs are there; the addresses that the configuration does not have are asked for some ten seconds."""
    assert gx.get("/Redetect") == 0
    assert gx.bench.ask(gx.client, NAME, "/Redetect", "SetValue", "v", 1) == 0
    assert gx.get("/Redetect") == 1
    gx.bench.until(lambda: gx.get("/Redetect") == 0, 60.0)
    (bus,) = json.loads(gx.get("/Debug/Status"))["buses"]
    assert bus["troubles"] == []
    assert bus["lost"] < 5, "a dozen addresses without a pack are no lost answers; a busy machine may lose some"
    assert gx.get("/System/NrOfBatteries") == 2


def test_without_its_d_bus_the_daemon_ends_for_its_supervisor(gx: Gx) -> None:
    gx.bench.daemon.kill()
    assert gx.daemon.wait(10.0) == 1
    assert "the D-Bus connection is gone" in gx.said()
