"""An update, and a first installation, that end at any of their steps: killed, or by a power cut that also loses files.

After a boot all of one version is there and runs; after another installation all of the new one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from test_activate import Machine, executable

LISTED = {"bin/packbank", "files", "version"}  # few, since each makes three steps
PYTHON = {"python/bin/python3", "python/bin/works", "python/version"}
STEP = """#!/bin/sh
read steps <"$PACKBANK_ROOT/steps"
echo $((steps + 1)) >"$PACKBANK_ROOT/steps"
[ $((steps + 1)) != "${CUT_AT:-none}" ] || kill -9 0
%s "$@" || exit
[ "${0##*/}" != sync ] || find "$PACKBANK_ROOT/data" -type f -printf '%%i\\n' >"$PACKBANK_ROOT/synced"
"""


def mark(folder: Path, version: str, more: set[str]) -> None:
    """Have Python's folder name its version, and list but the files that this test is about."""
    (folder / "python/version").write_text(version)
    (folder / "files").write_text("\n".join(sorted(LISTED | PYTHON | more)) + "\n")


class Cut(Machine):
    """A GX whose installation ends before its ``CUT_AT``\\ th step that writes something."""

    def __init__(self, root: Path, *, first: bool = False) -> None:
        super().__init__(root)
        mark(self.app, "1", {"only-in-1"})
        mark(self.new, "2", set())
        if first:
            for path in self.app.iterdir():
                if path.name != ".packbank-new":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            (root / "up").unlink()
        shutil.copytree(self.new, root / "again")
        for name in ("cp", "mv", "rm", "cat", "sync"):
            executable(root / "bin" / name, STEP % shutil.which(name))
        (root / "steps").write_text("0\n")

    def install(self, cut_at: int | str = "none") -> int:
        """The exit code of activate.sh; -9 when it was cut off."""
        environment = os.environ | {"PACKBANK_ROOT": str(self.root), "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        process = subprocess.Popen(
            ["sh", self.new / "activate.sh", self.app],
            env=environment | {"CUT_AT": str(cut_at)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return process.wait(60)

    def lose_power(self) -> None:
        """What was not synced is gone: new files are there, and empty, as ext4 may leave them."""
        synced = self.root / "synced"
        safe = set(map(int, synced.read_text().split())) if synced.exists() else set()
        for path in (self.app / ".packbank-previous").rglob("*"):
            if path.is_file() and "python" not in path.parts and path.stat().st_ino not in safe:
                path.write_text("")
        unproven = self.app / ".packbank-previous/unproven"
        if unproven.exists():
            unproven.write_text("an earlier boot\n")

    def run_service(self) -> None:
        """What daemontools starts at a boot."""
        environment = os.environ | {"PACKBANK_ROOT": str(self.root)}
        subprocess.run([self.app / "service/run"], env=environment, check=True, stdout=subprocess.DEVNULL)

    def whole(self) -> str:
        """The version, of which all parts have to be."""
        version = self.version()
        assert (self.app / "python/version").read_text() == version
        assert (self.app / "only-in-1").exists() == (version == "1")
        assert not (self.app / ".packbank-previous/python/version").exists() or version == "2"
        assert not (self.app / ".packbank-previous/unproven").exists()
        return version


def steps_of(folder: Path, *, first: bool) -> range:
    """The steps of an installation that nothing interrupts."""
    whole = Cut(folder, first=first)
    assert whole.install() == 0
    assert whole.whole() == "2"
    steps = int((whole.root / "steps").read_text())
    assert steps > 10
    return range(1, steps + 1)


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False], ids=["first", "update"])
def test_killed_at_any_step_the_next_installation_completes_it(tmp_path: Path, first: bool) -> None:
    for step in steps_of(tmp_path / "whole", first=first):
        machine = Cut(tmp_path / str(step), first=first)
        assert machine.install(step) == -signal.SIGKILL
        if first and (machine.app / "version").exists():
            assert machine.whole() == "2", f"step {step}: what counts as installed is not"
        shutil.rmtree(machine.new)
        shutil.copytree(machine.root / "again", machine.new)
        assert machine.install() == 0, f"step {step}"
        assert machine.whole() == "2", f"step {step}"
        assert (machine.root / "up").exists() is not first, f"step {step}"
        if not first:
            assert (machine.app / ".packbank-previous/python/version").read_text() == "1"


@pytest.mark.slow
def test_a_power_cut_at_any_step_leaves_one_whole_version_that_runs(tmp_path: Path) -> None:
    for step in steps_of(tmp_path / "whole", first=False):
        machine = Cut(tmp_path / str(step))
        (machine.app / "config.state.json").write_text("state\n")
        assert machine.install(step) == -signal.SIGKILL
        machine.lose_power()
        machine.run_service()
        assert machine.whole() in {"1", "2"}, f"step {step}"
        assert (machine.app / "config.state.json").read_text(), f"step {step}"
