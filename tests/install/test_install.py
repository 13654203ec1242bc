"""From a release to a battery on the GX, updates, and removal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from gx import APP, Gx, until
from gx_releases import Releases

START = 60.0  # s: under emulation


@pytest.fixture
def gx() -> Iterator[Gx]:
    with Gx(Path(os.environ["PACKBANK_PARTS"]), os.environ["PACKBANK_CPU"]) as gx:
        gx.boot()
        yield gx


def test_a_release(gx: Gx, releases: Releases) -> None:
    releases.publish("first")
    one_line = f"wget -q -O /tmp/install.sh {releases.address('first')}/install.sh && sh /tmp/install.sh"
    said = gx.run("sh", "-c", one_line).stdout
    print(said)
    print(gx.run(f"{APP}/bin/packbank", "--version").stdout)
    gx.run("sh", "-c", f"cd {APP} && bin/packbank scan > config.ini")
    print((gx.app / "config.ini").read_text())
    print(gx.run(f"{APP}/enable.sh").stdout)
    took = until(gx.battery, START, "the battery")
    print("battery after", took, gx.log())
