"""What install.sh decides before it touches anything; tests/install has it install on an emulated GX."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

INSTALLER = Path(__file__).parents[3] / "packaging/venus/install.sh"


def installer(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PACKBANK_ROOT": str(root), "PATH": f"{root}/bin:{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", INSTALLER, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("installed", "offered", "newer"),
    [
        ("0.1.0", "0.1.1", True),
        ("0.9.0", "0.10.0", True),
        ("0.9.9", "1.0.0", True),
        ("0.2.0b1", "0.2.0", True),
        ("0.2.0b1", "0.2.0b2", True),
        ("0.1.9", "0.2.0b1", True),
        ("0.1.0", "0.1.0", False),
        ("0.2.0", "0.2.0b1", False),
        ("0.10.0", "0.9.0", False),
        ("1.0.0", "0.99.99", False),
    ],
)
def test_which_of_two_versions_is_newer(tmp_path: Path, installed: str, offered: str, newer: bool) -> None:
    app = tmp_path / "data/apps/packbank"
    app.mkdir(parents=True)
    (app / "version").write_text(f"{installed}\n")
    assert (installer(tmp_path, "--newer", offered).returncode == 0) is newer


def test_any_version_is_newer_than_none(tmp_path: Path) -> None:
    assert installer(tmp_path, "--newer", "0.1.0").returncode == 0


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The folder with the version before the one that is installed."""
    folder = tmp_path / "data/apps/packbank/.packbank-previous"
    folder.mkdir(parents=True)
    return folder


def test_an_update_that_was_cut_off_counts_as_not_made(tmp_path: Path, previous: Path) -> None:
    (previous.parent / "version").write_text("0.2.0\n")
    (previous / "version").write_text("0.1.0\n")
    assert installer(tmp_path, "--newer", "0.2.0").returncode == 1
    (previous / "unproven").touch()
    assert installer(tmp_path, "--newer", "0.2.0").returncode == 0


def test_a_version_that_went_back_is_no_newer_one_for_a_stick_that_stays_in(tmp_path: Path, previous: Path) -> None:
    (previous.parent / "version").write_text("0.1.0\n")
    (previous / "refused").write_text("0.2.0\n")
    assert installer(tmp_path, "--newer", "0.2.0").returncode == 1
    assert installer(tmp_path, "--newer", "0.2.1").returncode == 0


def test_one_at_a_time(tmp_path: Path) -> None:
    """A second one leaves what the first has unpacked; what one that was killed has left is no hindrance."""
    for name, said in (("uname", "armv7l"), ("id", "0")):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "opt/victronenergy").mkdir(parents=True)
    (tmp_path / "opt/victronenergy/version").write_text("v3.70\n")
    (tmp_path / "archive").write_text("no archive")
    theirs = tmp_path / "data/apps/packbank/.packbank-new/half"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    first = subprocess.Popen(["sh", "-c", "read _; exit", "install.sh"], stdin=subprocess.PIPE)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/packbank.install").symlink_to(str(first.pid))
    try:
        refused = installer(tmp_path, str(tmp_path / "archive"))
        assert refused.returncode == 1
        assert f"another installation is running (process {first.pid})" in refused.stderr
        assert theirs.exists()
    finally:
        first.communicate()
    failed = installer(tmp_path, str(tmp_path / "archive"))
    assert "could not be unpacked" in failed.stderr
    assert not theirs.parent.exists()
    assert not (tmp_path / "run/packbank.install").is_symlink()


@pytest.mark.parametrize(("word", "said"), [("--what", "usage"), ("missing.tar.gz", "no file missing.tar.gz")])
def test_what_it_cannot_do_it_says(tmp_path: Path, word: str, said: str) -> None:
    refused = installer(tmp_path, word)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert not (tmp_path / "data").exists()
