"""A GX with packbank unpacked, and its folder with a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from unpacked import SVC, SVSTAT, executable, unpack


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
