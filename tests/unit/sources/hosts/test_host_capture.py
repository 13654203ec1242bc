"""A capture holds what other hosts sent, without what may be a secret, and a replay gives the same packs."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("paho.mqtt.client", reason="MQTT is an extra: pip install packbank[mqtt]")

from far_hosts import Far, Near
from packbank.cli import main
from packbank.model.columns import Column
from packbank.sources.hosts import decode, wire
from packbank.sources.hosts.replay import read_hosts
from packbank.sources.serial.capture import Capture, OnRequest
from packbank.sources.serial.recording import read_events
from packbank.sources.serial.replay import Player

SECRET = "hunter2"
TOPIC = "packbank/1/home/room1"


def listen(near: Near, capture: Capture | OnRequest) -> None:
    for receiver in near.hosts.values():
        receiver.ear = capture.ear(receiver.name, decode.harmless, receiver.retained)


def captured(file: Path) -> tuple[Near, Far]:
    """A minute with one host, of which a capture is in ``file``."""
    near, far = Near("room1"), Far("room1")
    capture = Capture(file, clock=lambda: near.now)
    listen(near, capture)
    for second in range(60):
        far.rows[:, Column.CURRENT] = [second, -second, 0.5]
        near.step(far)
    capture.close()
    return near, far


def played(file: Path) -> Player:
    hosts = read_hosts(file)
    player = Player({}, hosts)
    for event in read_events(file):
        player.take(event)
    return player


def test_a_replay_gives_the_same_packs(tmp_path: Path) -> None:
    file = tmp_path / "capture"
    near, _ = captured(file)
    player = played(file)
    assert [place.name for place in player.places] == [f"room1/bus1/0x{address:02x}" for address in (1, 2, 3)]
    (live, who), (again, who_again) = near.daemon.store.snapshot(), player.store.snapshot()
    assert who[2:] == who_again
    assert [one.serial for one in who_again] == ["room1-0", "room1-1", "room1-2"]
    np.testing.assert_allclose(live[2:], again, atol=1e-3)  # times in a capture have four digits
    (bus,) = player.stats(60.0)
    (live_bus,) = near.hosts["room1"].stats(near.now)
    assert (bus.name, bus.answers, dict(bus.refused)) == ("room1/bus1", live_bus.answers, dict(live_bus.refused))


def test_what_was_refused_live_is_refused_again(tmp_path: Path) -> None:
    file, near, far = tmp_path / "capture", Near("room1"), Far("room1")
    capture = Capture(file, clock=lambda: near.now)
    listen(near, capture)
    for second in range(20):
        far.rows[0, Column.VOLTAGE] = 480.0 if second > 10 else 52.8
        near.step(far)
    rows = [one for one in far.tick(near.now) if "/bus/" in one[0]]
    near.take(rows, retained=True)
    near.take([(f"{TOPIC}/bus/bus1", "{", False)])
    capture.close()
    (live,), (again,) = near.hosts["room1"].stats(near.now), played(file).stats(20.0)
    assert again.refused == live.refused
    assert live.refused.keys() == {"voltage", "retained", "json"}


def test_only_what_is_understood_is_written(tmp_path: Path) -> None:
    file, near, far = tmp_path / "capture", Near("room1"), Far("room1")
    capture = Capture(file, clock=lambda: near.now)
    listen(near, capture)

    def spoilt(payload: str, change: Any) -> str:
        message = json.loads(payload)
        change(message)
        return json.dumps(message)

    changes = [
        lambda message: message.update(password=SECRET),
        lambda message: message.get("report", {}).update(token=SECRET, rounds=SECRET),
        lambda message: [pack.update({SECRET: SECRET}) for pack in message.get("packs", ())],
        lambda message: [pack["identity"].update(passcode=SECRET) for pack in message.get("packs", ())],
        lambda message: [pack["settings"].update({SECRET: 1.0}) for pack in message.get("packs", ())],
        lambda message: message.update(columns=[SECRET], rows=[[1, 0, 5.0]]) if "rows" in message else None,
        lambda message: message.update(boot=SECRET),
    ]
    for change in changes:
        near.step()
        far.post.new = True
        near.take([(topic, spoilt(payload, change), kept) for topic, payload, kept in far.tick(near.now)])
    near.take([(f"{TOPIC}/{kind}", f"{{{SECRET}", False) for kind in ("state", "packs/bus1", "bus/bus1", SECRET)])
    near.take([(f"{TOPIC}/bus/bus1", f"{SECRET}" * 20_000, False)])
    capture.close()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    shown = [bytes.fromhex(line["hex"]) for line in lines if "hex" in line]
    assert len(shown) == 3 * len(changes) + 4
    assert SECRET not in file.read_text()
    assert SECRET.encode() not in b"".join(shown)
    assert shown.count(decode.NOTHING) == 3 + 4  # another boot, and what is no message


def test_a_file_of_which_the_beginning_is_gone_can_be_read(tmp_path: Path) -> None:
    file, near, far = tmp_path / "capture", Near("room1"), Far("room1")
    capture = Capture(file, limit=30_000, clock=lambda: near.now)
    listen(near, capture)
    for _ in range(60):
        near.step(far)
    capture.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.with_name("capture.1").exists()
    (live, _), (again, _) = near.daemon.store.snapshot(), played(file).store.snapshot()
    np.testing.assert_allclose(live[2:], again, atol=1e-3)


def test_a_capture_that_is_asked_for_later_begins_with_what_the_broker_has_kept(tmp_path: Path) -> None:
    file, near, far = tmp_path / "capture", Near("room1"), Far("room1")
    on_request = OnRequest(lambda: near.now)
    listen(near, on_request)
    for _ in range(10):
        near.step(far)
    assert not file.exists()
    on_request.begin(file, seconds=10.0)
    for _ in range(20):
        near.step(far)
    assert [event.topic for event in read_events(file)] == ["state", "packs/bus1", *["bus/bus1"] * 11]
    player = played(file)
    assert [one.serial for one in player.store.snapshot()[1]] == ["room1-0", "room1-1", "room1-2"]
    assert not np.isnan(player.store.snapshot()[0][:, Column.CURRENT]).any()


def test_packbank_replay_shows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, config = tmp_path / "capture", tmp_path / "config.ini"
    captured(file)
    config.write_text("[host:room1]\nPACKS = bus1 0x01-0x03\n[pack:room1/bus1/0x02]\nNAME = cellar\n")
    assert main(["replay", str(file), "--json", "--config", str(config)]) == 0
    shown, said = capsys.readouterr()
    packs = json.loads(shown)["packs"]
    assert [pack["name"] for pack in packs] == ["room1/bus1 1", "cellar", "room1/bus1 3"]
    assert [pack["current"] for pack in packs] == [59.0, -59.0, 0.5]
    assert said.startswith("room1/bus1: ")
    assert "refused: none" in said


def test_a_recording_without_announcements_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "capture"
    captured(file)
    lines = [line for line in file.read_text().splitlines() if "packs/bus1" not in line]
    file.write_text("\n".join(lines))
    assert main(["replay", str(file)]) == 2
    assert "its hosts announce no pack" in capsys.readouterr().err


def test_a_message_of_any_size_can_be_read_again(tmp_path: Path) -> None:
    file, near, far = tmp_path / "capture", Near("room1"), Far("room1")
    capture = Capture(file, clock=lambda: near.now)
    listen(near, capture)
    near.step(far)
    boot, topic = far.sender._boot, f"{TOPIC}/packs/bus1"
    infos = [{"address": address, "identity": {}, "settings": {}} for address in range(256)]
    near.take([(topic, json.dumps({"boot": boot, "packs": infos}), True)])
    rows = {"boot": boot, "seq": 9, "t": 10**9, "columns": [f"cell_{n}" for n in range(1, 17)]}
    large = rows | {"rows": [[address, 0, *[1e11] * 16] for address in range(256)]}
    for message in (rows | {"rows": []}, large):
        near.take([(f"{TOPIC}/bus/bus1", json.dumps(message), False)])
    capture.close()
    assert read_hosts(file) == {"room1": (("bus1", tuple(range(256))),)}
    lengths = [len(event.data) for event in read_events(file)]
    assert lengths[-3] > len(json.dumps({"boot": boot, "packs": infos}))  # what a message leaves out is written out
    assert max(lengths) <= wire.LARGEST
