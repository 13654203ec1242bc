"""Every failure between hosts: what becomes of the packs, and that no limit rises and no value is wrong meanwhile."""

from __future__ import annotations

import json
import logging
import time

import pytest

pytest.importorskip("paho.mqtt.client", reason="MQTT is an extra: pip install packbank[mqtt]")

from far_hosts import Far, Near
from packbank.model.battery import Presence, VirtualBattery
from packbank.model.columns import Column
from packbank.mqtt.received import Received
from packbank.sources.hosts.peer import TWO_SENDERS


class Bank:
    """The near side with two hosts, watched at every step."""

    def __init__(self) -> None:
        self.near = Near("room1", "room2")
        self.one, self.two = Far("room1"), Far("room2", ahead=40_000.0)
        for _ in range(60):
            battery = self.near.step(self.one, self.two)
        assert presences(battery) == [Presence.FRESH] * 8
        self.seen = [limits(battery)]

    def step(self, *fars: Far) -> VirtualBattery:
        battery = self.near.step(*fars)
        self.watch(battery)
        return battery

    def watch(self, battery: VirtualBattery) -> None:
        charge, discharge = limits(battery)
        assert charge <= self.seen[0][0] + 0.01
        assert discharge <= self.seen[0][1] + 0.01
        assert battery.voltage == pytest.approx(52.8, abs=0.01)
        self.seen.append((charge, discharge))


def limits(battery: VirtualBattery) -> tuple[float, float]:
    return battery.charge_current_limit.value, battery.discharge_current_limit.value


def presences(battery: VirtualBattery) -> list[Presence]:
    return [pack.presence for pack in battery.packs]


@pytest.fixture
def bank() -> Bank:
    return Bank()


def test_two_hosts_and_a_local_bus_are_one_battery(bank: Bank) -> None:
    at_home = Near(local=8)
    for _ in range(60):
        battery = at_home.step()
    assert bank.seen[0] == pytest.approx(limits(battery), abs=0.1)
    assert bank.near.troubles() == []
    battery = bank.step(bank.one, bank.two)
    assert [pack.age for pack in battery.packs] == pytest.approx([0.3] * 8, abs=0.01)
    names = [pack.name for pack in battery.packs]
    assert names[:3] == ["local 1", "local 2", "room1/bus1 1"]
    _, identities = bank.near.daemon.store.snapshot()
    assert [one.serial for one in identities][2:4] == ["room1-0", "room1-1"]


def test_a_broker_that_restarts_costs_no_pack(bank: Bank) -> None:
    for _ in range(8):
        battery = bank.step()
    assert presences(battery) == [Presence.FRESH] * 2 + [Presence.HELD] * 6
    for far in (bank.one, bank.two):
        far.post.new = True  # connected anew, so everything is published again
    battery = bank.step(bank.one, bank.two)
    assert presences(battery) == [Presence.FRESH] * 8


def test_rows_that_a_split_has_kept_back_are_not_taken_for_new(bank: Bank) -> None:
    waiting = []
    for second in range(60):
        bank.one.rows[:, Column.CURRENT] = 70.0
        waiting += bank.one.tick(bank.near.now + 1.0)
        battery = bank.step(bank.two)
        assert presences(battery)[2] is (Presence.LOST if second > 29 else presences(battery)[2])
    assert limits(battery)[0] < bank.seen[0][0]
    bank.near.take(waiting[:-1])  # the newest is still on its way
    battery = bank.near.look()
    assert all(pack.age > 1.0 for pack in battery.packs[2:5])
    bank.one.rows[:, Column.CURRENT] = 0.0
    bank.near.take(bank.one.tick(bank.near.now))
    assert bank.near.currents()[2:5] == [0.0] * 3


@pytest.mark.parametrize("will", [True, False], ids=["killed", "frozen"])
def test_the_packs_of_a_sender_that_ends_are_held_and_then_lost(bank: Bank, will: bool) -> None:
    if will:
        bank.near.take([bank.one.will()])
    seen = [presences(bank.step(bank.two))[2:5] for _ in range(40)]
    assert [one for one in seen if len(set(one)) > 1] == []
    states = [one[0] for one in seen]
    assert states == sorted(states, key=[Presence.FRESH, Presence.HELD, Presence.LOST].index)
    assert states[-1] is Presence.LOST
    assert limits(bank.step(bank.two))[0] < bank.seen[0][0]
    assert any("room1/bus1: it has ended" in one if will else "room1/bus1: no rows for" in one
               for one in bank.near.troubles())  # fmt: skip


