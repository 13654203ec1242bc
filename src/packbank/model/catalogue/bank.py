"""The quantities of the bank. A row's ``path`` is its place on the D-Bus (docs/dbus.md is printed from here)."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import attrgetter

from packbank.model import reasons
from packbank.model.battery import STAGES, Extreme, Limit, VirtualBattery
from packbank.model.catalogue.alarms import ALARM_TITLES
from packbank.model.catalogue.controls import CONTROLS
from packbank.model.catalogue.of_battery import of_battery as _row
from packbank.model.catalogue.past import PAST
from packbank.model.catalogue.quantity import Entity, Quantity, Rate, Unit, Value
from packbank.model.columns import Alarm
from packbank.model.snapshot import Snapshot

Row = Quantity[Snapshot]
_LONGEST_TIME_TO_GO = 864000  # s, ten days, as a BMV has it
_FAST, _SLOW, _CHANGE, _LIMIT = Rate.FAST, Rate.SLOW, Rate.CHANGE, Rate.LIMIT
_V, _CELL_V, _A, _W, _DEGC, _PERCENT = Unit.VOLTS, Unit.CELL_VOLTS, Unit.AMPERES, Unit.WATTS, Unit.CELSIUS, Unit.PERCENT
_AH, _WH, _MINUTES, _NUMBER, _FLAG, _TEXT = (
    Unit.AMPERE_HOURS,
    Unit.WATT_HOURS,
    Unit.MINUTES,
    Unit.NUMBER,
    Unit.FLAG,
    Unit.TEXT,
)


_MEASURED = (
    _row("voltage", "voltage of the bank", _V, _FAST, "/Dc/0/Voltage", "voltage", entity=Entity("Voltage")),
    _row(
        "current",
        "current of the bank, + charges",
        _A,
        _FAST,
        "/Dc/0/Current",
        "current",
        entity=Entity("Current"),
    ),
    _row("power", "power of the bank, + charges", _W, _FAST, "/Dc/0/Power", "power", entity=Entity("Power")),
    _row(
        "temperature",
        "mean of the packs' battery sensors",
        _DEGC,
        _SLOW,
        "/Dc/0/Temperature",
        "temperature",
        entity=Entity("Temperature"),
    ),
    _row(
        "temperature_mos",
        "warmest MOSFETs",
        _DEGC,
        _SLOW,
        "/System/MOSTemperature",
        "temperature",
        entity=Entity("MOSFET temperature"),
    ),
    _row("soc", "state of charge", _PERCENT, _FAST, "/Soc", "battery", entity=Entity("State of charge")),
    _row("soh", "state of health", _PERCENT, _SLOW, "/Soh", entity=Entity("State of health", diagnostic=True)),
    _row("remaining_capacity", "charge left", _AH, _SLOW, "/Capacity", entity=Entity("Capacity left")),
    _row(
        "stored_energy",
        "charge left times the present voltage",
        _WH,
        _SLOW,
        device_class="energy_storage",
        get=lambda b: b.remaining_capacity * b.voltage,
        entity=Entity("Stored energy"),
    ),
    _row("installed_capacity", "charge when full", _AH, _SLOW, "/InstalledCapacity"),
    _row("consumed_ah", "charge missing to full, negative or 0", _AH, _SLOW, "/ConsumedAmphours"),
    _row(
        "time_to_go",
        "to empty, on discharge only",
        _MINUTES,
        _SLOW,
        "/TimeToGo",
        "duration",
        lambda b: min(b.time_to_go, _LONGEST_TIME_TO_GO),
        entity=Entity("Time to go"),
    ),
)


def _current_limit(battery: VirtualBattery, value: float) -> float:
    """A current limit is never unknown outside (an inverter would keep its last one): then it is 0."""
    return 0.0 if battery.lost or not math.isfinite(value) else max(value, 0.0)


def _positive(value: float) -> float:
    return value if value > 0 else math.nan


def _name(battery: VirtualBattery, pack: int) -> str | None:
    return battery.packs.names[pack] if pack >= 0 else None


def _limit(
    key: str, title: str, unit: Unit, path: str, why: str, value: Callable[[VirtualBattery, float], float]
) -> tuple[Row, ...]:
    """A limit: its value, then which pack and what makes it so."""
    get: Callable[[VirtualBattery], Limit] = attrgetter(key)
    device_class, precision = ("voltage", 1) if unit is _V else ("current", 0)
    name = title.partition(":")[0]
    entity = Entity(name, precision=precision, details=key)
    return (
        _row(f"{key}.value", title, unit, _LIMIT, path, device_class, lambda b: value(b, get(b).value), entity),
        _row(f"{key}.reason", f"why {name} is what it is", _TEXT, _SLOW, why, get=lambda b: reasons.reason(b, get(b))),
        _row(f"{key}.pack", "the pack that limits, if one does", _TEXT, _SLOW, get=lambda b: _name(b, get(b).pack)),
        _row(f"{key}.cause", "the cause, as in docs/limits.md", _TEXT, _SLOW, get=lambda b: get(b).cause.value),
        _row(f"{key}.detail", "the measured figure behind it", _TEXT, _SLOW),
        _row(f"{key}.share", "that pack's share of the current", Unit.FRACTION, _SLOW),
    )


_LIMITS = (
    *_limit(
        "charge_voltage_limit",
        "CVL: being valid makes us a BMS, so the last one stays when it is not known; never 0",
        _V,
        "/Info/MaxChargeVoltage",
        "/Info/VoltageLimitation",
        lambda _, value: _positive(value),
    ),
    *_limit(
        "charge_current_limit",
        "CCL: 0 when not known or when every pack is lost",
        _A,
        "/Info/MaxChargeCurrent",
        "/Info/ChargeLimitation",
        _current_limit,
    ),
    *_limit(
        "discharge_current_limit",
        "DCL: 0 when not known or when every pack is lost",
        _A,
        "/Info/MaxDischargeCurrent",
        "/Info/DischargeLimitation",
        _current_limit,
    ),
    _row(
        "battery_low_voltage",
        "voltage at which the bank is empty, for the inverter",
        _V,
        _SLOW,
        "/Info/BatteryLowVoltage",
        "voltage",
        lambda b: _positive(b.battery_low_voltage),
    ),
    _row("charge_request", "the bank asks for charge", _FLAG, _CHANGE, "/Info/ChargeRequest"),
    _row("stage", "charge stage", _TEXT, _CHANGE, "", "enum", entity=Entity("Charge stage", options=STAGES)),
    _row(
        "charge_mode",
        "charge stage and the packs it waits for",
        _TEXT,
        _SLOW,
        "/Info/ChargeMode",
        get=reasons.charge_mode,
    ),
    _row("allow_to_charge", "the bank may be charged", _FLAG, _CHANGE, "/Io/AllowToCharge"),
    _row("allow_to_discharge", "the bank may be discharged", _FLAG, _CHANGE, "/Io/AllowToDischarge"),
    _row("allow_to_balance", "balancing is allowed", _FLAG, _CHANGE, "/Io/AllowToBalance"),
)


def _extreme(key: str, title: str, path: str, place: str, name: str) -> tuple[Row, ...]:
    """An extreme value: the value, whose it is, and the two in one short text."""
    get: Callable[[VirtualBattery], Extreme] = attrgetter(key)
    of_cells = key.endswith("cell")
    unit, kind, part = (_CELL_V, "voltage", "cell") if of_cells else (_DEGC, "temperature", "sensor")
    letter = "C" if of_cells else "T"
    return (
        _row(f"{key}.value", title, unit, _SLOW, path, kind, entity=Entity(name, details=key)),
        _row(f"{key}.pack", "its pack", _TEXT, _SLOW, get=lambda b: _name(b, get(b).pack)),
        _row(f"{key}.number", f"the number of its {part}", _NUMBER, _SLOW, get=lambda b: get(b).number or None),
        _row(
            f"{key}.id",
            f"its pack (from 1, in the order of the configuration) and {part}, such as P2{letter}1",
            _TEXT,
            _SLOW,
            place,
            get=lambda b: reasons.place(get(b), letter),
        ),
    )


def _serial(snapshot: Snapshot) -> str | None:
    """What stands for the serial number of a bank; ``None`` while no pack reports one."""
    first = next((who.serial for who in snapshot.identities if who.serial), None)
    others = snapshot.battery.online + snapshot.battery.offline - 1
    return f"{first} +{others}" if first and others > 0 else first


_SYSTEM = (
    _row(
        "connection",
        "packs that are there, lost ones, and which packs limit",
        _TEXT,
        _SLOW,
        "/ConnectionInformation",
        get=reasons.connection_information,
    ),
    _row(
        "online",
        "packs that count",
        _NUMBER,
        _CHANGE,
        "/System/NrOfModulesOnline",
        entity=Entity("Packs online", diagnostic=True),
    ),
    _row("offline", "packs that do not count", _NUMBER, _CHANGE, "/System/NrOfModulesOffline"),
    _row(
        "expected",
        "packs that are expected",
        _NUMBER,
        _CHANGE,
        "/System/NrOfBatteries",
        get=lambda b: b.online + b.offline,
        entity=Entity("Packs expected", diagnostic=True),
    ),
    _row("blocking_charge", "packs that take no charge", _NUMBER, _CHANGE, "/System/NrOfModulesBlockingCharge"),
    _row("blocking_discharge", "packs that give no charge", _NUMBER, _CHANGE, "/System/NrOfModulesBlockingDischarge"),
    _row(
        "cells_per_pack",
        "cells in series",
        _NUMBER,
        _CHANGE,
        "/System/NrOfCellsPerBattery",
        get=lambda b: b.cells_per_pack or None,
    ),
    *_extreme(
        "lowest_cell", "lowest cell of all packs", "/System/MinCellVoltage", "/System/MinVoltageCellId", "Lowest cell"
    ),
    *_extreme(
        "highest_cell",
        "highest cell of all packs",
        "/System/MaxCellVoltage",
        "/System/MaxVoltageCellId",
        "Highest cell",
    ),
    *_extreme(
        "lowest_temperature",
        "coldest battery sensor",
        "/System/MinCellTemperature",
        "/System/MinTemperatureCellId",
        "Lowest temperature",
    ),
    *_extreme(
        "highest_temperature",
        "warmest battery sensor",
        "/System/MaxCellTemperature",
        "/System/MaxTemperatureCellId",
        "Highest temperature",
    ),
    _row("balancing", "some pack balances", _FLAG, _CHANGE, "/Balancing"),
    _row(
        "balancer_status",
        "0 unknown, 1 balanced, 2 some pack balances, 3 the cells of some pack differ too much",
        _NUMBER,
        _CHANGE,
        "/Balancer/Status",
        get=reasons.balancer_status,
    ),
    Quantity(
        "searching",
        "1 while packs are looked for; write 1 to start that",
        _FLAG,
        _CHANGE,
        attrgetter("searching"),
        "/Redetect",
        writeable=True,
    ),
    Quantity(
        "serial",
        "serial number of the first pack that reports one, and how many packs there are besides",
        _TEXT,
        _CHANGE,
        _serial,
        "/Serial",
    ),
    _row("heating", "some pack heats", _FLAG, _CHANGE),
    _row("ready", "the battery is fit to be published", _FLAG, _CHANGE),
    _row(
        "state",
        "9 running, 14 standby (nothing may flow), 10 error (no pack answers)",
        _NUMBER,
        _CHANGE,
        "/State",
        get=reasons.state,
    ),
    _row(
        "error_code",
        "0, or 39 when no pack answers and no alarm reports it",
        _NUMBER,
        _CHANGE,
        "/ErrorCode",
        get=reasons.error_code,
    ),
)


def _any_alarm(battery: VirtualBattery) -> Value:
    return int(any(battery.alarms.values())) if battery.alarms else None


def _alarm(alarm: Alarm) -> Row:
    title = f"{ALARM_TITLES[alarm]}: 0 no, 1 warning, 2 alarm"
    path = f"/Alarms/{alarm.venus}"
    return _row(f"alarms.{alarm.venus}", title, _NUMBER, _CHANGE, path, get=lambda b: b.alarms.get(alarm))


_ALARMS = (
    _row(
        "alarm",
        "1: some alarm or warning is raised",
        _NUMBER,
        _CHANGE,
        "/Alarms/Alarm",
        "problem",
        get=_any_alarm,
        entity=Entity("Alarm", details="raised"),
    ),
    _row(
        "raised",
        "the alarms that are raised, with their levels",
        _TEXT,
        _CHANGE,
        get=lambda b: reasons.raised(b.alarms),
    ),
    *map(_alarm, Alarm),
)

BANK: tuple[Row, ...] = _MEASURED + _LIMITS + _SYSTEM + _ALARMS + PAST + CONTROLS
