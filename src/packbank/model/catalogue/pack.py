"""The quantities of one pack: what it measures, who it is, how the bank sees it; and the settings of its BMS."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.model import reasons
from packbank.model.battery import SILENT, Cause
from packbank.model.catalogue.alarms import ALARM_TITLES
from packbank.model.catalogue.quantity import Entity, Quantity, Rate, Unit, Value
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, CELLS, Alarm, Column
from packbank.model.snapshot import PackSnapshot

Row = Quantity[PackSnapshot]
_UNITS = {
    "V": Unit.VOLTS,
    "A": Unit.AMPERES,
    "W": Unit.WATTS,
    "Ah": Unit.AMPERE_HOURS,
    "degC": Unit.CELSIUS,
    "%": Unit.PERCENT,
    "s": Unit.SECONDS,
    "0/1": Unit.FLAG,
    "0/1/2": Unit.NUMBER,
    "bits": Unit.NUMBER,
    "": Unit.NUMBER,
}
_CLASSES = {
    Unit.VOLTS: "voltage",
    Unit.CELL_VOLTS: "voltage",
    Unit.AMPERES: "current",
    Unit.CELSIUS: "temperature",
    Unit.WATTS: "power",
}
_SENSORS: list[int] = list(BATTERY_TEMPERATURES)


def _row(
    key: str,
    title: str,
    unit: Unit,
    rate: Rate,
    get: Callable[[PackSnapshot], Any],
    path: str = "",
    column: str = "",
    rank: int = 0,
    size: int = 0,
    device_class: str = "",
    entity: Entity | None = None,
) -> Row:
    kind = device_class or _CLASSES.get(unit, "")
    return Quantity(key, title, unit, rate, get, path, kind, column, rank, size, entity=entity)


def _column(
    of: Column,
    path: str = "",
    column: str = "",
    rank: int = 0,
    unit: Unit | None = None,
    rate: Rate = Rate.SLOW,
    device_class: str = "",
    entity: Entity | None = None,
) -> Row:
    """A column of the matrix as it is."""

    def get(pack: PackSnapshot) -> float:
        return float(pack.row[of])

    unit = unit or _UNITS[of.unit]
    return _row(of.key, of.meaning, unit, rate, get, path, column, rank, device_class=device_class, entity=entity)


def _of(columns: slice | list[int], reduce: Callable[[NDArray[np.float64]], Any]) -> Callable[[PackSnapshot], float]:
    """One number from those of some columns that are known, NaN when none is."""

    def get(pack: PackSnapshot) -> float:
        values = pack.row[columns]
        known = values[~np.isnan(values)]
        return float(reduce(known)) if known.size else float("nan")

    return get


def _cell_number(choose: Callable[[NDArray[np.float64]], Any]) -> Callable[[PackSnapshot], int | None]:
    def get(pack: PackSnapshot) -> int | None:
        cells = pack.row[CELL_VOLTAGES]
        return int(choose(cells)) + 1 if not np.isnan(cells).all() else None

    return get


def _detail(charging: bool) -> Callable[[PackSnapshot], str]:
    """The measured figure behind a pack's own limit."""

    def get(pack: PackSnapshot) -> str:
        cause: Cause = pack.view.charge_cause if charging else pack.view.discharge_cause
        return reasons.figure(cause, charging, pack.row[CELL_VOLTAGES], pack.view.coldest, pack.view.hottest)

    return get


def _alarm(alarm: Alarm) -> Row:
    """An alarm that no pack of the bank can report is not known; one that this pack does not raise is 0."""

    def get(pack: PackSnapshot) -> Value:
        return pack.view.alarms.get(alarm, 0 if alarm in pack.bank.alarms else None)

    title = f"{ALARM_TITLES[alarm]}: 0 no, 1 warning, 2 alarm"
    return _row(f"alarms.{alarm.venus}", title, Unit.NUMBER, Rate.CHANGE, get, f"/Alarms/{alarm.venus}")


_IDENTITY = tuple(
    _row(key, title, Unit.NUMBER if key == "address" else Unit.TEXT, Rate.CHANGE, attrgetter(where))
    for key, title, where in (
        ("name", "name in the configuration", "view.name"),
        ("bus", "its bus", "place.bus"),
        ("address", "address on its bus", "place.address"),
        ("model", "model that the BMS reports", "identity.model"),
        ("hardware", "hardware version", "identity.hardware"),
        ("software", "firmware version", "identity.software"),
        ("serial", "serial number", "identity.serial"),
        ("bms_name", "name stored in the BMS", "identity.name"),
        ("manufactured", "date of manufacture", "identity.manufactured"),
    )
)

