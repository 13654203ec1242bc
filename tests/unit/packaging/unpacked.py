"""packbank unpacked under a fake root: daemontools, stop-tty and packbank's own Python are stand-ins there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGING = Path(__file__).parents[3] / "packaging"
FILES = sorted(
    str(path.relative_to(PACKAGING / "venus")) for path in (PACKAGING / "venus").rglob("*") if path.is_file()
)
SVC = """
echo "svc $*" >>"$PACKBANK_ROOT/calls"
[ ! -e "$PACKBANK_ROOT/svc-fails" ] || exit 111
case $1 in -d*) rm -f "$PACKBANK_ROOT/up" ;; esac
"""
SVSTAT = """
if [ -e "$PACKBANK_ROOT/up" ]; then echo "$1: up (pid 7) 3 seconds"; else echo "$1: supervise not running"; fi
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def unpack(root: Path, folder: Path) -> None:
    """packbank as an archive lays it down, with a stand-in for its program."""
    shutil.copytree(PACKAGING / "venus", folder, copy_function=shutil.copy, dirs_exist_ok=True)
    (folder / "files").write_text("\n".join([*FILES, "files"]) + "\n")
    executable(folder / "bin/packbank", 'echo "$(basename "$0") $*" >> "$PACKBANK_ROOT/calls"\n')


def boot_line(app: Path, root: Path) -> str:
    """The line of rc.local that starts packbank."""
    return f"[ ! -d {app}/service ] || ln -sfn {app}/service {root}/service/packbank\n"


def call(script: Path, root: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PACKBANK_ROOT": str(root), "PATH": f"{root}/bin:{os.environ['PATH']}"}
    return subprocess.run(
        [script, *args], env=environment, check=check, capture_output=True, text=True, cwd=script.parent
    )


def calls(root: Path) -> list[str]:
    return (root / "calls").read_text().splitlines()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A GX with packbank unpacked: ``packbank`` and the foreign programs write down how they were called."""
    unpack(tmp_path, tmp_path / "data/apps/packbank")
    (tmp_path / "service").mkdir()
    record = 'echo "$(basename "$0") $*" >> "$PACKBANK_ROOT/calls"\n'
    executable(tmp_path / "opt/victronenergy/serial-starter/stop-tty.sh", record)
    executable(tmp_path / "bin/svc", SVC)
    executable(tmp_path / "bin/svstat", SVSTAT)
    executable(tmp_path / "bin/multilog", record)
    return tmp_path


@pytest.fixture
def app(root: Path) -> Path:
    folder = root / "data/apps/packbank"
    (folder / "config.ini").write_text("[bus:roof]\nPORT = /dev/ttyUSB7\n")
    return folder
