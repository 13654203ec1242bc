from __future__ import annotations

from pathlib import Path

import pytest

from packbank.config.document import document, main
from packbank.config.sections import default_keys

PAGE = Path(__file__).parents[3] / "docs" / "config.md"


def test_the_page_is_current() -> None:
    assert main(["--check", str(PAGE)]) == 0


def test_a_page_that_is_not_current_is_told_how_to_be_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "config.md"
    page.write_text("old", encoding="utf-8")
    assert main(["--check", str(page)]) == 1
    assert "python -m packbank.config.document >" in capsys.readouterr().err


def test_every_key_has_a_row_with_its_meaning() -> None:
    rows = {row.split("|")[1].strip(): row for row in document().splitlines() if row.startswith("| `")}
    for name, key in default_keys().items():
        assert key.meaning
        assert key.meaning in rows[f"`{name}`"]
