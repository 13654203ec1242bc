"""``PUBLISH_PACKS = True``: each pack as a battery service of its own, for those who want to look at single packs.

No pack has ``/Info/MaxChargeVoltage``: systemcalc would take it for a BMS of its own and could choose it instead
of the bank. The cost is one D-Bus connection a pack (Venus OS allows 256 for all programs together) and
one signal a pack every few seconds, which each listening program has to take; so it is off by default.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.battery import PackView, Presence, VirtualBattery
from packbank.aggregator.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, CELLS, Alarm, Column
from packbank.config.model import PackConfig
from packbank.venus.bus import Bus
from packbank.venus.changes import Changes
from packbank.venus.path import Path, Quantity, Rate
from packbank.venus.paths import ALARM_MEANINGS, ServiceIdentity
from packbank.venus.service import PATIENCE, BatteryService

_PRESENT = frozenset({Presence.FRESH, Presence.HELD, Presence.JOINING})


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack as its service sees it: the bank's judgement, and its row of the matrix."""

    view: PackView
    row: NDArray[np.float64]
    known: frozenset[Alarm]


def _column(column: Column) -> Callable[[Pack], float]:
    return lambda pack: float(pack.row[column])


def _cell(index: int) -> Callable[[Pack], float]:
    return lambda pack: float(pack.row[CELL_VOLTAGES][index])


def _extreme(choose: Callable[..., np.float64], columns: slice | list[int]) -> Callable[[Pack], float]:
    def value(pack: Pack) -> float:
        values = pack.row[columns]
        return float(choose(values)) if not np.isnan(values).all() else float("nan")

    return value


def _alarm_level(alarm: Alarm, pack: Pack) -> int | None:
    return pack.view.alarms.get(alarm, 0 if alarm in pack.known else None)


_SENSORS: list[int] = list(BATTERY_TEMPERATURES)

PACK: tuple[Path[Pack], ...] = (
    Path("/Dc/0/Voltage", Rate.SLOW, Quantity.VOLTS, _column(Column.VOLTAGE), "pack voltage"),
    Path("/Dc/0/Current", Rate.SLOW, Quantity.AMPERES, _column(Column.CURRENT), "pack current, + charges"),
    Path("/Dc/0/Power", Rate.SLOW, Quantity.WATTS, _column(Column.POWER), "pack power, + charges"),
    Path("/Dc/0/Temperature", Rate.SLOW, Quantity.CELSIUS, _extreme(np.nanmean, _SENSORS), "mean of the sensors"),
    Path("/Soc", Rate.SLOW, Quantity.PERCENT, _column(Column.SOC), "state of charge as the BMS counts it"),
    Path("/Soh", Rate.SLOW, Quantity.PERCENT, _column(Column.SOH), "state of health"),
    Path("/Capacity", Rate.SLOW, Quantity.AMPERE_HOURS, _column(Column.REMAINING_CAPACITY), "charge left"),
    Path("/InstalledCapacity", Rate.SLOW, Quantity.AMPERE_HOURS, _column(Column.FULL_CAPACITY), "charge when full"),
    Path("/History/ChargeCycles", Rate.SLOW, Quantity.NUMBER, _column(Column.CYCLES), "full cycles"),
    Path("/Io/AllowToCharge", Rate.CHANGE, Quantity.NUMBER, lambda p: not p.view.blocks_charge, "1: takes charge"),
    Path(
        "/Io/AllowToDischarge", Rate.CHANGE, Quantity.NUMBER, lambda p: not p.view.blocks_discharge, "1: gives charge"
    ),
    Path("/Balancing", Rate.CHANGE, Quantity.NUMBER, lambda p: float(np.sign(p.row[Column.BALANCING])), "1: balances"),
    Path("/System/NrOfCellsPerBattery", Rate.CHANGE, Quantity.NUMBER, _column(Column.CELL_COUNT), "cells in series"),
    Path("/System/MinCellVoltage", Rate.SLOW, Quantity.CELL_VOLTS, _extreme(np.nanmin, CELL_VOLTAGES), "lowest cell"),
    Path("/System/MaxCellVoltage", Rate.SLOW, Quantity.CELL_VOLTS, _extreme(np.nanmax, CELL_VOLTAGES), "highest cell"),
    Path("/System/MinCellTemperature", Rate.SLOW, Quantity.CELSIUS, _extreme(np.nanmin, _SENSORS), "coldest sensor"),
    Path("/System/MaxCellTemperature", Rate.SLOW, Quantity.CELSIUS, _extreme(np.nanmax, _SENSORS), "warmest sensor"),
    Path("/System/MOSTemperature", Rate.SLOW, Quantity.CELSIUS, _column(Column.TEMPERATURE_MOS), "MOSFETs"),
    *(
        Path(f"/Voltages/Cell{index + 1}", Rate.SLOW, Quantity.CELL_VOLTS, _cell(index), "invalid: no such cell")
        for index in range(CELLS)
    ),
    *(
        Path(
            f"/Alarms/{alarm.venus}", Rate.CHANGE, Quantity.NUMBER, partial(_alarm_level, alarm), ALARM_MEANINGS[alarm]
        )
        for alarm in Alarm
    ),
)


class PackServices:
    """A service for each pack, made when the pack first answers; it leaves while the pack is lost."""

    def __init__(
        self,
        packs: tuple[PackConfig, ...],
        identity: ServiceIdentity,
        open_bus: Callable[[], Bus] = Bus,
        patience: float = PATIENCE,
    ) -> None:
        """``identity`` is the bank's: a pack takes over what is the same, and the instances that follow."""
        self._packs = packs
        self._identity = identity
        self._open_bus = open_bus
        self._patience = patience
        self._services: dict[int, _PackService] = {}

    def publish(self, battery: VirtualBattery, matrix: NDArray[np.float64], now: float) -> None:
        """Bring each pack's service up to date. Raises LinkError as the bank's publisher does."""
        known = frozenset(battery.alarms)
        for index, view in enumerate(battery.packs):
            service = self._services.get(index)
            if view.presence in _PRESENT:
                service = service or self._open(index)
                service.publish(Pack(view, matrix[index], known), now)
            elif service is not None:
                service.leave()

    def close(self) -> None:
        """Leave the bus with all packs."""
        for service in self._services.values():
            service.close()

    def _open(self, index: int) -> _PackService:
        pack = self._packs[index]
        name = "packbank_" + re.sub(r"[^A-Za-z0-9]", "_", f"{pack.bus}_{pack.address:02x}")
        identity = ServiceIdentity(
            version=self._identity.version,
            connection=f"RS485, bus {pack.bus}, address {pack.address:#04x}",
            device_instance=self._identity.device_instance + 1 + index,
            product_name=f"{self._identity.product_name} {pack.name}",
            hardware=self._identity.hardware,
        )
        service = _PackService(BatteryService(name, identity, self._open_bus(), patience=self._patience))
        self._services[index] = service
        return service


class _PackService:
    def __init__(self, service: BatteryService) -> None:
        self._service = service
        self._changes = Changes(PACK)

    def publish(self, pack: Pack, now: float) -> None:
        self._service.offer(self._changes.select(pack, now), now)

    def leave(self) -> None:
        if self._service.registered:
            self._service.leave("the pack does not answer")
            self._changes = Changes(PACK)

    def close(self) -> None:
        self._service.close()
