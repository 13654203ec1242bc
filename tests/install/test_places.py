"""Where packbank is installed: disks that are small or fill up, folders behind links and of odd names."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest
from gx import APP, Gx, names, until
from gx_releases import Releases
from steps import START, install, start, update

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.slow
def test_a_small_disk(gx: Gx, releases: Releases) -> None:
    gx.write("tmp/install.sh", releases.installer())
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=45m", "tmpfs", gx.root / "data"], check=True)
    try:
        shutil.copy(releases.archive, gx.root / "tmp")
        refused = gx.run("sh", "/tmp/install.sh", f"/tmp/{releases.archive.name}", check=False)
        assert "needs 130 MB" in refused.stdout
        # Where 'df' does not show it, the disk fills up while it is unpacked.
        unaware = (gx.root / "tmp/install.sh").read_text().replace("space_needed=130000", "space_needed=0")
        gx.write("tmp/install.sh", unaware)
        refused = gx.run("sh", "/tmp/install.sh", f"/tmp/{releases.archive.name}", check=False)
        assert refused.returncode == 1
        assert "could not be unpacked" in refused.stdout
        assert names(gx.app) == []
    finally:
        subprocess.run(["umount", gx.root / "data"], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_up_later_hinders_neither_the_battery_nor_its_end(gx: Gx, releases: Releases) -> None:
    releases.publish("first")
    releases.publish("second", "9.2.0")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=240m", "tmpfs", gx.root / "data"], check=True)
    try:
        gx.write("data/rc.local", "#!/bin/sh\necho other\n", 0o755)
        install(gx, releases.address("first"))
        start(gx)
        gx.run("sh", "-c", "dd if=/dev/zero of=/data/fill bs=64k 2>/dev/null", check=False)
        assert "needs 130 MB" in update(gx, releases, "second")
        os.kill(gx.daemon(), signal.SIGTERM)
        until(lambda: not gx.battery(), 60.0, gx.log)
        until(gx.battery, START, gx.log)
        refused = gx.run(f"{APP}/disable.sh", check=False)
        assert refused.returncode == 1
        assert "rc.local could not be written and is as it was" in refused.stdout
        assert not gx.battery()
        assert "removed; left in" in gx.run(f"{APP}/uninstall.sh").stdout
        assert not (gx.app / "python").exists()
        assert (gx.root / "data/rc.local").read_text() == "#!/bin/sh\necho other\n"
    finally:
        subprocess.run(["umount", "-l", gx.root / "data"], check=True)


@pytest.mark.slow
def test_a_folder_of_any_name_behind_a_link(gx: Gx, releases: Releases) -> None:
    """As on an SD card: installed, started at boot, updated and removed where the link leads."""
    card = gx.root / "media/my; touch broken; card"
    card.mkdir()
    (gx.root / "data/apps").mkdir()
    gx.app.symlink_to("/media/my; touch broken; card")
    releases.publish("first")
    releases.publish("second", "9.2.0")
    gx.write("tmp/install.sh", (releases.folder / "first/install.sh").read_text())
    assert "is installed in /media/my; touch broken; card" in gx.run("sh", "/tmp/install.sh").stdout
    start(gx)
    gx.boot()
    until(gx.battery, START, gx.log)
    assert "packbank 9.2.0 is installed" in update(gx, releases, "second")
    gx.run(f"{APP}/uninstall.sh", "--all", "--yes")
    assert not gx.battery()
    assert not card.exists() or names(card) == []
    assert not list(gx.root.glob("*/broken"))
