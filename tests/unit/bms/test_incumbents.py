"""docs/reliability.md names a test for each fault of other readers: those tests are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NAMED = re.findall(r"`((?:tests/\w+/)?test_\w+\.py)::(test_\w+)`", (ROOT / "docs/reliability.md").read_text())


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_the_test_that_is_named_is_there(file: str, test: str) -> None:
    path = ROOT / (file if "/" in file else f"tests/unit/bms/{file}")
    assert re.search(rf"^def {test}\(", path.read_text(), re.MULTILINE)


def test_every_fault_has_one() -> None:
    assert len(NAMED) >= 30