def test_a_receiver_that_restarts_waits_for_rows(bank: Bank) -> None:
    everything = [*bank.one.tick(bank.near.now), *bank.two.tick(bank.near.now)]
    for far in (bank.one, bank.two):
        far.post.new = True
    everything += [*bank.one.tick(bank.near.now), *bank.two.tick(bank.near.now)]
    again = Near("room1", "room2")
    again.take([message for message in everything if message[2]], retained=True)
    battery = again.step()
    assert presences(battery)[2:] == [Presence.ABSENT] * 6
    assert not battery.ready
    for _ in range(4):
        battery = again.step(bank.one, bank.two)
    assert presences(battery)[2:] == [Presence.FRESH] * 6
    assert battery.ready


def test_of_two_senders_of_one_name_neither_is_used_and_both_are_named(
    bank: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    other = Far("room1", ahead=9.0, mark="other")
    other.rows[:, Column.CURRENT] = 70.0
    for _ in range(45):
        bank.near.take(other.tick(bank.near.now + 0.5))
        battery = bank.step(bank.one, bank.two)
        assert 70.0 not in bank.near.currents()
    assert presences(battery)[2:5] == [Presence.LOST] * 3
    assert f"room1/bus1: {TWO_SENDERS}" in bank.near.troubles()
    assert sum(TWO_SENDERS in record.getMessage() for record in caplog.records) <= 4
    for _ in range(60):
        bank.one.post.new = True
        battery = bank.near.step(bank.one, bank.two)
    assert presences(battery)[2:5] == [Presence.FRESH] * 3


def test_a_clock_that_is_set_changes_nothing(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    for jump in (40_000.0, -3e7, 0.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: real() + jump)
        bank.near.daemon._wall = time.time
        for _ in range(3):
            battery = bank.step(bank.one, bank.two)
            assert presences(battery) == [Presence.FRESH] * 8
            assert [pack.age for pack in battery.packs] == pytest.approx([0.3] * 8, abs=0.01)
    assert bank.near.troubles() == []


def test_without_a_broker_the_local_packs_remain(bank: Bank) -> None:
    for _ in range(60):
        battery = bank.step()
    assert presences(battery) == [Presence.FRESH] * 2 + [Presence.LOST] * 6
    assert battery.ready
    assert 0.0 < limits(battery)[0] < bank.seen[0][0]


def test_a_retained_row_is_dropped_and_named(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    bank.one.rows[:, Column.CURRENT] = 70.0
    bank.near.take([one for one in bank.one.tick(bank.near.now) if "/bus/" in one[0]], retained=True)
    assert 70.0 not in bank.near.currents()
    assert "a message on packbank/1/home/room1/bus/bus1 is not used (retained: somebody retained it)" in caplog.text


def test_a_sender_that_restarts_within_a_second_stays_in_the_bank(bank: Bank) -> None:
    will = bank.one.will()
    bank.one.start(bank.near.now)
    bank.one.ahead -= 3.0  # its clock began anew
    bank.one.rows[:, Column.SETTINGS_TIME] -= 3.0
    bank.near.take(bank.one.tick(bank.near.now + 0.5))
    bank.near.take([will])  # late
    for _ in range(10):
        battery = bank.step(bank.one, bank.two)
        assert presences(battery) == [Presence.FRESH] * 8
    assert bank.near.troubles() == []


@pytest.mark.parametrize("first", ["cable", "host"])
def test_of_a_pack_that_is_also_read_here_the_cable_counts(first: str, caplog: pytest.LogCaptureFixture) -> None:
    near, far = Near("room1"), Far("room1")
    if first == "cable":
        near.serials[1] = far.serials[0]
    for _ in range(10):
        battery = near.step(far)
    before = limits(battery)
    near.serials[1] = far.serials[0]
    near.local[1, Column.CURRENT] = 7.0
    for _ in range(3):
        battery = near.step(far)
        assert near.currents()[:3] == [0.0, 7.0, -1.0]
        assert presences(battery)[2] is not Presence.FRESH
    assert limits(battery)[0] <= before[0]
    text = "room1/bus1 1: is the pack that is read as local 2, by its serial number: it is not used"
    assert text in near.troubles()
    said = [record.getMessage() for record in caplog.records if "local 2" in record.getMessage()]
    (line,) = said
    assert line.startswith("room1/bus1: not used, since they are read already, by their serial numbers: 0x01 as local")
    near.serials[1] = "another"
    near.step(far)
    assert near.troubles() == []


def test_packs_and_buses_that_are_not_expected_are_refused_and_named(caplog: pytest.LogCaptureFixture) -> None:
    near, far = Near("room1"), Far("room1", packs=5)
    for _ in range(10):
        battery = near.step(far)
    assert len(battery.packs) == 5
    assert [one[:14] for one in near.troubles()] == ["room1/bus1 4: ", "room1/bus1 5: "]
    said = [record.getMessage() for record in caplog.records if "not expected" in record.getMessage()]
    (line,) = said
    assert line.startswith("room1/bus1: 0x04-0x05 is sent, and is not expected")
    assert line.endswith("add it to PACKS of [host:room1] (bus1 0x04-0x05), or remove it there")
    topic = "packbank/1/home/room1/bus/bus9"
    near.take([(topic, "{}", False)] * 100)
    said = [record.getMessage() for record in caplog.records if "bus9" in record.getMessage()]
    assert len(said) == 3
    assert "bus bus9 is sent, and PACKS of [host:room1] does not name it" in said[0]


def test_an_impossible_row_changes_nothing_and_is_named(bank: Bank) -> None:
    bank.one.rows[1, Column.VOLTAGE] = 480.0
    for _ in range(8):
        battery = bank.step(bank.one, bank.two)
    assert presences(battery)[3] is Presence.HELD
    assert any("answers, but is refused (voltage" in one for one in bank.near.troubles())
    bank.one.rows[1, Column.VOLTAGE] = 52.8
    assert presences(bank.step(bank.one, bank.two)) == [Presence.FRESH] * 8


def test_a_limit_that_falls_on_another_host_holds_at_once(bank: Bank) -> None:
    bank.one.rows[0, Column.CHARGE_CURRENT_LIMIT] = 10.0
    assert limits(bank.step(bank.one, bank.two))[0] < 100.0


def test_a_pack_that_is_exchanged_brings_its_own_settings(bank: Bank) -> None:
    bank.one.serials[0] = "new"
    bank.one.rows[0, [Column.CELL_OVP, Column.CHARGE_OTP]] = 3.5, 50.0
    bank.one.rows[0, Column.SETTINGS_TIME] = bank.near.now + bank.one.ahead
    bank.step(bank.one, bank.two)
    rows, identities = bank.near.daemon.store.snapshot()
    assert identities[2].serial == "new"
    assert rows[2, [Column.CELL_OVP, Column.CHARGE_OTP]].tolist() == [3.5, 50.0]
    assert bank.near.now - rows[2, Column.SETTINGS_TIME] == pytest.approx(1.0, abs=0.01)


def test_garbage_without_end_keeps_log_and_memory_small(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    root = "packbank/1/home/room1"
    good = json.loads(next(payload for topic, payload, _ in bank.one.tick(bank.near.now) if "/bus/" in topic))
    payloads = ["", "{", "[]", "x" * 200_000, '{"boot": 1}', json.dumps(good | {"rows": [[1]]}), json.dumps(good)]
    for number in range(3000):
        topic = (
            f"{root}/bus/bus1",
            f"{root}/packs/bus1",
            f"{root}/state",
            f"{root}/bus/b{number}",
            f"{root}/x{number}",
        )
        payload = payloads[number % len(payloads)]
        message = Received(topic[number % len(topic)], payload.encode(), retained=False, time=bank.near.now)
        bank.near.hosts["room1"].take(message)
    assert len(caplog.records) < 30
    (bus,) = bank.near.hosts["room1"].stats(bank.near.now)
    assert len(bus.recent) <= 16
    assert sum(len(one.data) for one in bus.recent) < 5000
    assert presences(bank.step(bank.one, bank.two)) == [Presence.FRESH] * 8
