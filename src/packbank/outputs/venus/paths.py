"""The paths of our battery service in tables: who it is, how the bank is, and which packs are in alarm.

``python -m packbank.outputs.venus.document`` prints them as ``docs/dbus.md``; writeable ones are in ``controls.py``.

Pure: neither dbus nor gi is needed, so the tables can be tested and printed anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from packbank.model.battery import PackView, Presence, VirtualBattery
from packbank.model.columns import Alarm
from packbank.outputs.venus import reasons
from packbank.outputs.venus.path import Path, Quantity, Rate

MODULES = 10  # the GUI looks for one digit: /Diagnostics/Module0 to Module9
_LONGEST_TIME_TO_GO = 864000  # s, ten days, as a BMV has it

_FAST, _SLOW, _CHANGE, _LIMIT = Rate.FAST, Rate.SLOW, Rate.CHANGE, Rate.LIMIT
_VOLTS, _CELL_VOLTS, _AMPERES, _WATTS = Quantity.VOLTS, Quantity.CELL_VOLTS, Quantity.AMPERES, Quantity.WATTS
_CELSIUS, _PERCENT, _AH, _KWH = Quantity.CELSIUS, Quantity.PERCENT, Quantity.AMPERE_HOURS, Quantity.KILOWATT_HOURS
_SECONDS, _NUMBER, _TEXT = Quantity.SECONDS, Quantity.NUMBER, Quantity.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceIdentity:
    """What a service says of itself."""

    version: str
    connection: str  # "RS485, 2 buses"; never empty, or Venus takes the battery for unplugged
    device_instance: int
    product_name: str
    custom_name: str = ""
    hardware: str = ""


IDENTITY: tuple[Path[ServiceIdentity], ...] = (
    Path("/Mgmt/ProcessName", _CHANGE, _TEXT, lambda _: "packbank", "program"),
    Path("/Mgmt/ProcessVersion", _CHANGE, _TEXT, lambda i: i.version, "its version"),
    Path("/Mgmt/Connection", _CHANGE, _TEXT, lambda i: i.connection, "how the packs are connected"),
    Path(
        "/DeviceInstance", _CHANGE, _NUMBER, lambda i: i.device_instance, "number among batteries, from localsettings"
    ),
    Path("/ProductId", _CHANGE, _NUMBER, lambda _: 0, "0: no maker's special case of Venus OS applies"),
    Path("/ProductName", _CHANGE, _TEXT, lambda i: i.product_name, "`PRODUCT_NAME` of config.ini"),
    Path("/CustomName", _CHANGE, _TEXT, lambda i: i.custom_name, "the user's name, kept in localsettings", True),
    Path("/FirmwareVersion", _CHANGE, _TEXT, lambda i: i.version, "version of packbank"),
    Path("/HardwareVersion", _CHANGE, _TEXT, lambda i: i.hardware, "what the packs are"),
    Path("/Connected", _CHANGE, _NUMBER, lambda _: 1, "always 1: without a pack the service leaves the bus"),
)


def _current_limit(battery: VirtualBattery, value: float) -> float:
    """A current limit is never unknown on the bus (the inverter would keep its last one): then it is 0."""
    return 0.0 if battery.lost or not math.isfinite(value) else max(value, 0.0)


def _positive(value: float) -> float:
    return value if value > 0 else math.nan


_MEASUREMENTS: tuple[Path[VirtualBattery], ...] = (
    Path("/Dc/0/Voltage", _FAST, _VOLTS, lambda b: b.voltage, "voltage of the bank"),
    Path("/Dc/0/Current", _FAST, _AMPERES, lambda b: b.current, "of the bank, + charges"),
    Path("/Dc/0/Power", _FAST, _WATTS, lambda b: b.power, "of the bank, + charges"),
    Path("/Dc/0/Temperature", _SLOW, _CELSIUS, lambda b: b.temperature, "mean of the packs' battery sensors"),
    Path("/Soc", _FAST, _PERCENT, lambda b: b.soc, "state of charge"),
    Path("/Soh", _SLOW, _PERCENT, lambda b: b.soh, "state of health"),
    Path("/TimeToGo", _SLOW, _SECONDS, lambda b: min(b.time_to_go, _LONGEST_TIME_TO_GO), "to empty, on discharge only"),
    Path("/ConsumedAmphours", _SLOW, _AH, lambda b: b.consumed_ah, "missing to full, negative or 0"),
    Path("/Capacity", _SLOW, _AH, lambda b: b.remaining_capacity, "charge left"),
    Path("/InstalledCapacity", _SLOW, _AH, lambda b: b.installed_capacity, "charge when full"),
)

_LIMITS: tuple[Path[VirtualBattery], ...] = (
    Path(
        "/Info/MaxChargeVoltage",
        _LIMIT,
        _VOLTS,
        lambda b: _positive(b.charge_voltage_limit.value),
        "CVL; being valid makes us a BMS, so the last one stays when it is not known: never invalid again, never 0",
    ),
    Path(
        "/Info/MaxChargeCurrent",
        _LIMIT,
        _AMPERES,
        lambda b: _current_limit(b, b.charge_current_limit.value),
        "CCL; 0 when not known or when every pack is lost",
    ),
    Path(
        "/Info/MaxDischargeCurrent",
        _LIMIT,
        _AMPERES,
        lambda b: _current_limit(b, b.discharge_current_limit.value),
        "DCL; 0 when not known or when every pack is lost",
    ),
    Path("/Info/BatteryLowVoltage", _SLOW, _VOLTS, lambda b: _positive(b.battery_low_voltage), "told to the inverter"),
    Path("/Info/ChargeRequest", _CHANGE, _NUMBER, lambda b: b.charge_request, "1: the bank asks for charge"),
    Path("/Info/ChargeMode", _SLOW, _TEXT, reasons.charge_mode, "charge stage and the packs it waits for"),
    Path("/Info/VoltageLimitation", _SLOW, _TEXT, reasons.voltage_limitation, "why CVL is what it is"),
    Path("/Info/ChargeLimitation", _SLOW, _TEXT, reasons.charge_limitation, "why CCL is what it is"),
    Path("/Info/DischargeLimitation", _SLOW, _TEXT, reasons.discharge_limitation, "why DCL is what it is"),
    Path("/Io/AllowToCharge", _CHANGE, _NUMBER, lambda b: b.allow_to_charge, "1: the bank may be charged"),
    Path("/Io/AllowToDischarge", _CHANGE, _NUMBER, lambda b: b.allow_to_discharge, "1: the bank may be discharged"),
    Path("/Io/AllowToBalance", _CHANGE, _NUMBER, lambda b: b.allow_to_balance, "1: balancing is allowed"),
)

_SYSTEM: tuple[Path[VirtualBattery], ...] = (
    Path("/ConnectionInformation", _SLOW, _TEXT, reasons.connection_information, "packs there, lost, and which limits"),
    Path("/System/NrOfModulesOnline", _CHANGE, _NUMBER, lambda b: b.online, "packs that count"),
    Path("/System/NrOfModulesOffline", _CHANGE, _NUMBER, lambda b: b.offline, "packs that do not"),
    Path(
        "/System/NrOfModulesBlockingCharge", _CHANGE, _NUMBER, lambda b: b.blocking_charge, "packs that take no charge"
    ),
    Path(
        "/System/NrOfModulesBlockingDischarge", _CHANGE, _NUMBER, lambda b: b.blocking_discharge, "packs that give none"
    ),
    Path("/System/NrOfBatteries", _CHANGE, _NUMBER, lambda b: b.online + b.offline, "packs of the bank"),
    Path(
        "/System/BatteriesParallel", _CHANGE, _NUMBER, lambda b: b.online + b.offline, "the same: all are in parallel"
    ),
    Path("/System/BatteriesSeries", _CHANGE, _NUMBER, lambda _: 1, "always 1"),
    Path("/System/NrOfCellsPerBattery", _CHANGE, _NUMBER, lambda b: b.cells_per_pack or None, "cells in series"),
    Path("/System/MinCellVoltage", _SLOW, _CELL_VOLTS, lambda b: b.lowest_cell.value, "lowest cell of all packs"),
    Path("/System/MaxCellVoltage", _SLOW, _CELL_VOLTS, lambda b: b.highest_cell.value, "highest cell of all packs"),
    Path("/System/MinVoltageCellId", _SLOW, _TEXT, reasons.lowest_cell, "its pack and number"),
    Path("/System/MaxVoltageCellId", _SLOW, _TEXT, reasons.highest_cell, "its pack and number"),
    Path("/System/MinCellTemperature", _SLOW, _CELSIUS, lambda b: b.lowest_temperature.value, "coldest battery sensor"),
    Path(
        "/System/MaxCellTemperature", _SLOW, _CELSIUS, lambda b: b.highest_temperature.value, "warmest battery sensor"
    ),
    Path("/System/MinTemperatureCellId", _SLOW, _TEXT, reasons.coldest_sensor, "its pack and number"),
    Path("/System/MaxTemperatureCellId", _SLOW, _TEXT, reasons.warmest_sensor, "its pack and number"),
    Path("/System/MOSTemperature", _SLOW, _CELSIUS, lambda b: b.temperature_mos, "warmest MOSFETs"),
    Path("/Balancing", _CHANGE, _NUMBER, lambda b: b.balancing, "1: some pack balances"),
    Path("/State", _CHANGE, _NUMBER, reasons.state, "9 running, 14 standby (nothing may flow), 10 error"),
    Path("/ErrorCode", _CHANGE, _NUMBER, reasons.error_code, "0, or 39 when no pack answers any more"),
)

_HISTORY: tuple[Path[VirtualBattery], ...] = (
    Path("/History/ChargeCycles", _SLOW, _NUMBER, lambda b: b.history.charge_cycles, "full cycles"),
    Path("/History/TotalAhDrawn", _SLOW, _AH, lambda b: b.history.total_ah_drawn, "negative"),
    Path("/History/DeepestDischarge", _SLOW, _AH, lambda b: b.history.deepest_discharge, "negative"),
    Path("/History/LastDischarge", _SLOW, _AH, lambda b: b.history.last_discharge, "negative"),
    Path("/History/MinimumVoltage", _SLOW, _VOLTS, lambda b: b.history.minimum_voltage, "lowest seen"),
    Path("/History/MaximumVoltage", _SLOW, _VOLTS, lambda b: b.history.maximum_voltage, "highest seen"),
    Path("/History/MinimumCellVoltage", _SLOW, _CELL_VOLTS, lambda b: b.history.minimum_cell_voltage, "lowest seen"),
    Path("/History/MaximumCellVoltage", _SLOW, _CELL_VOLTS, lambda b: b.history.maximum_cell_voltage, "highest seen"),
    Path("/History/MinimumTemperature", _SLOW, _CELSIUS, lambda b: b.history.minimum_temperature, "lowest seen"),
    Path("/History/MaximumTemperature", _SLOW, _CELSIUS, lambda b: b.history.maximum_temperature, "highest seen"),
    Path("/History/ChargedEnergy", _SLOW, _KWH, lambda b: b.history.charged_energy, "ever charged"),
    Path("/History/DischargedEnergy", _SLOW, _KWH, lambda b: b.history.discharged_energy, "ever drawn"),
    Path("/History/TimeSinceLastFullCharge", _SLOW, _SECONDS, lambda b: b.history.time_since_full, "whole minutes"),
    Path("/Settings/HasTemperature", _CHANGE, _NUMBER, lambda _: 1, "the GUI shows temperatures in the history"),
)

ALARM_MEANINGS = {
    Alarm.LOW_VOLTAGE: "a pack's voltage is below its protection",
    Alarm.HIGH_VOLTAGE: "a pack's voltage is above its protection",
    Alarm.LOW_CELL_VOLTAGE: "a cell is below its protection",
    Alarm.HIGH_CELL_VOLTAGE: "a cell is above its protection",
    Alarm.LOW_SOC: "the charge left is low",
    Alarm.HIGH_CHARGE_CURRENT: "a pack is charged with more than it allows",
    Alarm.HIGH_DISCHARGE_CURRENT: "a pack is discharged with more than it allows, or met a short circuit",
    Alarm.CELL_IMBALANCE: "the cells of a pack differ too much, or a sense wire has a high resistance",
    Alarm.INTERNAL_FAILURE: "a BMS reports a fault of its own",
    Alarm.HIGH_CHARGE_TEMPERATURE: "a pack is too warm to be charged",
    Alarm.LOW_CHARGE_TEMPERATURE: "a pack is too cold to be charged",
    Alarm.HIGH_TEMPERATURE: "a pack is too warm to be discharged",
    Alarm.LOW_TEMPERATURE: "a pack is too cold to be discharged",
    Alarm.HIGH_INTERNAL_TEMPERATURE: "the MOSFETs of a BMS are too hot",
    Alarm.BATTERY_TEMPERATURE_SENSOR: "a temperature sensor is missing or broken",
    Alarm.CONTACTOR: "a MOSFET or contactor does not do what it was told",
    Alarm.BMS_CABLE: "a pack does not answer",
}


def _alarm(alarm: Alarm) -> Path[VirtualBattery]:
    meaning = ALARM_MEANINGS[alarm]
    return Path(f"/Alarms/{alarm.venus}", _CHANGE, _NUMBER, lambda b: b.alarms.get(alarm), meaning)


_ALARMS: tuple[Path[VirtualBattery], ...] = (
    Path("/Alarms/Alarm", _CHANGE, _NUMBER, lambda b: max(b.alarms.values(), default=None), "the worst of all"),
    *(_alarm(alarm) for alarm in Alarm),
)

BANK = _MEASUREMENTS + _LIMITS + _SYSTEM + _ALARMS + _HISTORY


@dataclass(frozen=True, slots=True)
class Module:
    """What one of the GUI's ten module pages shows; ``known`` are the alarms that packs of the bank can tell."""

    name: str = ""
    alarms: dict[Alarm, int] = field(default_factory=dict)
    known: frozenset[Alarm] = frozenset()


