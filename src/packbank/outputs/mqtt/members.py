"""Who the packs are to Home Assistant: ids that stay with a pack wherever it is moved, and which were announced."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank import state
from packbank.model.battery import PRESENCES, SILENT
from packbank.model.columns import CELL_VOLTAGES, CELLS, Column
from packbank.model.identity import Identity, Place
from packbank.model.snapshot import Snapshot
from packbank.outputs.mqtt.topics import Topics

SERIAL_WAIT = 30.0  # s that a pack which answers has to report its serial number; after that its place identifies it
GONE_AFTER = 300.0  # s from the start until an announced pack that is nowhere in the configuration counts as gone
_AWAY = [PRESENCES.index(presence) for presence in SILENT]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Member:
    """One pack; ``device`` is its device id, empty until it is known who it is."""

    index: int
    place: str
    name: str  # the owner's, or ""
    device: str = ""
    identity: Identity = field(default_factory=Identity)
    cells: int = 0
    online: bool = False
    answered: float = float("inf")  # when it first did
    announced: tuple[object, ...] = ()  # what its announcement is made from

    @property
    def title(self) -> str:
        """Its name for people: the owner's, or what stays the same when it is moved."""
        return self.name or self.identity.serial or self.place


class Announced:
    """The devices that were announced to Home Assistant, with their places, kept in a file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        saved: Any = (state.load(path) if path else {}).get("announced")
        self.places: dict[str, str] = {}
        if isinstance(saved, dict):
            self.places = {str(device): str(place) for device, place in saved.items()}

    def note(self, device: str, place: str) -> None:
        """Remember a device, before it is announced."""
        if self.places.get(device) != place:
            self.places[device] = place
            self._save()

    def forget(self, device: str) -> None:
        """Home Assistant no longer knows it."""
        if self.places.pop(device, None) is not None:
            self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        try:
            state.save(self._path, {"announced": self.places})
        except OSError as error:
            log.warning("%s: not saved (%s); packs that leave may stay in Home Assistant", self._path, error)


class Members:
    """The packs of the bank as they come to be known."""

    def __init__(self, topics: Topics, names: Sequence[str], announced: Announced) -> None:
        """``names`` are those that the owner gave, ``""`` for others, in row order."""
        self._topics = topics
        self._names = names
        self._announced = announced
        self._began: float | None = None
        self._places: tuple[Place, ...] = ()
        self.packs: list[Member] = []

    def update(self, snapshot: Snapshot) -> list[Member]:
        """Take note of ``snapshot``; the packs to announce to Home Assistant, for the first time or again."""
        if self._began is None:
            self._began = snapshot.time
            self.packs = [Member(index, "", name) for index, name in enumerate(self._names)]
        if snapshot.places != self._places:  # a row that had no pack has one
            self._places = snapshot.places
            for member, at in zip(self.packs, snapshot.places, strict=True):
                member.place = at.name
        there = (~np.isin(snapshot.battery.packs.presence, _AWAY)).tolist()
        news = zip(self.packs, there, snapshot.identities, _cells(snapshot.rows).tolist(), strict=True)
        for member, online, identity, cells in news:
            member.online = online
            if online:
                member.identity, member.cells = identity, max(cells, member.cells)
        return [member for member in self.packs if member.online and self._changed(member, snapshot.time)]

    def gone(self, now: float) -> Iterator[str]:
        """Announced packs that are not ours any more: no place of theirs is left, or another pack is there."""
        here = {member.place: member.device for member in self.packs}
        known = {self._topics.device, *here.values()}
        settled = self._began is not None and now - self._began >= GONE_AFTER
        for device, place in self._announced.places.items():
            if device in known:
                continue
            if not device.startswith(f"{self._topics.device}_") or here.get(place) or (settled and place not in here):
                yield device

    def _changed(self, member: Member, now: float) -> bool:
        """Find out who ``member`` is; whether its announcement is out of date."""
        content = (*_described(member.identity), member.cells)
        if member.device and content == member.announced:
            return False
        member.announced = content
        member.answered = min(member.answered, now)
        device = self._device(member, now)
        for other in self.packs:
            if device and other is not member and other.device == device:
                other.device = ""  # the pack was moved
        member.device = device or member.device
        return bool(member.device)

    def _device(self, member: Member, now: float) -> str:
        """Its id: by serial number; by place when it reports none; by both when another pack reports the same."""
        serial = member.identity.serial
        by_place = self._topics.pack_device(member.place)
        if not serial:
            waited = now - member.answered >= SERIAL_WAIT or by_place in self._announced.places
            return by_place if waited else ""
        by_serial = self._topics.pack_device(serial)
        by_both = self._topics.pack_device(f"{serial}_{member.place}")
        same = [other for other in self.packs if other is not member and other.identity.serial == serial]
        twice = any(other.online and other.device == by_serial for other in same)
        return by_both if twice or by_both in self._announced.places else by_serial


def _described(identity: Identity) -> tuple[object, ...]:
    """What a device's announcement says of it; the rest of an identity changes without end."""
    return identity.serial, identity.model, identity.hardware, identity.software


def _cells(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many cells each pack has: its cell count, or more if it reports more voltages; shape ``(packs,)``."""
    known = ~np.isnan(rows[:, CELL_VOLTAGES])
    seen = np.where(known.any(axis=1), CELLS - known[:, ::-1].argmax(axis=1), 0)
    said = np.nan_to_num(rows[:, Column.CELL_COUNT]).clip(0, CELLS)
    return np.maximum(seen, said.astype(np.int64))
