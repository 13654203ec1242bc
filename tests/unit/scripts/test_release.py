"""What scripts/release refuses before it makes anything. Set-up is a stand-in, git is real."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "scripts").mkdir(parents=True)
    for name in ("release", "target.sh"):
        shutil.copy(SCRIPTS / name, tree / "scripts")
    (tree / "scripts/setup").write_text("#!/bin/sh\n")
    (tree / "scripts/setup").chmod(0o755)
    (tree / "src/packbank").mkdir(parents=True)
    (tree / "CHANGELOG.md").write_text("## 0.2.0\n\n* Something.\n")
    return tree


def release(tree: Path, version: str, suites: str = "") -> str:
    """What it says; the tools that come after the checks are missing, so none can succeed."""
    (tree / "src/packbank/__init__.py").write_text(f'__version__ = "{version}"\n')
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(tree), *words], check=True)
    done = subprocess.run(
        [tree / "scripts/release", "--key", "key.pem", "--address", "http://127.0.0.1", tree.parent / "out"],
        env=os.environ | {"DEBIAN_SUITES": suites},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize(
    ("version", "suites", "refused"),
    [
        ("0.2.0", "bookworm", "a release is made with all of Debian's updates"),
        ("0.3.0", "", "has no section '## 0.3.0'"),
        ("0.3.0rc1", "", "has no section '## 0.3.0'"),
        ("0.2.0", "", None),
        ("0.2.0rc1", "bookworm", None),
    ],
)
def test_only_a_candidate_may_lack_updates(tree: Path, version: str, suites: str, refused: str | None) -> None:
    said = release(tree, version, suites)
    assert (refused or "source and wheel") in said
    assert ("source and wheel" in said) is (refused is None)


def test_what_is_not_committed_is_not_released(tree: Path) -> None:
    (tree / "CHANGELOG.md").write_text("")
    release(tree, "0.2.0")
    (tree / "src/new.py").write_text("")
    done = subprocess.run(
        [tree / "scripts/release", "--key", "key.pem", "--address", "http://127.0.0.1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the working tree has changes" in done.stderr
