"""What install.sh decides before it touches anything; tests/install has it install on an emulated GX."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

INSTALLER = Path(__file__).parents[3] / "packaging/venus/install.sh"


def installer(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PACKBANK_ROOT": str(root)}
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


@pytest.mark.parametrize(("word", "said"), [("--what", "usage"), ("missing.tar.gz", "no file missing.tar.gz")])
def test_what_it_cannot_do_it_says(tmp_path: Path, word: str, said: str) -> None:
    refused = installer(tmp_path, word)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert not (tmp_path / "data").exists()
