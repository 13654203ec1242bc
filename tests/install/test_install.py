"""From a release, or a file, to one battery on the GX; updates, one that fails too; removal."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from gateway import gateway
from gx import APP, Gx, names, until
from gx_releases import Releases, served
from steps import START, follow_the_page, install, quoted, start, update

pytestmark = pytest.mark.timeout(1800)
FAILS = {"cli/run.py": "raise SystemExit(1)\n"}
HANGS = {"cli/run.py": "import time\ntime.sleep(1000)\n"}


def outside(gx: Gx) -> set[str]:
    """The files of the GX that are not packbank's own, and not of the firmware."""
    command = ["find", str(gx.root), "-ignore_readdir_race", "-path", str(gx.root / "proc"), "-prune", "-o"]
    command += ["-newer", str(gx.root / "etc/passwd"), "!", "-type", "d", "-printf", "%P\n"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    firmware = ("tmp/", "dev/", "opt/", "bin/", "var/run", "run/dbus", f"{APP[1:]}/")
    return {name for name in found if not name.startswith(firmware)}


def test_from_one_line_to_a_battery_and_back_to_an_empty_machine(gx: Gx, releases: Releases) -> None:
    releases.publish("first")
    follow_the_page(gx, releases, releases.address("first"))
    assert gx.get("/System/NrOfModulesOnline") == 3
    assert gx.get("/Info/MaxChargeCurrent") > 0
    assert gx.set("/Settings/MaxChargeCurrent", 100.0) == 0
    until(lambda: gx.get("/Info/MaxChargeCurrent") <= 100.0, 60.0, gx.log)
    kept = {f"run/packbank/+data+apps+packbank+config.ini{suffix}" for suffix in (".events", ".history", ".rows")}
    assert outside(gx) - kept == {
        "data/rc.local", "service/packbank", "run/packbank.started",
        "run/packbank/+data+apps+packbank+config.ini.sock",
        "var/log/packbank/current", "var/log/packbank/lock", "var/log/packbank/state",
    }  # fmt: skip
    process = Path(f"/proc/{gx.daemon()}")
    mapped = {line.split()[-1] for line in (process / "maps").read_text().splitlines() if "/" in line}
    ours = {name for name in mapped if name.startswith(f"{gx.app}/python/lib/")}
    assert any("numpy" in name for name in ours)
    assert {name for name in mapped - ours if ".so" in name} == set()  # what is left is qemu itself and the terminal
    memory = re.search(r"VmRSS:\s+(\d+)", (process / "status").read_text())
    print(f"{int(memory[1]) / 1024 if memory else 0:.0f} MB resident, qemu's own included")

    os.kill(gx.daemon(), signal.SIGTERM)
    until(lambda: not gx.battery(), 60.0, gx.log)
    until(gx.battery, START, gx.log)  # daemontools starts it again
    gx.run("sh", "-c", quoted("svc -t /service/packbank"))
    until(lambda: not gx.battery(), 60.0, gx.log)
    until(gx.battery, START, gx.log)
    followed = gx.run("sh", "-c", "timeout 3 " + quoted("tail -F /var/log/packbank/current | tai64nlocal"), check=False)
    assert re.search(r"^20\d\d-\d\d-\d\d \S+ (INFO|WARNING) ", followed.stdout, re.MULTILINE), followed.stdout
    assert 100.0 in json.loads((gx.app / "config.state.json").read_text())["controls"].values()
    assert (gx.root / "tmp/freed").read_text().startswith("ttyUSB0\n")
    gx.boot()
    until(gx.battery, START, gx.log)

    gx.run(f"{APP}/disable.sh")
    until(lambda: not gx.battery(), 60.0, gx.log)
    gx.boot()
    assert not (gx.root / "service/packbank").exists()
    gx.run(f"{APP}/uninstall.sh")
    assert set(names(gx.app)) - {"config.state.history"} == {"config.ini", "config.state.json"}
    install(gx, releases.address("first"))
    assert "nothing was removed" in gx.run(f"{APP}/uninstall.sh", "--all", check=False).stdout  # nobody to ask
    gx.run(f"{APP}/uninstall.sh", "--all", "--yes")
    assert names(gx.root / "data/apps") == []


def test_updates_keep_everything_and_one_that_fails_goes_back_to_everything(gx: Gx, releases: Releases) -> None:
    releases.publish("first")
    releases.publish("second", "9.2.0")
    releases.publish("failing", "9.3.0", FAILS)
    install(gx, releases.address("first"))
    start(gx)
    gx.set("/Settings/MaxChargeCurrent", 100.0)
    config = (gx.app / "config.ini").read_text()
    said = update(gx, releases, "second")
    print(said)
    assert "packbank 9.2.0 is installed" in said
    assert re.search(r"the battery was away for \d+\.\d s", said)
    assert gx.battery()
    assert "nothing to do" in update(gx, releases, "second")
    assert "nothing to do" in update(gx, releases, "first")  # older
    gx.set("/Settings/MaxDischargeCurrent", 90.0)
    assert "packbank 9.2.0 is back, with its state, and shows its battery" in update(gx, releases, "failing", 5)
    assert gx.battery()
    assert gx.run(f"{APP}/bin/packbank", "--version").stdout == "packbank 9.2.0\n"
    assert (gx.app / "config.ini").read_text() == config
    assert gx.get("/Settings/MaxChargeCurrent") == 100.0
    assert gx.get("/Settings/MaxDischargeCurrent") == 90.0
    assert not (gx.app / ".packbank-new").exists()
    gx.boot()  # and stays so
    until(gx.battery, START, gx.log)
    assert gx.run("cat", f"{APP}/version").stdout == "9.2.0\n"


@pytest.mark.slow
def test_an_update_that_hangs_or_is_cut_off_goes_back(gx: Gx, releases: Releases) -> None:
    releases.publish("first")
    releases.publish("hanging", "9.4.0", HANGS)
    install(gx, releases.address("first"))
    start(gx)
    assert "is back, with its state, and shows its battery" in update(gx, releases, "hanging", 5)
    releases.publish("second", "9.2.0")
    update(gx, releases, "second")
    # As a power cut leaves it between the two moves of python/: the marker is of a boot that has ended.
    previous = gx.app / ".packbank-previous"
    (previous / "unproven").write_text("an earlier boot\n")
    shutil.rmtree(gx.app / "python")
    gx.boot()
    until(gx.battery, START, gx.log)
    assert gx.run(f"{APP}/bin/packbank", "--version").stdout == f"packbank {releases.version}\n"
    assert "going back to packbank" in gx.log()


def test_what_is_not_from_the_makers_is_not_installed(gx: Gx, releases: Releases) -> None:
    good = releases.publish("first")
    bad = shutil.copytree(releases.folder / "first", releases.folder / "bad", dirs_exist_ok=True)
    with (bad / good.name).open("ab") as archive:
        archive.write(b"more")
    command = f"PACKBANK_RELEASES={releases.address('bad')} sh /tmp/install.sh"
    gx.write("tmp/install.sh", (releases.folder / "first/install.sh").read_text())
    assert "arrived damaged" in gx.run("sh", "-c", command, check=False).stdout
    (bad / "SHA256SUMS").write_text("<html>Please log in</html>\n")
    assert "is no list of checksums" in gx.run("sh", "-c", command, check=False).stdout
    (bad / "SHA256SUMS").write_text("0" * 64 + f"  {good.name}\n")
    refused = gx.run("sh", "-c", command, check=False)
    assert refused.returncode == 1
    assert "signature" in refused.stdout
    assert names(gx.app) == []


def test_a_file_that_is_there_already(gx: Gx, releases: Releases) -> None:
    gx.write("tmp/install.sh", releases.installer())
    shutil.copy(releases.archive, gx.root / "data")
    name = f"/data/{releases.archive.name}"
    gx.write("opt/victronenergy/version", "v3.55\n")
    assert "needs Venus OS v3.60" in gx.run("sh", "/tmp/install.sh", name, check=False).stdout
    gx.write("opt/victronenergy/version", "v3.70~12\n")
    assert "could not be unpacked" in gx.run("sh", "/tmp/install.sh", "/etc/passwd", check=False).stdout
    gx.run("sh", "/tmp/install.sh", name)
    print(f"imported in {import_time(gx):.2f} s, under emulation")

    moved = gx.root / "data/other; apps/pack bank"
    moved.parent.mkdir()
    gx.app.rename(moved)
    packbank = "/data/other; apps/pack bank/bin/packbank"
    assert gx.run(packbank, "--version").stdout == f"packbank {releases.version}\n"
    terminal = gx.root / "dev/ttyUSB0"
    for scheme in ("socket", "rfc2217"):
        with gateway(terminal, rfc2217=scheme == "rfc2217") as port:
            found = gx.run(packbank, "scan", "--protocol", "jkpb", f"{scheme}://127.0.0.1:{port}").stdout
        assert "BATTERY_ADDRESSES = 0x01-0x03" in found


def import_time(gx: Gx) -> float:
    """Seconds to import all that ``run`` needs."""
    program = (
        "import time; t = time.monotonic(); import packbank.cli.run, packbank.cli.on_dbus; print(time.monotonic() - t)"
    )
    return float(gx.run(f"{APP}/python/bin/python3", "-I", "-c", program).stdout)


def test_a_release_as_it_was_made(gx: Gx, releases: Releases) -> None:
    """From its own address, with its own key: what scripts/test-release has made."""
    folder = releases.archive.parent
    if not (folder / "SHA256SUMS.sig").exists():
        pytest.skip("this archive is not of a release: scripts/test-release")
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    port = re.search(r"RELEASES:-http://127.0.0.1:(\d+)", (folder / "install.sh").read_text())
    assert port
    with served(folder, int(port[1])):
        follow_the_page(gx, releases, f"http://127.0.0.1:{port[1]}")
        assert "nothing to do" in gx.run(f"{APP}/install.sh").stdout


@pytest.mark.slow
def test_dbus_serialbattery_gives_way_when_its_owner_says_so(gx: Gx, releases: Releases) -> None:
    theirs = "/data/apps/dbus-serialbattery"
    gx.write(f"{theirs}/disable.sh", "#!/bin/sh\nrm /service/dbus-serialbattery.ttyUSB0\n", 0o755)
    gx.write(f"{theirs}/config.ini", "[DEFAULT]\nMAX_BATTERY_CHARGE_CURRENT = 70\nBATTERY_ADDRESSES = 0x01, 0x02\n")
    gx.write(f"{theirs}/service/run", "#!/bin/sh\nexec sleep 1000\n", 0o755)
    (gx.root / "service/dbus-serialbattery.ttyUSB0").symlink_to(f"{theirs}/service")
    releases.publish("first")
    said = install(gx, releases.address("first"))
    assert "dbus-serialbattery still runs on /dev/ttyUSB0" in said
    assert (gx.root / "service/dbus-serialbattery.ttyUSB0").is_symlink()
    gx.run("sh", "-c", f"answer=yes {APP}/serialbattery.sh")
    assert not (gx.root / "service/dbus-serialbattery.ttyUSB0").is_symlink()
    checked = gx.run(f"{APP}/bin/packbank", "check", f"{APP}/config.ini").stdout
    assert "/dev/ttyUSB0" in checked
    assert "MAX_BATTERY_CHARGE_CURRENT = 70" in checked


@pytest.mark.slow
def test_setuphelper_installs_and_removes(gx: Gx, releases: Releases) -> None:
    """Its own helpers are a stand-in: they say what to do, and end the script."""
    releases.publish("first")
    setup = Path(__file__).parents[2] / "packaging/setuphelper/setup"
    gx.write("data/packbank/setup", setup.read_text(), 0o755)
    gx.write("data/packbank/install.sh", (releases.folder / "first/install.sh").read_text())
    helpers = "scriptAction=%s\nendScript() { exit 0; }\n"
    gx.write("data/SetupHelper/HelperResources/IncludeHelpers", helpers % "INSTALL")
    gx.run("sh", "/data/packbank/setup")  # the firmware's bash, which this GX has not
    log = gx.root / "data/log/packbank-install.log"
    until(lambda: "is installed in" in log.read_text(), START, log.read_text)
    assert gx.run(f"{APP}/bin/packbank", "--version").stdout == f"packbank {releases.version}\n"
    gx.write("data/SetupHelper/HelperResources/IncludeHelpers", helpers % "UNINSTALL")
    gx.run("sh", "/data/packbank/setup")
    assert not gx.app.exists()
