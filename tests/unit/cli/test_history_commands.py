"""``packbank history`` and ``packbank events``: which history, which pack, which time; table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import logging
import time
from datetime import datetime
from pathlib import Path

import pytest

from packbank.cli import main, past
from packbank.errors import ConfigError
from packbank.outputs.history import location
from packbank.outputs.history.location import location_of
from past import START, Past

HOUR = 3600.0
NOW = datetime(2026, 11, 25, 14, 30, 20).timestamp()
FROM = ["--from", "2023-11-01"]


@pytest.fixture
def lived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Past:
    """A daemon that has run for over an hour, in a time that is past."""
    run = tmp_path / "run"
    monkeypatch.setattr(location, "runtime_folders", lambda: [run])
    monkeypatch.setattr(past, "runtime_folders", lambda: [run])
    config = tmp_path / "config.ini"
    config.write_text("[DEFAULT]\nPORT = /dev/ttyUSB0\n")
    bank = Past(tmp_path)
    bank.location = location_of(config, config.with_suffix(".state.json"))
    bank.restart()
    bank.live(4800.0, 20.0)
    bank.event(
        "pack 2: lost (silent for 31 s); check cable, DIP switches and power", logging.WARNING, "pack", ("pack 2",)
    )
    bank.second()
    bank.event("charge stage absorption", kind="stage")
    bank.second()
    return bank


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("lived")
def test_the_bank_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    head, *rows = said(capsys, "history", "--rows", "0", *FROM).splitlines()
    columns = "V A lowest A highest A SoC % low cell high cell min °C max °C MOS °C CCL A DCL A"
    assert " ".join(head.split()) == f"time {columns}"
    assert len(rows) == 16  # of 5 min each: the warning has brought all of it to the flash
    first = rows[0].split()
    assert " ".join(first[:2]) == datetime.fromtimestamp(START).strftime("%Y-%m-%d %H:%M:%S")
    assert 50.0 < float(first[2]) < 56.0


@pytest.mark.usefixtures("lived")
@pytest.mark.parametrize("pack", ["pack 2", "2", "roof/0x02"])
def test_a_pack_as_csv(capsys: pytest.CaptureFixture[str], pack: str) -> None:
    rows = list(csv.DictReader(io.StringIO(said(capsys, "history", "--pack", pack, "--csv", *FROM))))
    assert len(rows) == 16
    assert [key for key in rows[0] if key.startswith("cells.16")] == ["cells.16.mean", "cells.16.low", "cells.16.high"]
    assert "cells.17.mean" not in rows[0]
    row = rows[3]
    assert datetime.fromisoformat(row["time"]).timestamp() == float(row["wall"])
    assert float(row["current.low"]) <= float(row["current.mean"]) <= float(row["current.high"])
    assert row["seconds"] == "15"


@pytest.mark.usefixtures("lived")
def test_a_pack_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        json.loads(line) for line in said(capsys, "history", "--pack", "1", "--json", "--rows", "4", *FROM).splitlines()
    ]
    assert 1 <= len(lines) <= 4
    assert lines[0]["pack"] == "pack 1"
    assert set(lines[0]["cells"]) == {str(number) for number in range(1, 17)}
    assert lines[0]["lowest_cell"]["value"]["low"] <= lines[0]["cells"]["1"]["low"]
    json.dumps(lines, allow_nan=False)


@pytest.mark.usefixtures("lived")
def test_what_is_not_known_is_empty_or_null(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody reported the second to fourth sensor; the row of the bank has no such value either."""
    (line, *_) = said(capsys, "history", "--json", "--rows", "1", *FROM).splitlines()
    assert json.loads(line)["voltage"]["mean"] is not None
    assert "NaN" not in line


