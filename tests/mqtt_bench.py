"""What tests of the MQTT output share: brokers, someone who looks on, and an output that is driven by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bank_rows import healthy
from brokers import MOSQUITTO, BadBroker, Mosquitto
from packbank.config.model import MqttConfig
from packbank.model.battery import VirtualBattery
from packbank.model.identity import Identity
from packbank.model.snapshot import Snapshot
from packbank.outputs.mqtt.output import MqttOutput
from patience import PATIENCE, until
from virtual_battery import snapshot


class Watcher:
    """A client that keeps every message, in order."""

    def __init__(self, port: int, **login: str) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []  # topic, payload, retained before we came
        self._lock = Lock()
        self._ready = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        if login:
            self._client.username_pw_set(login["user"], login["password"])
        self._client.on_message = self._take
        self._client.on_subscribe = lambda *_: setattr(self, "_ready", True)
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("#", qos=1)
        self._client.loop_start()
        end = time.monotonic() + PATIENCE
        while not self._ready:
            assert time.monotonic() < end
            time.sleep(0.01)

    def topics(self) -> list[str]:
        with self._lock:
            return [topic for topic, _, _ in self.messages]

    def last(self, topic: str) -> str | None:
        """The newest payload of a topic."""
        with self._lock:
            return next((payload.decode() for name, payload, _ in reversed(self.messages) if name == topic), None)

    def clear(self) -> None:
        with self._lock:
            self.messages.clear()

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _: Any, __: Any, message: Any) -> None:
        with self._lock:
            self.messages.append((message.topic, message.payload, message.retain))


class Driver:
    """Shows snapshots to an output as the daemon does; the clock can be moved on."""

    def __init__(self, memory: Path, url: str, **settings: Any) -> None:
        self.output = MqttOutput(MqttConfig(broker=url, **settings), ["", ""], memory)
        self.offset = 0.0
        self.battery: VirtualBattery | None = None
        self.serials = ("A", "B")

    def now(self) -> float:
        return time.monotonic() + self.offset

    def snapshot(self) -> Snapshot:
        shown = snapshot(self.battery, self.now(), rows=healthy(len(self.serials)))
        return replace(shown, identities=tuple(Identity(serial=serial) for serial in self.serials))

    def show(self) -> None:
        self.output.show(self.snapshot())

    def until(self, condition: Callable[[], object]) -> None:
        """Show the bank until ``condition`` holds."""
        until(condition, meanwhile=self.show)

    def connections(self, broker: BadBroker, count: int) -> None:
        """Let time pass until it has been tried so often."""
        end = time.monotonic() + PATIENCE
        while broker.connections < count:
            assert time.monotonic() < end, f"only {broker.connections} connections"
            self.offset += 20.0
            self.show()
            time.sleep(0.05)

    def seconds(self, seconds: int) -> None:
        """So many seconds of the bank's time pass."""
        for _ in range(seconds):
            self.offset += 1.0
            self.show()


class Bench:
    """Makes brokers, watchers and outputs, and ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._closing: list[Callable[[], object]] = []

    def mosquitto(self, *lines: str) -> Mosquitto:
        broker = Mosquitto(self.folder, *([lines] if lines else []))
        self._closing.append(broker.stop)
        broker.start()
        return broker

    def bad(self, behave: Callable[..., None]) -> BadBroker:
        broker = BadBroker(behave)
        self._closing.append(broker.stop)
        return broker

    def watcher(self, broker: Mosquitto, **login: str) -> Watcher:
        watcher = Watcher(broker.port, **login)
        self._closing.append(watcher.close)
        return watcher

    def output(self, url: str, **settings: Any) -> Driver:
        driver = Driver(self.folder / "state.mqtt.json", url, **settings)
        self._closing.append(driver.output.close)
        return driver

    def close(self) -> None:
        for close in reversed(self._closing):
            close()


@pytest.fixture
def mqtt_bench(tmp_path: Path) -> Iterator[Bench]:
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed (package mosquitto)")
    bench = Bench(tmp_path)
    try:
        yield bench
    finally:
        bench.close()
