from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bank_rows import healthy
from packbank.model.battery import Presence
from packbank.model.columns import CELL_VOLTAGES, Column, empty_matrix
from packbank.model.identity import Identity, Place
from packbank.model.snapshot import Snapshot
from packbank.outputs.mqtt.members import GONE_AFTER, SERIAL_WAIT, Announced, Members
from packbank.outputs.mqtt.topics import Topics
from virtual_battery import pack_view, snapshot

TOPICS = Topics("home")


def seen(time: float, *serials: str | None, places: tuple[str, ...] = ("roof", "roof")) -> Snapshot:
    """Packs that report these serial numbers; ``None`` is a pack that is lost."""
    views = tuple(
        pack_view(f"pack {n}", presence=Presence.LOST if serial is None else Presence.FRESH)
        for n, serial in enumerate(serials, start=1)
    )
    return replace(
        snapshot(time=time, rows=healthy(len(serials)), packs=views),
        identities=tuple(Identity(serial=serial or "") for serial in serials),
        places=tuple(Place(bus, address) for address, bus in enumerate(places[: len(serials)], start=1)),
    )


def members(memory: Path | None = None, packs: int = 2) -> tuple[Members, Announced]:
    announced = Announced(memory)
    return Members(TOPICS, [""] * packs, announced), announced


def announce(packs: Members, announced: Announced, shown: Snapshot) -> list[str]:
    """What the output does: note who is announced."""
    changed = packs.update(shown)
    for member in changed:
        announced.note(member.device, member.place)
    return [member.device for member in changed]


def devices(packs: Members) -> list[str]:
    return [member.device.removeprefix("packbank_home_") for member in packs.packs]


def test_a_pack_is_known_by_its_serial_number_wherever_it_is() -> None:
    packs, announced = members()
    assert announce(packs, announced, seen(0.0, "A", "B")) == ["packbank_home_A", "packbank_home_B"]
    assert announce(packs, announced, seen(1.0, "A", "B")) == []
    announce(packs, announced, seen(2.0, "B", "A"))
    assert devices(packs) == ["B", "A"]


def test_a_pack_that_moves_takes_its_id_along_and_leaves_none_behind() -> None:
    packs, announced = members()
    announce(packs, announced, seen(0.0, "A", None))
    announce(packs, announced, seen(1.0, None, "A"))
    assert devices(packs) == ["", "A"]
    assert list(packs.gone(1.0 + GONE_AFTER)) == []


def test_a_pack_without_a_serial_number_gets_time_to_report_it_then_its_place_identifies_it() -> None:
    packs, announced = members(packs=1)
    assert announce(packs, announced, seen(0.0, "")) == []
    assert announce(packs, announced, seen(SERIAL_WAIT, "")) == ["packbank_home_roof_0x01"]
    assert announce(packs, announced, seen(SERIAL_WAIT + 1, "")) == []
    again, _ = members(packs=1)
    again._announced.places = dict(announced.places)
    assert announce(again, again._announced, seen(0.0, "")) == ["packbank_home_roof_0x01"]
    assert announce(again, again._announced, seen(1.0, "A")) == ["packbank_home_A"]
    assert list(again.gone(1.0)) == ["packbank_home_roof_0x01"]


def test_packs_that_report_the_same_serial_number_are_two() -> None:
    packs, announced = members()
    announce(packs, announced, seen(0.0, "123456", "123456"))
    assert devices(packs) == ["123456", "123456_roof_0x02"]
    later, known = members()
    known.places = dict(announced.places)
    announce(later, known, seen(0.0, None, "123456"))
    announce(later, known, seen(1.0, "123456", "123456"))
    assert devices(later) == ["123456", "123456_roof_0x02"]


def test_a_lost_pack_is_not_gone_but_one_that_was_replaced_is() -> None:
    packs, announced = members()
    announce(packs, announced, seen(0.0, "A", "B"))
    announce(packs, announced, seen(1.0, "A", None))
    assert list(packs.gone(1e6)) == []
    announce(packs, announced, seen(2.0, "A", "C"))
    assert list(packs.gone(3.0)) == ["packbank_home_B"]


def test_after_a_restart_a_silent_pack_stays_and_one_that_left_the_configuration_goes_after_a_while(
    tmp_path: Path,
) -> None:
    memory = tmp_path / "config.state.mqtt.json"
    packs, announced = members(memory)
    announce(packs, announced, seen(0.0, "A", "B"))
    assert json.loads(memory.read_text())["announced"] == {
        "packbank_home_A": "roof/0x01",
        "packbank_home_B": "roof/0x02",
    }
    again, known = members(memory)
    announce(again, known, seen(0.0, "A", None))
    assert list(again.gone(1e6)) == []
    fewer, known = members(memory, packs=1)
    announce(fewer, known, seen(0.0, "A"))
    assert list(fewer.gone(GONE_AFTER - 1.0)) == []
    assert list(fewer.gone(GONE_AFTER)) == ["packbank_home_B"]
    known.forget("packbank_home_B")
    assert json.loads(memory.read_text())["announced"] == {"packbank_home_A": "roof/0x01"}


def test_a_bank_of_another_name_is_gone_at_once(tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    _, announced = members(memory)
    for device in ("packbank_old", "packbank_old_A", "packbank_home"):
        announced.note(device, "")
    packs, _ = members(memory)
    packs.update(seen(0.0, "A", "B"))
    assert list(packs.gone(0.0)) == ["packbank_old", "packbank_old_A"]


def test_a_damaged_memory_or_a_disk_that_is_full_costs_no_more_than_the_memory(tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    memory.write_text('{"announced": [1, 2')
    announced = Announced(memory)
    assert announced.places == {}
    blocked = Announced(tmp_path / "file" / "memory.json")
    (tmp_path / "file").write_text("")
    blocked.note("packbank_home_A", "roof/0x01")
    assert blocked.places == {"packbank_home_A": "roof/0x01"}


def test_new_facts_about_a_pack_are_announced_but_not_what_always_changes() -> None:
    packs, announced = members()
    shown = seen(0.0, "A", "B")
    announce(packs, announced, shown)
    older = replace(shown, identities=(Identity(serial="A", runtime=77), Identity(serial="B", power_on_count=3)))
    assert announce(packs, announced, older) == []
    updated = replace(shown, identities=(Identity(serial="A", software="15.38"), Identity(serial="B")))
    assert announce(packs, announced, updated) == ["packbank_home_A"]


def test_the_number_of_cells_is_what_the_pack_says_or_shows() -> None:
    rows = empty_matrix(2)
    rows[0, CELL_VOLTAGES][:8] = 3.3
    rows[1, Column.CELL_COUNT] = 16
    shown = replace(seen(0.0, "A", "B"), rows=rows)
    packs, announced = members()
    announce(packs, announced, shown)
    assert [member.cells for member in packs.packs] == [8, 16]
    assert [member.title for member in packs.packs] == ["A", "B"]


def test_a_row_that_gets_a_pack_later_is_announced_with_the_place_of_that_pack() -> None:
    packs, announced = members()
    announce(packs, announced, seen(0.0, "A", None, places=("roof", "room1/*")))
    announce(packs, announced, seen(1.0, "A", "B", places=("roof", "room1/bus1")))
    assert [member.place for member in packs.packs] == ["roof/0x01", "room1/bus1/0x02"]
    assert announced.places["packbank_home_B"] == "room1/bus1/0x02"
