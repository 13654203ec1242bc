from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from packbank.model.columns import Column, empty_matrix
from packbank.outputs.json_document import document
from packbank.outputs.json_lines import SCHEMA, JsonLines
from packbank.outputs.runner import PeerGoneError
from virtual_battery import lost_battery, snapshot

ROOT = Path(__file__).parents[3]


def test_the_page_is_current() -> None:
    written = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    assert written == document(), "run: python -m packbank.outputs.json_document > docs/json.md"


def test_a_line_says_its_schema_and_everything_of_the_bank() -> None:
    reader, writer = os.pipe()
    output = JsonLines(writer)
    output.show(snapshot(time=12.3456))
    output.show(snapshot(lost_battery(), 13.0))
    output.close()
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as lines:
        first, second = map(json.loads, lines)
    assert (first["schema"], first["time"], first["number"]) == (SCHEMA, 12.346, 1)
    assert [pack["name"] for pack in first["packs"]] == ["pack 1", "pack 2"]
    assert first["packs"][0]["charge_limit"]["value"] == 100.0
    assert second["voltage"] is None
    assert second["charge_current_limit"]["value"] == 0.0


def test_settings_are_in_the_first_line_after_they_were_read() -> None:
    rows = empty_matrix(2)
    reader, writer = os.pipe()
    output = JsonLines(writer)
    for read_at in (None, 5.0, 5.0, 9.0):
        if read_at is not None:
            rows[1, Column.SETTINGS_TIME], rows[1, Column.CELL_OVP] = read_at, 3.65
        output.show(snapshot(rows=rows))
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as lines:
        shown = [json.loads(line)["packs"] for line in lines]
    assert [["settings" in pack for pack in packs] for packs in shown] == [
        [False, False],
        [False, True],
        [False, False],
        [False, True],
    ]
    assert shown[1][1]["settings"]["cell_ovp"] == 3.65


def test_a_closed_pipe_is_the_end_of_this_output() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(PeerGoneError, match="nobody reads"):
        JsonLines(writer).show(snapshot())
    os.close(writer)
