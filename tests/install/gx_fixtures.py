"""The fixtures of this folder; in a file of their own because mypy knows only one ``conftest``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from gx import Gx
from gx_releases import Releases


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PACKBANK_ARCHIVE" not in os.environ:
        reason = "needs an emulated GX: scripts/test-install armv7"
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    """The archive under test as a release, and later ones, served from loopback."""
    with Releases(Path(os.environ["PACKBANK_ARCHIVE"]), tmp_path_factory.mktemp("releases")) as releases:
        yield releases


@pytest.fixture
def gx() -> Iterator[Gx]:
    """A GX that has booted, with three packs on /dev/ttyUSB0."""
    with Gx(Path(os.environ["PACKBANK_PARTS"]), os.environ["PACKBANK_CPU"]) as gx:
        gx.boot()
        yield gx