_SLOW, _CHANGE = Rate.SLOW, Rate.CHANGE
_STANDING = (
    _row(
        "presence",
        "absent, fresh, held, lost or joining (docs/limits.md)",
        Unit.TEXT,
        _CHANGE,
        lambda p: p.view.presence.value,
    ),
    _row(
        "connected",
        "its BMS answers",
        Unit.FLAG,
        _CHANGE,
        lambda p: p.view.presence not in SILENT,
        device_class="connectivity",
        entity=Entity("Connected"),
    ),
    _row("age", "since the last accepted answer", Unit.SECONDS, _SLOW, attrgetter("view.age"), "", "age s", 9),
    _row("settings_age", "since its settings were read", Unit.SECONDS, _SLOW, attrgetter("settings_age")),
    _row(
        "allow_to_charge",
        "takes charge",
        Unit.FLAG,
        _CHANGE,
        lambda p: not p.view.blocks_charge,
        "/Io/AllowToCharge",
    ),
    _row(
        "allow_to_discharge",
        "gives charge",
        Unit.FLAG,
        _CHANGE,
        lambda p: not p.view.blocks_discharge,
        "/Io/AllowToDischarge",
    ),
    _row(
        "charge_limit.value",
        "its own charge limit",
        Unit.AMPERES,
        _SLOW,
        attrgetter("view.charge_limit"),
        "",
        "CCL A",
        5,
    ),
    _row("charge_limit.cause", "why", Unit.TEXT, _SLOW, lambda p: p.view.charge_cause.value),
    _row("charge_limit.detail", "the measured figure behind it", Unit.TEXT, _SLOW, _detail(charging=True)),
    _row(
        "charge_limit.estimated",
        "not known, taken from other packs",
        Unit.FLAG,
        _CHANGE,
        attrgetter("view.charge_estimated"),
    ),
    _row("charge_share", "share of the bank's charge", Unit.FRACTION, _SLOW, attrgetter("view.charge_share")),
    _row(
        "discharge_limit.value",
        "its own discharge limit",
        Unit.AMPERES,
        _SLOW,
        attrgetter("view.discharge_limit"),
        "",
        "DCL A",
        6,
    ),
    _row("discharge_limit.cause", "why", Unit.TEXT, _SLOW, lambda p: p.view.discharge_cause.value),
    _row("discharge_limit.detail", "the measured figure behind it", Unit.TEXT, _SLOW, _detail(charging=False)),
    _row(
        "discharge_limit.estimated",
        "not known, taken from other packs",
        Unit.FLAG,
        _CHANGE,
        attrgetter("view.discharge_estimated"),
    ),
    _row(
        "discharge_share",
        "share of the bank's discharge",
        Unit.FRACTION,
        _SLOW,
        attrgetter("view.discharge_share"),
        "",
        "share",
        11,
    ),
)

_SENSOR = (
    _row(
        "current_sensor",
        "what is thought of its current sensor (docs/limits.md)",
        Unit.TEXT,
        _CHANGE,
        lambda p: p.view.current_sensor.value,
    ),
    *(
        _row(f"sensor_{key}", title, unit, _SLOW, attrgetter(f"view.sensor_{key}"))
        for key, title, unit in (
            ("gain", "of its current that its sensor leaves out, as the shunt shows", Unit.FRACTION),
            ("gain_error", "standard deviation of that", Unit.FRACTION),
            ("offset", "current that its sensor leaves out at rest, as the shunt shows", Unit.AMPERES),
            ("offset_error", "standard deviation of that", Unit.AMPERES),
        )
    ),
)

