"""Sends the rows of this host's buses to the bank of another one: a message a bus a second, never an old one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf, isfinite, isnan

import numpy as np
from numpy.typing import NDArray

from packbank import __version__
from packbank.bms.protocol import Row
from packbank.config.model import Config, HostPacks, MqttConfig, PackConfig
from packbank.model.bus_stats import BusStats
from packbank.model.columns import Column
from packbank.model.identity import Identity
from packbank.mqtt.link import Link, Will
from packbank.sources.hosts import decode, wire
from packbank.sources.hosts.wire import Announcement, PackInfo, State, Topics, WireError

GATHER = 8.0  # s after the start in which whoever answers on a bus without a list is gathered, before it is announced
TURN = 1.0  # s
AHEAD = 0.15  # s before the bank looks, at which rows should be there: the way, and a busy machine at both ends
STEP = 0.2  # s at most by which a turn is moved, so that no pack's row is missed for long
MOVED = 10.0  # s after a move in which what the bank says is from before it
READ_AGAIN = 600.0  # s; settings that were read anew and are the same are announced this seldom
_CEILINGS = (
    (Column.CHARGE_CURRENT_LIMIT, "max_battery_charge_current"),
    (Column.DISCHARGE_CURRENT_LIMIT, "max_battery_discharge_current"),
)


class Sender:
    """What a host sends; :meth:`tick` once a second."""

    def __init__(self, config: Config, mqtt: MqttConfig, now: float) -> None:
        """``mqtt.host`` is this host's name."""
        self._config = config
        self._topics = Topics(mqtt.bank, mqtt.host)
        self._boot = os.urandom(8).hex()
        self._link = Link(mqtt, Will(self._topics.state, self._state(up=False)), [self._topics.look])
        self._rows_of: dict[str, list[int]] = {bus.name: [] for bus in config.buses}
        for index, pack in enumerate(config.packs):
            self._rows_of[pack.bus].append(index)
        self._began = now
        self._seq = 0
        self._announced: dict[str, Announcement] = {}
        self._to_move = 0.0  # s by which the turns are to come later, in the end
        self._moved_at = -inf

    def shift(self) -> float:
        """By how much the next turn should come later, or earlier when negative, s: the bank looks at its own times."""
        step = max(-STEP, min(self._to_move, STEP))
        self._to_move -= step
        return step

    def tick(
        self, matrix: NDArray[np.float64], identities: Sequence[Identity], buses: Sequence[BusStats], now: float
    ) -> None:
        """Send what is known at ``now``; returns soon when there is no broker."""
        matrix = self._bounded(matrix)
        connected = self._link.serve(now)
        for message in self._link.take():
            self._hear(message.payload, now)
        changed = self._announce(matrix, identities, now)
        if not connected:
            return
        if self._link.fresh():
            self._link.publish(self._topics.state, self._state(up=True), retain=True)
            changed = dict(self._announced)
        for bus, announcement in changed.items():
            self._link.publish(self._topics.packs(bus), announcement.encode(), retain=True)
        if not self._link.busy:
            self._send_rows(matrix, {one.name: one for one in buses}, now)

    def close(self) -> None:
        """Say that this host has ended."""
        self._link.close()

    def packs(self) -> HostPacks | None:
        """What the bank's configuration has to expect; ``None`` until every bus is announced."""
        if len(self._announced) < len(self._config.buses):
            return None
        return tuple((bus.name, self._announced[bus.name].addresses) for bus in self._config.buses)

    def _hear(self, payload: bytes, now: float) -> None:
        """The bank says how early our rows come; words from before the last move are out of date."""
        with suppress(WireError):
            boot, early = decode.look(payload)
            if boot == self._boot and now - self._moved_at > MOVED:
                self._to_move = (early - AHEAD + TURN / 2.0) % TURN - TURN / 2.0
                self._moved_at = now

    def _state(self, *, up: bool) -> str:
        buses = tuple(bus.name for bus in self._config.buses)
        return State(self._boot, up, f"packbank {__version__}", buses).encode()

    def _bounded(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """The ceilings of this host's configuration hold in the bank too."""
        matrix = matrix.copy()
        for index, pack in enumerate(self._config.packs):
            for column, name in _CEILINGS:
                if (ceiling := getattr(pack.settings, name)) is not None:
                    matrix[index, column] = np.fmin(matrix[index, column], ceiling)
        return matrix

    def _announce(
        self, matrix: NDArray[np.float64], identities: Sequence[Identity], now: float
    ) -> Mapping[str, Announcement]:
        """The announcements that are not as before."""
        changed = {}
        for bus in self._config.buses:
            if not bus.addresses and now - self._began < GATHER:
                continue
            rows = self._rows_of[bus.name]
            packs = [_info(self._config.packs[index], matrix[index], identities[index]) for index in rows]
            infos = tuple(info for info, index in zip(packs, rows, strict=True)
                         if self._config.packs[index].expected or _answered(matrix[index]))  # fmt: skip
            announcement = Announcement(self._boot, infos, listed=bool(bus.addresses))
            if _differ(self._announced.get(bus.name), announcement):
                changed[bus.name] = self._announced[bus.name] = announcement
        return changed

    def _send_rows(self, matrix: NDArray[np.float64], stats: Mapping[str, BusStats], now: float) -> None:
        self._seq += 1
        for bus, indices in self._rows_of.items():
            known = [index for index in indices if _answered(matrix[index])]
            ages = [round((now - float(matrix[index, Column.STATUS_TIME])) * 1000.0) for index in known]
            packs = [(self._config.packs[index].address, max(age, 0)) for index, age in zip(known, ages, strict=True)]
            payload = wire.encode_rows(
                self._boot, self._seq, round(now * 1000.0), packs, matrix[known], _report(stats.get(bus))
            )
            self._link.publish(self._topics.rows(bus), payload)


def _answered(row: Row) -> bool:
    return not isnan(row[Column.STATUS_TIME])


def _info(pack: PackConfig, row: Row, identity: Identity) -> PackInfo:
    read = float(row[Column.SETTINGS_TIME])
    known = wire.settings_of(row)
    if isnan(read) and known:  # a BMS that sends them with its status
        read = float(row[Column.STATUS_TIME])
    return PackInfo(pack.address, identity, known, None if isnan(read) else round(read * 1000.0))


def _differ(before: Announcement | None, now: Announcement) -> bool:
    """Whether a new announcement is worth sending."""
    if before is None or len(before.packs) != len(now.packs):
        return True
    for was, one in zip(before.packs, now.packs, strict=True):
        again = (one.read or 0) - (was.read or 0) >= READ_AGAIN * 1000.0
        if again or replace(one, read=None) != replace(was, read=None):
            return True
    return False


def _report(stats: BusStats | None) -> dict[str, float | str]:
    """How a bus is doing, without what is not known."""
    values = {key: getattr(stats, key) for key in (*wire.REPORTED, wire.ERROR)} if stats else {}
    return {key: value for key, value in values.items() if isinstance(value, str) or isfinite(value)}
