"""The MQTT output: at each connection everything, then states every few seconds, and at once what cannot wait."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from packbank.config.model import MqttConfig
from packbank.model.snapshot import Snapshot
from packbank.mqtt.link import Link, Will
from packbank.outputs.mqtt.discovery import bank_config, pack_config
from packbank.outputs.mqtt.members import Announced, Member, Members
from packbank.outputs.mqtt.states import Urgency, bank_state, pack_state
from packbank.outputs.mqtt.topics import BIRTH_TOPIC, OFFLINE, ONLINE, Topics, discovery

PERIOD = 5.0  # s between two states of everything
ANNOUNCED_A_SECOND = 10  # devices: Home Assistant takes them in without a pause
BIRTH_PAUSE = 30.0  # s between two announcements of everything, however often Home Assistant says that it has started


class MqttOutput:
    """Shows the bank on a broker. It belongs in a thread of its own: connecting may block."""

    name = "mqtt"

    def __init__(self, config: MqttConfig, names: Sequence[str], memory: Path | None) -> None:
        """``names`` are the packs' own, ``""`` for others; announced devices are remembered in ``memory``."""
        topics = Topics(config.bank)
        self._config = config
        self._topics = topics
        self._announced = Announced(memory)
        self._members = Members(topics, names, self._announced)
        self._link = Link(config, Will(topics.status, OFFLINE), [BIRTH_TOPIC] if config.home_assistant else [])
        self._urgency = Urgency()
        self._due = 0.0  # when all states are due
        self._to_announce: deque[Member | None] = deque()  # None: the bank
        self._just_announced: list[Member | None] = []
        self._standing: dict[str, bool] = {}  # device -> whether it was published as online
        self._removals: dict[str, Callable[[], bool]] = {}
        self._born = False  # Home Assistant has started since everything was announced to it
        self._announced_all = float("-inf")

    def show(self, snapshot: Snapshot) -> None:
        """Publish what is due; returns soon when there is no broker."""
        changed = self._members.update(snapshot)
        urgent_bank, urgent = self._urgency.bank(snapshot), self._urgency.packs(snapshot)
        connected = self._link.serve(snapshot.time)
        for message in self._link.take():  # the only one that has an effect; there are no commands
            self._born |= message.topic == BIRTH_TOPIC and message.payload == ONLINE.encode()
        if not connected:
            return
        if self._link.fresh():
            self._greet(snapshot)
            return
        self._hear_birth(snapshot.time)
        self._to_announce.extend(member for member in changed if member not in self._to_announce)
        if self._link.busy:
            return
        if snapshot.time >= self._due:
            self._show_all(snapshot)
        else:
            self._show_some(snapshot, urgent_bank, [self._members.packs[index] for index in urgent])
        self._show_standing()
        self._announce(snapshot)
        self._remove(snapshot.time)

    def close(self) -> None:
        """Say that packbank has ended."""
        self._link.close()

    def _greet(self, snapshot: Snapshot) -> None:
        """A new connection: states before ``online``, or old values would be shown as new ones; then who we are."""
        self._standing.clear()
        self._removals.clear()
        self._show_all(snapshot)
        self._show_standing()
        self._link.publish(self._topics.status, ONLINE, retain=True)
        self._announce_all(snapshot.time)

    def _hear_birth(self, now: float) -> None:
        if self._born and now - self._announced_all >= BIRTH_PAUSE:
            self._announce_all(now)
            self._standing.clear()
            self._link.publish(self._topics.status, ONLINE, retain=True)
            self._due = now

    def _announce_all(self, now: float) -> None:
        self._born, self._announced_all = False, now
        self._to_announce = deque([None, *(member for member in self._members.packs if member.device)])

    def _announce(self, snapshot: Snapshot) -> None:
        """Announce some devices to Home Assistant; a second later, when it knows them, it gets their states."""
        known, self._just_announced = self._just_announced, []
        if None in known:
            self._show_bank(snapshot)
        for member in known:
            if member is not None:
                self._show_pack(snapshot, member)
        if not self._config.home_assistant:
            self._to_announce.clear()
        for _ in range(min(ANNOUNCED_A_SECOND, len(self._to_announce))):
            member = self._to_announce.popleft()
            if member is not None and not member.device:
                continue
            device = member.device if member else self._topics.device
            self._announced.note(device, member.place if member else "")
            self._link.publish(discovery(device), json.dumps(self._config_of(member)), retain=True)
            self._just_announced.append(member)

    def _config_of(self, member: Member | None) -> dict[str, object]:
        if member is None:
            return bank_config(self._topics)
        return pack_config(
            self._topics,
            member.device,
            member.title,
            member.identity,
            member.cells,
            cells_enabled=self._config.cells,
        )

    def _remove(self, now: float) -> None:
        """Take back what is gone; a device is forgotten once the broker has the message."""
        for device, arrived in list(self._removals.items()):
            if arrived():
                del self._removals[device]
                self._announced.forget(device)
        gone = self._members.gone(now) if self._config.home_assistant else iter(self._announced.places)
        for device in list(gone):
            if device not in self._removals:
                self._removals[device] = self._link.publish(discovery(device), "", retain=True)
                if device.startswith(f"{self._topics.device}_"):
                    self._link.publish(self._topics.pack_status(device), "", retain=True)

    def _show_all(self, snapshot: Snapshot) -> None:
        self._due = snapshot.time + PERIOD
        self._show_some(snapshot, True, self._members.packs)

    def _show_some(self, snapshot: Snapshot, bank: bool, packs: Sequence[Member]) -> None:
        if bank:
            self._show_bank(snapshot)
        for member in packs:
            if member.device:
                self._show_pack(snapshot, member)

    def _show_bank(self, snapshot: Snapshot) -> None:
        self._link.publish(self._topics.state, bank_state(snapshot))

    def _show_pack(self, snapshot: Snapshot, member: Member) -> None:
        self._link.publish(
            self._topics.pack_state(member.device), pack_state(snapshot.pack(member.index), member.cells)
        )

    def _show_standing(self) -> None:
        """Whether each pack answers; a pack that is back has had its state before, since that is urgent."""
        for member in self._members.packs:
            if member.device and self._standing.get(member.device) is not member.online:
                self._standing[member.device] = member.online
                self._link.publish(
                    self._topics.pack_status(member.device), ONLINE if member.online else OFFLINE, retain=True
                )
