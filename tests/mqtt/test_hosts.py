"""Packs of other hosts over a real Mosquitto: what is sent arrives, and what must not does not."""

from __future__ import annotations

import re
import subprocess
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from textwrap import dedent
from threading import Event, Thread
from typing import Any

import pytest

from patience import until

pytest.importorskip("paho.mqtt.client", reason="MQTT is an extra: pip install packbank[mqtt]")

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from brokers import PASSWD
from far_hosts import Far, Near
from packbank.model.columns import Column
from packbank.mqtt import link
from packbank.mqtt.link import BYTES_A_TURN, PACKETS_A_TURN
from packbank.sources import thread
from packbank.sources.hosts import peer
from packbank.sources.hosts.host import LONG_REST, Host
from packbank.sources.hosts.receiver import Receiver

PAGE = (Path(__file__).parents[2] / "docs/hosts.md").read_text(encoding="utf-8")
QUOTED = [dedent(text) for text in re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", PAGE, flags=re.MULTILINE)]

pytest_plugins = ["mqtt_bench"]

PERIOD = 0.2  # s between two messages of a sender, so that tests need not wait for long


class Sending:
    """A host that sends in a thread."""

    def __init__(self, far: Far) -> None:
        self.far = far
        self._stop = Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def kill(self) -> None:
        """As kill -9 does: the connection ends without a word."""
        self._halt()
        client = self.far.sender._link._client
        if client is not None and (connection := client.socket()) is not None:
            connection.close()

    def end(self) -> None:
        self._halt()
        self.far.sender.close()

    def _halt(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PERIOD):
            self.far.tick(time.monotonic())


class Room:
    """Starts hosts and banks on one broker, and ends them."""

    def __init__(self) -> None:
        self.undo = ExitStack()

    def sender(self, name: str, broker: str, **values: Any) -> Sending:
        sending = Sending(Far(name, ahead=0.0, now=time.monotonic(), broker=broker, **values))
        self.undo.callback(sending.end)
        return sending

    def bank(self, *names: str, broker: str) -> Near:
        near = Near(*names, broker=broker, clock=time.monotonic)
        for config, receiver in zip(near.config.hosts, near.hosts.values(), strict=True):
            host = Host(config, receiver)
            host.start()
            self.undo.callback(host.join, 10.0)
            self.undo.callback(host.stop)
        return near


@pytest.fixture
def room(mqtt_bench: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    del mqtt_bench  # brokers end after the hosts
    monkeypatch.setattr(link, "FIRST_PAUSE", PERIOD)
    monkeypatch.setattr(link, "LONGEST_PAUSE", PERIOD)
    monkeypatch.setattr(peer, "SETTLE", PERIOD)
    room = Room()
    with room.undo:
        yield room


def answers(near: Near, name: str) -> int:
    (bus,) = near.hosts[name].stats(time.monotonic())
    return bus.answers


def error(near: Near, name: str) -> str:
    (bus,) = near.hosts[name].stats(time.monotonic())
    return bus.error


def test_rows_settings_and_names_arrive_and_do_so_again_after_the_broker_was_away(mqtt_bench: Any, room: Room) -> None:
    broker = mqtt_bench.mosquitto()
    login = f"BROKER = {broker.url}"
    sending, near = room.sender("room1", login), room.bank("room1", broker=login)
    until(lambda: answers(near, "room1") > 10)
    rows, identities = near.daemon.store.snapshot()
    assert [one.serial for one in identities[2:]] == ["room1-0", "room1-1", "room1-2"]
    assert rows[2:, Column.CELL_OVP].tolist() == [3.65] * 3
    assert rows[2:, Column.CHARGE_OTP].tolist() == [65.0] * 3
    age = time.monotonic() - rows[2:, Column.STATUS_TIME]
    assert ((age > 0.2) & (age < 30.0)).all()
    broker.stop()
    until(lambda: "no connection to" in error(near, "room1"))
    before = answers(near, "room1")
    sending.far.rows[:, Column.CURRENT] = 33.0
    broker.start()
    until(lambda: near.currents()[2:] == [33.0] * 3)
    assert answers(near, "room1") > before
    until(lambda: not error(near, "room1"))


def test_a_sender_that_is_killed_is_named_at_once_by_its_will(mqtt_bench: Any, room: Room) -> None:
    login = f"BROKER = {mqtt_bench.mosquitto().url}"
    sending, near = room.sender("room1", login), room.bank("room1", broker=login)
    until(lambda: answers(near, "room1"))
    sending.kill()
    until(lambda: "it has ended, or lost its connection" in error(near, "room1"))


def test_a_fault_of_the_program_is_shown_and_costs_its_own_host_a_pause(
    mqtt_bench: Any, room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(thread, "RESTART_PAUSE", PERIOD)
    take, faulty = Receiver.take, {"room1"}

    def fails(self: Receiver, message: Any) -> None:
        if self.name in faulty:
            raise RuntimeError("a fault of ours")
        take(self, message)

    monkeypatch.setattr(Receiver, "take", fails)
    login = f"BROKER = {mqtt_bench.mosquitto().url}"
    near = room.bank("room1", "room2", broker=login)
    room.sender("room1", login)
    room.sender("room2", login)
    until(lambda: answers(near, "room2") > 10 and "a fault of packbank (RuntimeError" in error(near, "room1"))
    assert answers(near, "room1") == 0
    faulty.clear()
    until(lambda: answers(near, "room1") and not error(near, "room1"))
    assert caplog.text.count("room1: stopped by a fault of packbank (RuntimeError: a fault of ours)") == 1
    assert "room2: stopped" not in caplog.text


@pytest.fixture
def guarded(mqtt_bench: Any, tmp_path: Path) -> Any:
    """A Mosquitto as docs/hosts.md sets it up, by its own words: TLS, a user a host with a branch, and the bank's."""
    commands, conf, acl = (text.replace("/etc/mosquitto", str(tmp_path)) for text in QUOTED[:3])
    here = [line for line in commands.splitlines() if not line.startswith(("apt ", "chown "))]  # no root needed
    script = "\n".join(here).replace("chown mosquitto users && ", "").replace("mosquitto_passwd", PASSWD)
    subprocess.run(["bash", "-e", "-c", script], check=True, capture_output=True)
    (tmp_path / "packbank.acl").write_text(acl)
    own = ("listener ", "persistence ")  # the bench has its own
    return mqtt_bench.mosquitto(*[line for line in conf.splitlines() if not line.startswith(own)])


def login(guarded: Any, user: str, named: str = "") -> str:
    """The lines of the page for ``user``, in its [mqtt] or in the bank's [host:...]."""
    (guarded.folder / f"{user}.password").write_text(f"password of {named or user}\n")
    section = next(text for text in QUOTED if text.startswith("[host:room1]") and "USERNAME" in text).split("\n\n")[0]
    lines = [line for line in section.splitlines() if not line.startswith(("[", "PACKS"))]
    text = "\n".join(lines).replace("192.168.1.5:8883", f"127.0.0.1:{guarded.port}").replace("= bank", f"= {user}")
    return text.replace("/data/packbank/password", f"{guarded.folder}/{user}.password").replace(
        "/data/packbank", str(guarded.folder)
    )


def test_nobody_adds_a_pack_without_the_password_of_its_host(
    guarded: Any, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    near = room.bank("room1", "room2", broker=login(guarded, "bank", named="the bank"))
    room.sender("room1", login(guarded, "room1"))
    room.sender("room2", login(guarded, "room1"), mark="foreign")  # another host's name with its own password
    until(lambda: answers(near, "room1") > 10)
    until(lambda: "it refuses the topic packbank/1/home/room2/state" in caplog.text)
    assert answers(near, "room2") == 0
    room.sender("room2", login(guarded, "room2"))
    until(lambda: answers(near, "room2"))
    _, identities = near.daemon.store.snapshot()
    assert [one.serial for one in identities[5:]] == ["room2-0", "room2-1", "room2-2"]


@pytest.mark.slow
def test_a_flood_costs_what_is_read_of_it_and_only_its_own_host(
    mqtt_bench: Any, room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broker = mqtt_bench.mosquitto()
    login, taken = f"BROKER = {broker.url}", {"room1": 0, "room2": 0}
    take = Receiver.take

    def counted(self: Receiver, message: Any) -> None:
        taken[self.name] += 1
        take(self, message)

    monkeypatch.setattr(Receiver, "take", counted)
    near = room.bank("room1", "room2", broker=login)
    room.sender("room1", login)
    room.sender("room2", login)
    until(lambda: answers(near, "room1") and answers(near, "room2"))
    before, other, begun = taken["room1"], answers(near, "room2"), time.monotonic()
    tracemalloc.start()
    flood(broker.port, seconds=3.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    passed = time.monotonic() - begun
    assert taken["room1"] - before <= (passed / LONG_REST + 2) * PACKETS_A_TURN
    assert peak < 8 * BYTES_A_TURN
    assert len(caplog.records) < 20
    until(lambda: answers(near, "room2") > other + 10)
    until(lambda: not error(near, "room1") and answers(near, "room1") > other)


def flood(port: int, seconds: float) -> None:
    """Some 10 000 messages a second on the topics of a host and of many others."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    payloads = (b"{", b"x" * 100_000, b'{"schema": 9}', b"[[[[", b"\xff" * 64)
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for _ in range(100):
            number += 1
            name = "room1" if number % 2 else f"stranger{number % 1000}"
            kind = ("bus/bus1", "packs/bus1", "state", "x")[number % 4]
            payload = payloads[number % len(payloads)] if number % 50 == 0 else b"{"
            client.publish(f"packbank/1/home/{name}/{kind}", payload)
        time.sleep(0.01)
    client.loop_stop()
    client.disconnect()
