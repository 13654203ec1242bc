"""What the terminal shows of a bank: a line of text, and the table when rich is there."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.model.snapshot import Snapshot
from packbank.outputs.terminal import LINE_EVERY, Lines, limit_texts, line
from packbank.sim.bank import BankSpec, PhysicalBank
from served import BUS
from virtual_battery import snapshot

NOW = 1000.0
STATS = replace(BUS, name="attic", answers=198, missed=2, refused={"sum8": 3})


def scene(packs: int, current: float = 100.0) -> Snapshot:
    physical = PhysicalBank(BankSpec(packs=packs, seed=1, sensor_noise=0.0, sensor_offset=0.0, sensor_gain=0.0))
    physical.step(1.0, current)
    matrix = physical.answers()
    bank = Bank([f"pack {n}" for n in range(1, packs + 1)], [PackSettings()] * packs, BankSettings())
    for second in range(30):
        matrix[:, Column.STATUS_TIME] = matrix[:, Column.SETTINGS_TIME] = NOW + second
        battery = bank.step(matrix, NOW + second, 0.0)
    return snapshot(battery, NOW, rows=matrix, buses=(STATS,))


@pytest.fixture(scope="module")
def four() -> Snapshot:
    return scene(4)


def drawn(shown: Snapshot, width: int = 160, height: int = 40) -> str:
    console = pytest.importorskip("rich.console")
    screen = import_module("packbank.outputs.screen")
    stream = io.StringIO()
    console.Console(file=stream, width=width, height=height).print(screen.Picture(shown))
    return stream.getvalue()


def test_line_says_what_the_bank_is_and_what_it_bears(four: Snapshot) -> None:
    text = line(four)
    battery = four.battery
    assert text.startswith("4/4 packs  ")
    assert f"{battery.voltage:.2f} V" in text
    assert f"{battery.current:+.1f} A" in text
    assert f"CVL {battery.charge_voltage_limit.value:.2f} V" in text
    assert f"CCL {battery.charge_current_limit.value:.1f} A" in text
    assert "attic 1.07 s" in text
    assert "ALARMS" not in text
    assert "nan" not in text


def test_line_names_raised_alarms(four: Snapshot) -> None:
    alarms = {**four.battery.alarms, Alarm.LOW_CELL_VOLTAGE: 2, Alarm.CELL_IMBALANCE: 1}
    text = line(replace(four, battery=replace(four.battery, alarms=alarms)))
    assert "LowCellVoltage alarm" in text
    assert "CellImbalance warning" in text


def test_what_is_unknown_is_a_dash(four: Snapshot) -> None:
    assert "-  nan" not in line(replace(four, battery=replace(four.battery, soc=float("nan"))))
    assert " - %" in line(replace(four, battery=replace(four.battery, soc=float("nan"))))


def test_no_current_has_no_sign_of_discharge(four: Snapshot) -> None:
    shown = replace(four, battery=replace(four.battery, current=-0.04))
    assert " +0.0 A" in line(shown)
    assert " +0.0 A" in drawn(shown)


def test_limit_has_its_reason(four: Snapshot) -> None:
    text = dict(limit_texts(four.battery))["CCL"]
    assert re.match(r"\d+\.\d A: pack \d: .+, carries \d+% of the current", text)


def test_lines_come_every_few_seconds(four: Snapshot) -> None:
    stream = io.StringIO()
    with Lines(stream) as display:
        for tick in range(9):
            display.show(replace(four, time=NOW + tick * LINE_EVERY / 4))
    assert len(stream.getvalue().splitlines()) == 3


def test_table_has_every_pack_with_its_cells(four: Snapshot) -> None:
    text = drawn(four)
    for index, row in enumerate(four.rows):
        cells = row[CELL_VOLTAGES]
        (own,) = [shown for shown in text.splitlines() if f"pack {index + 1} " in shown and "fresh" in shown]
        assert f" {row[Column.CURRENT]:.1f} " in own
        assert re.search(rf"{np.nanmin(cells):.3f} +{np.nanargmin(cells) + 1} ", own)
        assert re.search(rf"{np.nanmax(cells):.3f} +{np.nanargmax(cells) + 1} ", own)


def test_table_has_limits_alarms_and_buses(four: Snapshot) -> None:
    text = drawn(four)
    for name, limit in limit_texts(four.battery):
        assert re.search(rf"{name} +{re.escape(limit)}", text)
    assert re.search(r"alarms +none", text)
    assert "round 1.07 s, 198 answers, 2 missed, 3 refused, line 38 %" in text


def test_table_says_why_a_bus_is_away(four: Snapshot) -> None:
    assert "no such port" in drawn(replace(four, buses=(replace(STATS, error="/dev/ttyUSB0: no such port"),)))


def test_names_are_shown_as_they_are_written(four: Snapshot) -> None:
    packs = replace(four.battery.packs, names=tuple(f"[red]{name}[/]" for name in four.battery.packs.names))
    assert "[red]pack 2[/]" in drawn(replace(four, battery=replace(four.battery, packs=packs)))


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (140, "age s|CCL A|DCL A|share|V|A|SoC %|low cell|#|high cell|#|min °C|max °C|MOS °C"),
        (100, "age s|CCL A|DCL A|V|A|SoC %|low cell|#|high cell|#|min °C|max °C"),
        (80, "CCL A|DCL A|A|SoC %|low cell|#|high cell|#|min °C"),
        (40, "A|SoC %|high cell"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns_and_none_is_cut(four: Snapshot, width: int, titles: str) -> None:
    text = drawn(four, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    (head,) = [shown for shown in text.splitlines() if shown.startswith("pack ") and "SoC" in shown]
    assert re.split(r"  +", head.strip())[1:] == titles.split("|")
    for index, row in enumerate(four.rows):
        (own,) = [shown for shown in text.splitlines() if shown.startswith(f"pack {index + 1} ")]
        assert f" {row[Column.CURRENT]:.1f} " in own
        assert f" {np.nanmax(row[CELL_VOLTAGES]):.3f}" in own


@pytest.mark.parametrize(("packs", "width", "height"), [(15, 80, 24), (15, 72, 20), (30, 100, 30), (64, 140, 40)])
def test_a_low_terminal_shows_all_packs_side_by_side(packs: int, width: int, height: int) -> None:
    shown = scene(packs)
    text = drawn(shown, width, height)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert len(text.splitlines()) <= height
    assert "pack 1 " in text
    for pack, row in zip(shown.battery.packs, shown.rows, strict=True):
        assert re.search(rf"{pack.name} +{pack.presence} .*{re.escape(f'{row[Column.CURRENT]:.1f}')}( |$)", text, re.M)


def test_a_small_terminal_rather_cuts_packs_off_than_their_currents() -> None:
    text = drawn(scene(30), 72, 22)
    head = next(shown for shown in text.splitlines() if shown.startswith("pack "))
    assert head.split() == ["pack", "A", "SoC", "%"] * 2


def test_a_long_name_is_never_cut(four: Snapshot) -> None:
    name = "the second pack from the left in the attic"
    packs = replace(four.battery.packs, names=(name, *four.battery.packs.names[1:]))
    text = drawn(replace(four, battery=replace(four.battery, packs=packs)), 40)
    folded = "".join(shown.split("  ")[0] for shown in text.splitlines())
    assert name.replace(" ", "") in folded.replace(" ", "")


def test_pack_that_never_answered_is_dashes(four: Snapshot) -> None:
    matrix = four.rows.copy()
    matrix[2] = np.nan
    (own,) = [shown for shown in drawn(replace(four, rows=matrix)).splitlines() if "pack 3 " in shown]
    assert own.split()[7:12] == ["-"] * 5