_MEASURED = (
    _column(Column.VOLTAGE, "/Dc/0/Voltage", "V", 8, entity=Entity("Voltage")),
    _column(Column.CURRENT, "/Dc/0/Current", "A", 1, entity=Entity("Current")),
    _column(Column.POWER, "/Dc/0/Power", entity=Entity("Power")),
    _column(Column.SOC, "/Soc", "SoC %", 2, device_class="battery", entity=Entity("State of charge")),
    _column(Column.SOH, "/Soh", entity=Entity("State of health", diagnostic=True)),
    _column(Column.REMAINING_CAPACITY, "/Capacity", entity=Entity("Capacity left")),
    _column(Column.FULL_CAPACITY, "/InstalledCapacity"),
    _column(
        Column.CYCLES,
        "/History/ChargeCycles",
        entity=Entity("Cycles", state_class="total_increasing", diagnostic=True),
    ),
    _column(Column.CYCLE_CAPACITY),
    _row(
        "cells",
        "voltages of the cells in order",
        Unit.CELL_VOLTS,
        _SLOW,
        lambda p: p.row[CELL_VOLTAGES].tolist(),
        "/Voltages/Cell{}",
        size=CELLS,
        entity=Entity("Cell {}", diagnostic=True, enabled=False),
    ),
    _row(
        "lowest_cell.value",
        "lowest cell",
        Unit.CELL_VOLTS,
        _SLOW,
        _of(CELL_VOLTAGES, np.min),
        "/System/MinCellVoltage",
        "low cell",
        4,
        entity=Entity("Lowest cell", details="lowest_cell"),
    ),
    _row("lowest_cell.number", "its number", Unit.NUMBER, _SLOW, _cell_number(np.nanargmin), "", "#", 4),
    _row(
        "highest_cell.value",
        "highest cell",
        Unit.CELL_VOLTS,
        _SLOW,
        _of(CELL_VOLTAGES, np.max),
        "/System/MaxCellVoltage",
        "high cell",
        3,
        entity=Entity("Highest cell", details="highest_cell"),
    ),
    _row("highest_cell.number", "its number", Unit.NUMBER, _SLOW, _cell_number(np.nanargmax), "", "#", 3),
    _row(
        "cell_difference",
        "highest minus lowest cell",
        Unit.CELL_VOLTS,
        _SLOW,
        _of(CELL_VOLTAGES, np.ptp),
        entity=Entity("Cell difference", precision=0, unit="mV", factor=1000.0),
    ),
    _row(
        "temperature",
        "mean of the battery sensors",
        Unit.CELSIUS,
        _SLOW,
        _of(_SENSORS, np.mean),
        "/Dc/0/Temperature",
        entity=Entity("Temperature"),
    ),
    _row(
        "temperatures",
        "battery sensors in order, null for one that is not fitted",
        Unit.CELSIUS,
        _SLOW,
        lambda p: p.row[_SENSORS].tolist(),
        size=len(_SENSORS),
    ),
    _row(
        "lowest_temperature",
        "coldest sensor",
        Unit.CELSIUS,
        _SLOW,
        _of(_SENSORS, np.min),
        "/System/MinCellTemperature",
        "min °C",
        7,
    ),
    _row(
        "highest_temperature",
        "warmest sensor",
        Unit.CELSIUS,
        _SLOW,
        _of(_SENSORS, np.max),
        "/System/MaxCellTemperature",
        "max °C",
        7,
    ),
    _column(Column.TEMPERATURE_MOS, "/System/MOSTemperature", "MOS °C", 10, entity=Entity("MOSFET temperature")),
    _column(Column.CHARGE_MOSFET, rate=_CHANGE, entity=Entity("Charge switch", diagnostic=True)),
    _column(Column.DISCHARGE_MOSFET, rate=_CHANGE, entity=Entity("Discharge switch", diagnostic=True)),
    _row(
        "balances",
        "a cell is being balanced",
        Unit.FLAG,
        _CHANGE,
        lambda p: float(np.sign(p.row[Column.BALANCING])),
        "/Balancing",
        device_class="running",
        entity=Entity("Balancing", diagnostic=True),
    ),
    _column(Column.BALANCING),
    _column(Column.BALANCE_CURRENT),
    _column(Column.HEATING, rate=_CHANGE),
    _column(Column.HEATER_CURRENT),
    _column(Column.CELL_COUNT, "/System/NrOfCellsPerBattery", rate=_CHANGE),
    _column(Column.CELL_AVERAGE, unit=Unit.CELL_VOLTS),
    _column(Column.CELL_DELTA, unit=Unit.CELL_VOLTS),
    _column(Column.RUNTIME),
    _column(Column.TICKS),
    _column(Column.ALARM_BITS),
)

_ALARMS = (
    _row(
        "alarm",
        "1: some alarm or warning of this pack is raised",
        Unit.NUMBER,
        _CHANGE,
        lambda p: int(any(p.view.alarms.values())),
        device_class="problem",
        entity=Entity("Alarm", details="raised"),
    ),
    _row(
        "raised",
        "the alarms that are raised, with their levels",
        Unit.TEXT,
        _CHANGE,
        lambda p: reasons.raised(p.view.alarms),
    ),
    *map(_alarm, Alarm),
)

PACK: tuple[Row, ...] = _IDENTITY + _STANDING + _MEASURED + _SENSOR + _ALARMS

_FIRST_SETTING, _LAST_SETTING = Column.CELL_UVP, Column.DEVICE_ADDRESS

# What the BMS is set to: every settings column, cell voltages with three digits.
PACK_SETTINGS: tuple[Row, ...] = tuple(
    _column(column, unit=Unit.CELL_VOLTS if column.unit == "V" else None, rate=_CHANGE)
    for column in Column
    if _FIRST_SETTING <= column <= _LAST_SETTING
)
