from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("prometheus_client", reason="prometheus-client is not installed: pip install --group test")

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_old

from bank_rows import Rig, healthy
from packbank.model.battery import History, Presence
from packbank.model.columns import Alarm, Column
from packbank.model.identity import Identity
from packbank.model.snapshot import Snapshot
from packbank.outputs.web.metrics import CELLS, FAMILIES, exposition
from served import BUS, bank
from virtual_battery import lost_battery, pack_view, snapshot

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
NASTY = 'a "quoted"\\ name\nwith a line, {braces}="x" and Ümläute'
DASHBOARD = Path(__file__).parents[4] / "packaging/grafana/packbank.json"


def samples(text: str) -> Samples:
    """Every sample by name and labels; the parser passes over two of the same, and over a ratio of 61."""
    found = [sample for family in parse_open(text) for sample in family.samples]  # type: ignore[no-untyped-call]
    keys = Counter((sample.name, tuple(sorted(sample.labels.items()))) for sample in found)
    assert [key for key, times in keys.items() if times > 1] == []
    for sample in found:
        assert np.isfinite(sample.value), sample
        if "ratio" in sample.name:
            assert 0.0 <= sample.value <= 1.0, sample
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, tuple(sorted(labels.items()))))


@cache
def fifteen() -> Snapshot:
    rig = Rig(15)
    battery = rig.teach()
    identities = tuple(Identity("JK", "V1", "15.4", f"S{number}") for number in range(15))
    return replace(snapshot(battery, rig.now, rows=rig.rows, buses=(BUS,)), identities=identities)


def test_the_bank_in_units_of_prometheus() -> None:
    shown = snapshot(soc=76.5, soh=100.0, history=History(charged_energy=2.0), rows=healthy(2), buses=(BUS,))
    found = samples(exposition(shown))
    assert value(found, "packbank_bank_state_of_charge_ratio") == pytest.approx(0.765)
    assert value(found, "packbank_bank_state_of_health_ratio") == 1.0
    assert value(found, "packbank_bank_charged_energy_joules_total") == 7.2e6
    assert value(found, "packbank_bank_discharged_energy_joules_total") is None
    assert value(found, "packbank_bank_packs", state="fresh") == 2.0
    assert value(found, "packbank_bank_alarm", alarm="LowSoc") == 0.0
    assert value(found, "packbank_bus_timeouts_total", bus="roof") == 10.0
    assert value(found, "packbank_bus_errors_total", bus="roof") == 4.0
    assert value(found, "packbank_cell_voltage_volts", pack="pack 1", cell="16") == 3.3
    assert value(found, "packbank_cell_voltage_volts", pack="pack 1", cell="17") is None


def test_a_lost_pack_keeps_its_state_and_age_only() -> None:
    rows = bank().rows.copy()
    rows[2] = rows[0]  # what it measured last
    found = samples(exposition(replace(bank(), rows=rows)))
    of_lost = {name for name, labels in found if ("pack", "pack 3") in labels}
    assert of_lost == {"packbank_pack_age_seconds", "packbank_pack_state", "packbank_pack_info"}
    assert value(found, "packbank_pack_state", pack="pack 3", packbank_pack_state="lost") == 1.0
    assert value(found, "packbank_pack_state", pack="pack 3", packbank_pack_state="fresh") == 0.0
    assert value(found, "packbank_pack_age_seconds", pack="pack 3") == 75.0


def test_a_pack_that_nobody_knows_of_is_left_out() -> None:
    shown = snapshot(packs=(pack_view("pack 1"), pack_view("pack 2", presence=Presence.ABSENT)), rows=healthy(2))
    assert "pack 2" not in exposition(shown)


def test_a_lost_bank_has_its_limits_and_no_old_values() -> None:
    found = samples(exposition(snapshot(lost_battery(), rows=healthy(2))))
    assert value(found, "packbank_bank_charge_current_limit_amperes") == 0.0
    assert value(found, "packbank_bank_voltage_volts") is None
    assert value(found, "packbank_bank_packs", state="lost") == 2.0


def test_names_of_any_kind_are_escaped() -> None:
    shown = bank()
    packs = replace(shown.battery.packs, names=(NASTY, "b", "c"))
    shown = replace(shown, battery=replace(shown.battery, packs=packs), identities=(Identity(serial=NASTY),) * 3)
    for old in (False, True):
        families = (parse_old if old else parse_open)(exposition(shown, old=old))
        assert NASTY in {sample.labels.get("pack") for family in families for sample in family.samples}


def test_both_formats_say_the_same() -> None:
    shown = fifteen()
    new = samples(exposition(shown))
    old = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_old(exposition(shown, old=True))
        for sample in family.samples
    }
    assert new == old


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_unknown_the_page_can_be_parsed(seed: int) -> None:
    random = np.random.default_rng(seed)
    shown = fifteen()
    rows = shown.rows.copy()
    rows[random.random(rows.shape) < 0.5] = np.nan
    samples(exposition(replace(shown, rows=rows, buses=(replace(BUS, round_time=float("nan")),) * (seed % 2))))


def test_cells_can_be_left_out() -> None:
    with_cells, without = (samples(exposition(fifteen(), cells=cells)) for cells in (True, False))
    assert len(with_cells) - len(without) == 15 * 16
    assert set(without) < set(with_cells)
    assert not [name for name, _ in without if name == CELLS.name]


def test_every_alarm_that_can_be_reported_is_there() -> None:
    shown = bank()
    found = samples(exposition(shown))
    reported = {dict(labels)["alarm"] for name, labels in found if name == "packbank_pack_alarm"}
    assert reported == {alarm.venus for alarm in shown.battery.alarms} <= {alarm.venus for alarm in Alarm}
    assert value(found, "packbank_pack_alarm", pack="pack 2", alarm="LowSoc") == 1.0
    assert np.isnan(shown.rows[2, Column.VOLTAGE])


def test_names_and_units_are_as_the_format_wants_them() -> None:
    for family in (*FAMILIES, CELLS):
        assert family.name.endswith(f"_{family.unit}" if family.unit else "")
        assert re.fullmatch(r"packbank(_[a-z]+)+", family.name)
        assert not family.name.endswith(("_total", "_info"))


def test_the_dashboard_asks_only_for_what_there_is() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [variable["definition"] for variable in dashboard["templating"]["list"] if "definition" in variable]
    shown = fifteen()
    energy = History(charged_energy=1.0, discharged_energy=1.0)
    shown = replace(shown, battery=replace(shown.battery, history=energy))
    there = {name for name, _ in samples(exposition(shown))}
    for query in queries:
        asked = set(re.findall(r"packbank_[a-z_]+", query))
        assert asked
        assert asked <= there, query
    wheres = set(re.findall(r"([a-z_]+)=~?\"", " ".join(queries)))
    labels = {name for _, pairs in samples(exposition(shown)) for name, _ in pairs}
    assert wheres <= labels | {"instance"}