def modules(battery: VirtualBattery) -> tuple[Module, ...]:
    """The packs in alarm now, the worst first, ten at most; the rest of the ten pages is empty."""
    known = frozenset(battery.alarms)
    alarmed: list[Module] = []
    if any(battery.alarms.values()):  # a look at each pack costs more than all other paths together
        alarmed = [module for pack in battery.packs if (module := _module(pack, known)).alarms]
    shown = sorted(alarmed, key=lambda module: -max(module.alarms.values()))[:MODULES]
    return (*shown, *(Module(),) * (MODULES - len(shown)))


def _module(pack: PackView, known: frozenset[Alarm]) -> Module:
    """A lost pack tells no alarms any more; that it is lost is one."""
    if pack.presence is not Presence.LOST:
        return Module(pack.name, pack.alarms, known)
    return Module(pack.name, {Alarm.BMS_CABLE: 1} if Alarm.BMS_CABLE in known else {}, known)


def _module_level(module: Module, alarm: Alarm) -> int | None:
    return module.alarms.get(alarm, 0) if alarm in module.known else module.alarms.get(alarm)


def _module_alarm(alarm: Alarm) -> Path[Module]:
    meaning = ALARM_MEANINGS[alarm]
    return Path(f"/Alarms/{alarm.venus}", _CHANGE, _NUMBER, lambda m: _module_level(m, alarm), meaning)


MODULE: tuple[Path[Module], ...] = (
    Path("/Id", _CHANGE, _TEXT, lambda m: m.name, "name of a pack that is in alarm; empty hides the page"),
    *(_module_alarm(alarm) for alarm in Alarm),
)
