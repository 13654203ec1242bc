"""A file of the user is replaced whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from packbank.files import replace_text


def test_a_new_file_has_the_text_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    replace_text(tmp_path / "a.ini", "näw")
    assert (tmp_path / "a.ini").read_text(encoding="utf-8") == "näw"
    assert [file.name for file in tmp_path.iterdir()] == ["a.ini"]


def test_a_file_that_is_there_keeps_its_permissions_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.ini", tmp_path / "link.ini"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    replace_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_write_that_fails_leaves_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ini"
    path.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_text(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.ini"]
