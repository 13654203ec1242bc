"""Packs of a host without PACKS: they join when they are announced, whenever that is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("paho.mqtt.client", reason="MQTT is an extra: pip install packbank[mqtt]")

from bank_rows import healthy
from far_hosts import Far, Near, config_of
from packbank.config.hosts import saved_hosts
from packbank.config.model import SPARE
from packbank.daemon import Daemon
from packbank.model.battery import Presence
from packbank.model.columns import Column
from packbank.outputs.json_lines import JsonLines, snapshot_dict
from packbank.sources.hosts.wire import Announcement, PackInfo

UNLISTED = "[host:room1]\nMAX_BATTERY_CHARGE_CURRENT = 70\n"


class Bank:
    """A bank that has been running with its two local packs for a minute."""

    def __init__(self, **values: object) -> None:
        self.near = Near(extra=UNLISTED, **values)  # type: ignore[arg-type]
        self.far = Far("room1")
        for _ in range(60):
            self.battery = self.near.step()
        assert self.battery.ready

    def step(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.battery = self.near.step(self.far)

    def there(self) -> dict[str, str]:
        """Every pack that is no longer absent, with its place."""
        places = self.near.daemon.step(self.near.now).places
        packs = zip(self.battery.packs, places, strict=True)
        return {pack.name: place.name for pack, place in packs if pack.presence is not Presence.ABSENT}


JOINED = {
    "local 1": "local/0x01",
    "local 2": "local/0x02",
    "room1/bus1 1": "room1/bus1/0x01",
    "room1/bus1 2": "room1/bus1/0x02",
    "room1/bus1 3": "room1/bus1/0x03",
}


def test_a_host_that_was_away_at_the_first_start_joins_without_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bank = Bank()
    assert list(bank.there()) == ["local 1", "local 2"]
    assert [one for one in bank.near.troubles() if one.startswith("room1/*: nothing from it yet")]
    before = bank.battery.charge_current_limit.value
    bank.step(30)
    assert bank.there() == JOINED
    assert {pack.presence for pack in bank.battery.packs if pack.name in JOINED} == {Presence.FRESH}
    assert before < bank.battery.charge_current_limit.value <= before + 3 * 70.0
    assert "room1: announces its packs; to be warned of others, put PACKS = bus1 0x01-0x03 into [host:room1]" in (
        caplog.text
    )
    assert bank.near.troubles() == []
    (bus,) = bank.near.hosts["room1"].stats(bank.near.now)
    assert (bus.name, bus.answers > 0) == ("room1/bus1", True)


def test_they_join_one_step_after_the_other_like_any_pack() -> None:
    bank, seen = Bank(), []
    for _ in range(30):
        bank.step()
        packs = {pack.name: pack.presence for pack in bank.battery.packs}
        seen.append(packs.get("room1/bus1 1", Presence.ABSENT))
    assert list(dict.fromkeys(seen)) == [Presence.ABSENT, Presence.JOINING, Presence.FRESH]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["state first", "packs first"])
def test_what_the_broker_has_kept_is_enough_in_any_order(order: tuple[int, int]) -> None:
    bank = Bank()
    kept = [one for one in bank.far.tick(bank.near.now) if one[2]]
    bank.near.take([kept[index] for index in order], retained=True)
    assert bank.near.daemon.store.announced == {"room1": (("bus1", (1, 2, 3)),)}
    bank.step(20)
    assert bank.there() == JOINED


def test_packs_that_are_added_later_join_too() -> None:
    bank = Bank()
    bank.step(20)
    more = Far("room1", packs=5, mark="more")
    more.serials[:3] = bank.far.serials
    bank.far = more
    bank.step(20)
    assert list(bank.there())[2:] == [f"room1/bus1 {number}" for number in range(1, 6)]
    assert bank.near.daemon.store.announced == {"room1": (("bus1", (1, 2, 3, 4, 5)),)}


def test_what_another_start_announced_or_the_state_does_not_name_gets_no_row() -> None:
    bank = Bank()
    old = Far("room1", packs=9)
    bank.near.take([one for one in old.tick(bank.near.now) if "/packs/" in one[0]], retained=True)
    payload = next(one[1] for one in bank.far.tick(bank.near.now) if "/packs/" in one[0])
    bank.far.post.new = True
    for number in range(200):
        bank.near.take([(f"packbank/1/home/room1/packs/bus{number + 2}", payload, True)])
    bank.step(20)
    assert bank.there() == JOINED


def test_packs_without_room_are_counted_and_have_it_at_the_next_start(caplog: pytest.LogCaptureFixture) -> None:
    bank = Bank()
    state, _, _ = bank.far.tick(bank.near.now)
    infos = tuple([PackInfo(address) for address in range(1, SPARE + 7)])
    announcement = Announcement(bank.far.sender._boot, infos)
    bank.near.take([state, (bank.far.sender._topics.packs("bus1"), announcement.encode(), True)])
    assert len(bank.near.daemon.store.take_settled()) == SPARE
    assert "room1: 6 of them have no room in the bank until packbank starts again" in caplog.text
    announced = json.loads(json.dumps(bank.near.daemon.store.announced))
    again = config_of(UNLISTED, saved_hosts(announced))
    assert sum(pack.expected for pack in again.packs) == SPARE + 6


def test_the_next_start_expects_them_under_the_same_names(tmp_path: Path) -> None:
    bank, file = Bank(), tmp_path / "state.json"
    bank.step(20)
    bank.near.daemon._state_file = file
    bank.near.daemon._write_state({"hosts": bank.near.daemon.store.announced})
    saved = saved_hosts(json.loads(file.read_text())["hosts"])
    again = Near(extra=UNLISTED, announced=saved)
    expected = [pack.name for pack in again.config.packs if pack.expected]
    assert expected == list(JOINED)
    for _ in range(40):
        battery = again.step()
    assert [pack.name for pack in battery.packs if pack.presence is Presence.LOST] == expected[2:]
    alone = config_of("[host:room1]\n", saved)
    assert [pack.name for pack in alone.packs if pack.expected] == expected[2:]


def test_what_was_announced_is_saved_and_what_was_not_heard_again_is_kept(tmp_path: Path) -> None:
    near, file = Near(extra=UNLISTED, announced={"room1": (("bus1", (7,)),)}), tmp_path / "state.json"
    with Daemon(config_of("[host:room1]\n"), state_file=file) as daemon:
        daemon.store.announced["room1"] = (("bus1", (1, 2)),)
    assert json.loads(file.read_text())["hosts"] == {"room1": [["bus1", [1, 2]]]}
    assert {host.name: host.packs for host in near.config.hosts} == {"room1": (("bus1", (7,)),)}


@pytest.mark.parametrize(
    "saved", [None, 7, {"room1": "damaged"}, {"room1": [["bus1", [300]]]}, {"room1": [[1, [1]]]}, {"room1": [["a"]]}]
)
def test_a_damaged_list_is_left_out(saved: object) -> None:
    assert saved_hosts(saved) == {}


def test_a_section_of_a_pack_names_it_before_it_is_announced() -> None:
    near = Near(extra=UNLISTED + "[pack:room1/bus1/0x02]\nNAME = cellar\n")
    far = Far("room1")
    for _ in range(60):
        battery = near.step(far)
    names = [pack.name for pack in battery.packs if pack.presence is Presence.FRESH]
    assert names == ["local 1", "local 2", "cellar", "room1/bus1 1", "room1/bus1 3"]


def test_what_a_first_pack_row_says_of_its_limits_holds() -> None:
    bank = Bank()
    bank.far.rows = healthy(3)
    bank.far.rows[0, Column.CHARGE_CURRENT_LIMIT] = 4.0
    bank.step(30)
    row = next(pack for pack in bank.battery.packs if pack.name == "room1/bus1 1")
    assert row.charge_limit == pytest.approx(4.0)
    other = next(pack for pack in bank.battery.packs if pack.name == "room1/bus1 2")
    assert other.charge_limit == pytest.approx(70.0)


def test_rows_without_a_pack_are_shown_to_nobody() -> None:
    bank = Bank()
    shown = bank.near.daemon.step(bank.near.now)
    assert [pack["name"] for pack in snapshot_dict(shown)["packs"]] == ["local 1", "local 2"]
    bank.step(20)
    shown = bank.near.daemon.step(bank.near.now)
    assert [pack["name"] for pack in snapshot_dict(shown)["packs"]] == list(JOINED)


def test_a_reader_of_lines_gets_the_settings_of_a_pack_that_joins() -> None:
    bank, (read, write) = Bank(), os.pipe()
    lines = JsonLines(write)
    seen = []
    for _ in range(20):
        bank.step()
        lines.show(bank.near.daemon.step(bank.near.now))
        seen += [pack["name"] for pack in json.loads(os.read(read, 1 << 20))["packs"] if "settings" in pack]
    os.close(read)
    os.close(write)
    assert sorted(seen) == list(JOINED)
