from __future__ import annotations

from pathlib import Path

from packbank.config.document import document
from packbank.config.sections import default_keys

PAGE = Path(__file__).parents[3] / "docs" / "config.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == document() + "\n", (
        "run: python -m packbank.config.document > docs/config.md"
    )


def test_every_key_has_a_row_with_its_meaning() -> None:
    rows = {row.split("|")[1].strip(): row for row in document().splitlines() if row.startswith("| `")}
    for name, key in default_keys().items():
        assert key.meaning
        assert key.meaning in rows[f"`{name}`"]
