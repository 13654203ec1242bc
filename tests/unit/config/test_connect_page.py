from __future__ import annotations

from pathlib import Path

from packbank.config.dip import draw, table

PAGE = (Path(__file__).parents[3] / "docs" / "connect.md").read_text(encoding="utf-8")


def test_the_table_of_addresses_is_the_program_s() -> None:
    assert "\n".join(f"  {line}" for line in table().splitlines()) in PAGE


def test_the_drawn_switches_are_the_program_s() -> None:
    _, *drawing = draw(5).splitlines()
    assert all(line.rstrip() in PAGE for line in drawing)