@pytest.mark.usefixtures("lived")
def test_events_in_each_form(capsys: pytest.CaptureFixture[str]) -> None:
    lost, stage = said(capsys, "events", *FROM).splitlines()
    assert lost.endswith("warning  pack 2: lost (silent for 31 s); check cable, DIP switches and power")
    assert stage.endswith("info     charge stage absorption")
    assert said(capsys, "events", "--warnings", *FROM).splitlines() == [lost]
    assert said(capsys, "events", "--kind", "stage", *FROM).splitlines() == [stage]
    assert said(capsys, "events", "--pack", "2", *FROM).splitlines() == [lost]
    (one, _) = map(json.loads, said(capsys, "events", "--json", *FROM).splitlines())
    assert (one["level"], one["kind"], one["packs"]) == ("warning", "pack", ["pack 2"])
    (row, _) = csv.DictReader(io.StringIO(said(capsys, "events", "--csv", *FROM)))
    assert row["text"] == one["text"]


@pytest.mark.usefixtures("lived")
def test_nothing_in_that_time(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("history", "events"):
        assert main([command, "--from", "2020-01-01", "--to", "2020-01-02"]) == 0
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("nothing ")


def test_the_history_of_a_daemon_that_has_ended(
    lived: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = said(capsys, "history", "--json", "--config", str(tmp_path / "config.ini"), *FROM)
    lived.output.close()
    assert main(["history"]) == 1
    assert "name its configuration with --config FILE" in capsys.readouterr().err
    after = said(capsys, "history", "--json", "--config", str(tmp_path / "config.ini"), *FROM)
    by_folder = said(capsys, "history", "--json", "--folder", str(lived.location.folder), *FROM)
    assert after == by_folder
    assert sum(json.loads(line)["seconds"] for line in after.splitlines()) == sum(
        json.loads(line)["seconds"] for line in before.splitlines()
    )


@pytest.mark.usefixtures("lived")
def test_a_configuration_is_named_from_any_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert said(capsys, "events", "--config", str(tmp_path / "config.ini"), *FROM)


def test_of_two_daemons_one_is_named(lived: Past, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = location_of(tmp_path / "other.ini", tmp_path / "other.state.json")
    other.link.symlink_to(other.folder)
    assert main(["events"]) == 1
    err = capsys.readouterr().err
    assert f"--config {tmp_path / 'config.ini'}" in err
    assert f"--config {tmp_path / 'other.ini'}" in err
    assert said(capsys, "events", "--config", str(tmp_path / "config.ini"), *FROM)
    assert main(["events", "--config", str(tmp_path / "other.ini")]) == 1
    assert "there is no history in" in capsys.readouterr().err
    assert lived.location.link.is_symlink()


@pytest.mark.usefixtures("lived")
@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["--pack", "pack 9"], "did you mean 'pack"),
        (["--from", "yesterday"], "is no time; write 2h, 3d or 2w ago"),
        (["--from", "1h", "--to", "2h"], "is not before"),
        (["--from", "99999999999h"], "is no time"),
        (["--rows", "-1"], "--rows"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(
    capsys: pytest.CaptureFixture[str], words: list[str], remedy: str
) -> None:
    assert main(["history", *words]) == 2
    assert remedy in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2h", NOW - 2 * HOUR),
        ("90m", NOW - 1.5 * HOUR),
        ("1.5d", NOW - 36 * HOUR),
        ("2w", NOW - 14 * 24 * HOUR),
        ("13:00", datetime(2026, 11, 25, 13, 0).timestamp()),
        ("2026-11-24", datetime(2026, 11, 24).timestamp()),
        ("2026-11-24 13:00", datetime(2026, 11, 24, 13, 0).timestamp()),
        ("2026-11-24T13:00:05+00:00", 1795525205.0),
    ],
)
def test_times_as_people_write_them(text: str, when: float) -> None:
    assert past.parse_time(text, NOW) == when


@pytest.mark.parametrize("text", ["", "h", "25:00", "-2h", "2026-13-01", "now"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        past.parse_time(text, time.time())
