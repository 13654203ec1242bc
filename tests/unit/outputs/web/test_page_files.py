"""The files of the page: small, whole, nothing inline, and a chart library that is the published one."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from packbank.outputs.web.site import KINDS, PAGE

LARGEST = 120_000  # bytes, all together: a phone on a weak network
PUBLISHED = {  # uplot 1.6.32 as npm has it
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot.LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
OURS = [file for file in sorted(PAGE.iterdir()) if not file.name.startswith("uPlot")]


def test_the_page_is_small() -> None:
    assert sum(file.stat().st_size for file in PAGE.iterdir()) < LARGEST


def test_every_file_has_a_kind() -> None:
    assert {file.suffix for file in PAGE.iterdir()} <= set(KINDS)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_chart_library_is_the_published_one(name: str) -> None:
    assert sha256((PAGE / name).read_bytes()).hexdigest() == PUBLISHED[name]


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_what_is_referred_to_is_there_and_nothing_is_inline_or_elsewhere(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for name in re.findall(r'from "\./([^"]+)"', text):
        assert (PAGE / name).exists(), name
    if file.suffix == ".html":
        for name in re.findall(r'(?:src|href)="([^#"]+)"', text):
            assert (PAGE / name).exists() or name.startswith("api/")
        assert not re.search(r"<script(?![^>]*src=)|<style|\son[a-z]+=|\sstyle=", text)
    outside = re.findall(r"https?://[^\"' ]+", text)
    assert [address for address in outside if "www.w3.org" not in address] == []
    assert "innerHTML" not in text  # names of packs are texts, whatever they look like
    assert "eval(" not in text


def test_modules_have_no_unused_imports() -> None:
    for file in (file for file in OURS if file.suffix == ".js"):
        text = file.read_text(encoding="utf-8")
        for names in re.findall(r"import \{([^}]+)\}", text):
            for name in names.split(","):
                assert len(re.findall(rf"\b{re.escape(name.strip())}\b", text)) > 1, (file.name, name)
