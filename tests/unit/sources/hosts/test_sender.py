"""What a host sends, and when."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("paho.mqtt.client", reason="MQTT is an extra: pip install packbank[mqtt]")

import numpy as np

from far_hosts import AGE, Far, config_of
from packbank.model.columns import Column
from packbank.model.identity import Identity
from packbank.mqtt.received import Received
from packbank.sources.hosts import decode, wire
from packbank.sources.hosts.sender import AHEAD, GATHER, MOVED, READ_AGAIN, STEP

NOW = 1000.0


def topics(sent: list[tuple[str, str, bool]]) -> list[str]:
    return [topic.removeprefix("packbank/1/home/room1/") for topic, _, _ in sent]


def last(sent: list[tuple[str, str, bool]], topic: str) -> dict[str, object]:
    (payload,) = [payload for name, payload, _ in sent if name.endswith(topic)]
    message: dict[str, object] = json.loads(payload)
    return message


def look(far: Far, early: float, boot: str | None = None) -> None:
    payload = wire.encode_look(boot or far.sender._boot, early).encode()
    far.post.received.append(Received(far.sender._topics.look, payload, retained=False, time=0.0))


def test_everything_is_announced_at_each_connection_and_after_that_what_changes() -> None:
    far = Far("room1")
    assert topics(far.tick(NOW)) == ["state", "packs/bus1", "bus/bus1"]
    assert topics(far.tick(NOW + 1)) == ["bus/bus1"]
    far.serials[0] = "another"
    assert topics(far.tick(NOW + 2)) == ["packs/bus1", "bus/bus1"]
    far.rows[1, Column.CHARGE_OTP] = 50.0
    assert topics(far.tick(NOW + 3)) == ["packs/bus1", "bus/bus1"]
    far.rows[1, Column.CHARGE_CURRENT_LIMIT] = 50.0  # it may change every second, and is in every row
    assert topics(far.tick(NOW + 3.5)) == ["bus/bus1"]
    far.post.new = True
    assert topics(far.tick(NOW + 4)) == ["state", "packs/bus1", "bus/bus1"]
    far.rows[:, Column.SETTINGS_TIME] += 30.0
    assert topics(far.tick(NOW + 5)) == ["bus/bus1"]
    far.rows[:, Column.SETTINGS_TIME] += READ_AGAIN
    assert topics(far.tick(NOW + 6)) == ["packs/bus1", "bus/bus1"]


def test_what_changed_while_there_was_no_broker_is_announced_and_no_old_row_is_sent() -> None:
    far = Far("room1")
    far.tick(NOW)
    far.post.connected = False
    far.serials[0] = "another"
    assert [far.tick(NOW + second) for second in range(1, 30)] == [[]] * 29
    far.post.connected = far.post.new = True
    sent = far.tick(NOW + 30)
    assert topics(sent) == ["state", "packs/bus1", "bus/bus1"]
    assert "another" in str(last(sent, "packs/bus1"))
    far.post.busy = True
    assert far.tick(NOW + 31) == []


def test_only_what_is_lasting_is_retained_and_ages_are_those_of_the_rows() -> None:
    far = Far("room1", ahead=-500.0)
    sent = far.tick(NOW)
    assert [retained for _, _, retained in sent] == [True, True, False]
    rows = last(sent, "bus/bus1")
    assert rows["t"] == 500_000
    assert [row[:2] for row in rows["rows"]] == [[1, AGE * 1000], [2, AGE * 1000], [3, AGE * 1000]]  # type: ignore[attr-defined]


def test_a_pack_that_never_answered_is_announced_and_has_no_row() -> None:
    far = Far("room1")
    far.rows[2] = np.nan
    far.sender.tick(far.rows, [Identity()] * 3, [], 500.0)
    assert last(far.post.sent, "bus/bus1")["rows"] == []
    assert [pack["address"] for pack in last(far.post.sent, "packs/bus1")["packs"]] == [1, 2, 3]  # type: ignore[attr-defined]


def test_a_bus_without_a_list_is_announced_once_its_packs_have_had_time_to_answer() -> None:
    far = Far("room1")
    far.config = config_of("[bus:bus1]\nPORT = /dev/none\n[mqtt]\nHOST = room1\n")
    far.rows = np.full((len(far.config.packs), far.rows.shape[1]), np.nan)
    far.rows[3, Column.STATUS_TIME] = 499.0
    far.start(NOW)
    far.sender.tick(far.rows, [Identity()] * len(far.rows), [], 500.0)
    assert far.sender.packs() is None
    far.sender.tick(far.rows, [Identity()] * len(far.rows), [], 500.0 + GATHER)
    assert far.sender.packs() == (("bus1", (4,)),)


def test_the_lower_ceiling_holds() -> None:
    far = Far("room1")
    far.config = config_of(
        "[bus:bus1]\nPORT = /dev/none\nBATTERY_ADDRESSES = 1-3\nMAX_BATTERY_CHARGE_CURRENT = 60\n"
        "MAX_BATTERY_DISCHARGE_CURRENT = 400\n[mqtt]\nHOST = room1\n"
    )
    far.rows[2, Column.CHARGE_CURRENT_LIMIT] = np.nan
    far.start(NOW)
    rows = decode.rows(far.tick(NOW)[-1][1].encode())
    assert [pack.row[Column.CHARGE_CURRENT_LIMIT] for pack in rows.packs] == [60.0] * 3
    assert [pack.row[Column.DISCHARGE_CURRENT_LIMIT] for pack in rows.packs] == [150.0] * 3


@pytest.mark.parametrize("early", [0.0, 0.1, AHEAD, 0.4, 0.64, 0.66, 0.99])
def test_turns_are_moved_until_rows_come_shortly_before_the_bank_looks(early: float) -> None:
    far, phase = Far("room1"), early
    for second in range(120):
        if second % 5 == 0:
            look(far, phase)
        far.tick(NOW + second)
        step = far.sender.shift()
        assert abs(step) <= STEP
        phase = (phase - step) % 1.0  # sent later, so less early
    assert phase == pytest.approx(AHEAD, abs=0.005)


def test_words_to_another_start_and_nonsense_move_nothing() -> None:
    far = Far("room1")
    look(far, 0.7, boot="f" * 16)
    far.post.received.append(Received(far.sender._topics.look, b"{", retained=False, time=0.0))
    far.tick(NOW + MOVED)
    assert far.sender.shift() == 0.0
