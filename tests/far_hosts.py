"""Senders and a receiver without a broker and on a clock that a test turns: what is sent is handed over by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bank_rows import healthy
from packbank.config.hosts import Announced
from packbank.config.inifile import parse
from packbank.config.loader import NOTHING, build
from packbank.config.model import Config, MqttConfig
from packbank.daemon import Daemon
from packbank.model.battery import VirtualBattery
from packbank.model.columns import Column
from packbank.model.identity import Identity
from packbank.mqtt.received import Received
from packbank.sources.hosts.receiver import Receiver
from packbank.sources.hosts.sender import Sender
from packbank.sources.start import members_of_host

AGE = 0.3  # s of a row when it is sent


def config_of(text: str, announced: Announced = NOTHING) -> Config:
    sections, problems = parse(text)
    config, found = build(sections, (), announced)
    assert not problems
    assert config is not None, found
    return config


class Post:
    """Stands for the connection of a sender: keeps what it publishes."""

    def __init__(self) -> None:
        self.connected = True
        self.new = True
        self.busy = False
        self.received: list[Received] = []
        self.sent: list[tuple[str, str, bool]] = []

    def serve(self, _: float) -> bool:
        return self.connected

    def take(self) -> list[Received]:
        received, self.received = self.received, []
        return received

    def fresh(self) -> bool:
        new, self.new = self.new, False
        return new

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> Callable[[], bool]:
        self.sent.append((topic, payload, retain))
        return lambda: True


class Far:
    """A host that sends ``packs`` packs of one bus; its clock is ``ahead`` of ours. With ``broker`` it really sends."""

    def __init__(
        self, name: str, packs: int = 3, ahead: float = -500.0, now: float = 1000.0, mark: str = "", broker: str = ""
    ) -> None:
        """``broker`` are lines of [mqtt]."""
        self.ahead = ahead
        self.broker = broker
        addresses = ", ".join(f"0x{number + 1:02X}" for number in range(packs))
        text = f"[bus:bus1]\nPORT = /dev/none\nBATTERY_ADDRESSES = {addresses}\n[mqtt]\nHOST = {name}\n{broker}\n"
        self.config = config_of(text)
        assert self.config.mqtt is not None
        self.mqtt: MqttConfig = self.config.mqtt
        self.rows = healthy(packs)
        self.rows[:, Column.SETTINGS_TIME] = now + ahead - 2.0
        self.serials = [f"{mark or name}-{number}" for number in range(packs)]
        self.start(now)

    def start(self, now: float) -> None:
        """The program starts (again)."""
        self.post = Post()
        self.sender = Sender(self.config, self.mqtt, now + self.ahead)
        if not self.broker:
            self.sender._link = self.post  # type: ignore[assignment]

    def tick(self, now: float) -> list[tuple[str, str, bool]]:
        """What is sent at ``now``."""
        self.rows[:, Column.STATUS_TIME] = now + self.ahead - AGE
        identities = [Identity(model="JK", serial=serial) for serial in self.serials]
        self.sender.tick(self.rows, identities, [], now + self.ahead)
        sent, self.post.sent = self.post.sent, []
        return sent

    def will(self) -> tuple[str, str, bool]:
        """What the broker says when this start is gone."""
        return (self.sender._topics.state, self.sender._state(up=False), True)


class Near:
    """The bank: a local bus of ``local`` packs, and the hosts ``names`` with 3 packs each."""

    def __init__(
        self,
        *names: str,
        local: int = 2,
        extra: str = "",
        broker: str = "",
        clock: Callable[[], float] | None = None,
        announced: Announced = NOTHING,
    ) -> None:
        """``broker`` are lines of each [host:...], ``extra`` more sections; ``announced`` is what was saved."""
        listed = "".join(f"[host:{name}]\nPACKS = bus1 0x01-0x03\n{broker}\n" for name in names)
        text = f"[bus:local]\nPORT = /dev/none\nBATTERY_ADDRESSES = 0x01-0x{local:02X}\n{listed}{extra}"
        self.config = config_of(text, announced)
        self.daemon = Daemon(self.config)
        self.local = healthy(local)
        self.serials = [f"local-{number}" for number in range(local)]
        self.now = 1000.0
        rows = [pack.name for pack in self.config.packs]
        self.hosts = {
            host.name: Receiver(
                host, members_of_host(self.config, host.name), self.daemon.store, rows, clock or (lambda: self.now)
            )
            for host in self.config.hosts
        }

    def take(self, sent: list[tuple[str, str, bool]], *, retained: bool = False) -> None:
        """Messages arrive; ``retained``: from before we came."""
        for topic, payload, _ in sent:
            message = Received(topic, payload.encode(), retained, self.now)
            for host in self.hosts.values():
                if topic.startswith(host.topics.below("")):
                    host.take(message)

    def step(self, *fars: Far, seconds: float = 1.0) -> VirtualBattery:
        """A second passes: the local bus and the ``fars`` give their rows, and the bank looks."""
        self.now += seconds
        for far in fars:
            self.take(far.tick(self.now))
        return self.look()

    def look(self) -> VirtualBattery:
        """The local packs answer, and the bank takes a step."""
        for index, row in enumerate(self.local):
            row[Column.STATUS_TIME] = self.now - AGE
            self.daemon.store.put(index, row, Identity(serial=self.serials[index]))
        for host in self.hosts.values():
            host.tend(True, self.now)
        return self.daemon.step(self.now).battery

    def troubles(self) -> list[str]:
        """What doctor would show of the packs of all hosts, and of their buses."""
        stats = [bus for host in self.hosts.values() for bus in host.stats(self.now)]
        said = [f"{one.name} {trouble.address}: {trouble.text}" for one in stats for trouble in one.troubles]
        return said + [f"{one.name}: {one.error}" for one in stats if one.error]

    def currents(self) -> list[float]:
        """The current of each row now."""
        rows, _ = self.daemon.store.snapshot()
        currents: list[float] = np.nan_to_num(rows[:, Column.CURRENT], nan=-1.0).tolist()
        return currents
