from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gx_releases import Releases

ARCHIVE = os.environ.get("PACKBANK_ARCHIVE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if ARCHIVE is None:
        reason = "needs an emulated GX: scripts/test-install armv7"
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releases]:
    """The archive under test as a release, and later ones, served from loopback."""
    with Releases(Path(os.environ["PACKBANK_ARCHIVE"]), tmp_path_factory.mktemp("releases")) as releases:
        yield releases
