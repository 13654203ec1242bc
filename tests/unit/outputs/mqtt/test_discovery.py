from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bank_rows import healthy
from home_assistant import broken_rules, entities
from packbank.aggregator.charge import Stage
from packbank.model.battery import STAGES, Presence
from packbank.model.columns import Alarm, Column, empty_matrix
from packbank.model.identity import Identity
from packbank.model.snapshot import Snapshot
from packbank.outputs.mqtt.discovery import bank_config, pack_config
from packbank.outputs.mqtt.states import bank_state, pack_state
from packbank.outputs.mqtt.topics import Topics, discovery
from virtual_battery import lost_battery, pack_view, snapshot

TOPICS = Topics("home")
PACK = "packbank_home_4711"
IDENTITY = Identity(model="JK_PB2A16S20P", hardware="15A", software="15.38", serial="4711")


def pack(cells: int = 16, *, cells_enabled: bool = False) -> dict[str, object]:
    return pack_config(TOPICS, PACK, "4711", IDENTITY, cells, cells_enabled=cells_enabled)


def shown(**changes: object) -> Snapshot:
    return replace(snapshot(rows=healthy(2), **changes))  # type: ignore[arg-type]


def test_what_is_announced_keeps_the_rules_of_home_assistant() -> None:
    assert broken_rules(discovery(TOPICS.device), json.dumps(bank_config(TOPICS))) == []
    assert broken_rules(discovery(PACK), json.dumps(pack())) == []
    bare = pack_config(TOPICS, PACK, "roof/0x01", Identity(), 0, cells_enabled=True)
    assert broken_rules(discovery(PACK), json.dumps(bare)) == []


def test_a_broken_rule_is_found() -> None:
    """The rules above are worth something."""
    config = json.dumps(bank_config(TOPICS))
    for right, wrong in (
        ('"origin"', '"expire_after": 5, "origin"'),
        ('"model"', '"child_devices"'),
        ('"unit_of_measurement": "V"', '"unit_of_measurement": "Ah"'),
        ('"diagnostic"', '"config"'),
        ('"platform": "sensor"', '"platform": "number"'),
        ('"json_attributes_topic"', '"json_attributes"'),
        ('"options"', '"option"'),
        ("packbank_home_voltage", "packbank_home_current"),
    ):
        assert right in config
        assert broken_rules(discovery(TOPICS.device), config.replace(right, wrong, 1)), wrong


def test_every_key_is_in_every_state_whether_it_is_known_or_not() -> None:
    for battery in (None, lost_battery()):
        for rows in (healthy(2), empty_matrix(2)):
            one = snapshot(battery, rows=rows)
            assert entities(bank_config(TOPICS), bank_state(one)).keys()
            assert entities(pack(), pack_state(one.pack(0), 16)).keys()


def test_the_bank_is_shown_with_its_limits_and_their_reasons() -> None:
    bank = entities(bank_config(TOPICS), bank_state(shown()))
    assert bank["voltage"] == 53.12
    assert bank["current"] == -12.3
    assert bank["soc"] == 76.5
    assert bank["charge_current_limit"] == 123.4
    assert bank["charge_current_limit attributes"]["pack"] == "pack 2"
    assert "cell 12 3.470 V" in bank["charge_current_limit attributes"]["reason"]
    assert bank["highest_cell"] == 3.47
    assert bank["highest_cell attributes"] == {"value": 3.47, "pack": "pack 2", "number": 12, "id": "P2C12"}
    assert bank["stage"] == "bulk"
    assert (bank["online"], bank["expected"]) == (2.0, 2.0)
    assert bank["stored_energy"] == pytest.approx(428.6 * 53.1249, abs=1.0)
    assert bank["alarm"] is False
    assert bank["history_charged_energy"] is None


def test_a_pack_is_shown_with_its_cells_and_alarms() -> None:
    views = (pack_view("pack 1", alarms={Alarm.LOW_SOC: 1, Alarm.CELL_IMBALANCE: 2}), pack_view("pack 2"))
    rows = healthy(2)
    rows[0, 3] = 3.4004
    rows[0, 7] = np.nan
    rows[0, Column.CHARGE_MOSFET] = np.nan
    one = snapshot(rows=rows, packs=views)
    first = entities(pack(), pack_state(one.pack(0), 16))
    assert first["cells_4"] == 3.4
    assert first["cells_8"] is None
    assert first["cell_difference"] == 100.0  # mV
    assert first["lowest_cell attributes"]["number"] == 1
    assert first["alarm"] is True
    assert first["alarm attributes"] == {"raised": "LowSoc warning, CellImbalance alarm"}
    assert first["charge_mosfet"] is None
    assert first["connected"] is True
    assert entities(pack(), pack_state(one.pack(1), 16))["alarm"] is False


def test_a_lost_pack_says_itself_that_it_is_not_connected() -> None:
    one = snapshot(rows=healthy(2), packs=(pack_view("pack 1", presence=Presence.LOST), pack_view("pack 2")))
    config = pack()
    assert entities(config, pack_state(one.pack(0), 16))["connected"] is False
    components = config["components"]
    assert isinstance(components, dict)
    assert components["connected"]["availability"] == [{"topic": "packbank/home/status"}]
    assert [key for key, component in components.items() if "availability" in component] == ["connected"]
    assert config["availability"] == [{"topic": "packbank/home/status"}, {"topic": "packbank/home/pack/4711/status"}]


def test_cells_are_there_but_disabled_unless_they_are_wanted() -> None:
    for wanted in (False, True):
        components = pack(cells_enabled=wanted)["components"]
        assert isinstance(components, dict)
        cells = [component for key, component in components.items() if key.startswith("cells_")]
        assert len(cells) == 16
        assert {component.get("enabled_by_default", True) for component in cells} == {wanted}
        assert [component["name"] for component in cells[:2]] == ["Cell 1", "Cell 2"]


def test_a_state_has_as_many_cells_as_were_announced() -> None:
    rows = healthy(2)
    for cells in (0, 8, 16, 32):
        assert len(json.loads(pack_state(snapshot(rows=rows).pack(0), cells))["cells"]) == cells


def test_every_stage_of_the_charge_is_an_option() -> None:
    assert {str(stage) for stage in Stage} | {f"top balance: {stage}" for stage in Stage} | {"fixed"} == set(STAGES)


def test_text_that_is_no_id_is_made_one() -> None:
    assert TOPICS.pack_device(" 47 11/ä#+ ") == "packbank_home_47_11_"
    assert TOPICS.pack_state("packbank_home_47_11_") == "packbank/home/pack/47_11_/state"


def test_the_state_of_charge_is_of_the_class_that_shows_as_a_battery() -> None:
    """Home Assistant groups by device class: the pack's state of charge and the bank's are batteries."""
    for config in (bank_config(TOPICS), pack()):
        components = config["components"]
        assert isinstance(components, dict)
        assert components["soc"]["device_class"] == "battery"
        assert components["soc"]["unit_of_measurement"] == "%"
