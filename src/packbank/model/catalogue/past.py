"""What the bank has been through, as quantities: its last errors, and its history."""

from __future__ import annotations

from collections.abc import Callable

from packbank.model.battery import Incident, VirtualBattery
from packbank.model.catalogue.alarms import ERROR_NUMBERS
from packbank.model.catalogue.of_battery import of_battery as _row
from packbank.model.catalogue.quantity import Entity, Quantity, Rate, Unit, Value
from packbank.model.snapshot import Snapshot

LAST_ERRORS = 4  # that the GX shows
_SLOW, _CHANGE = Rate.SLOW, Rate.CHANGE
_V, _CELL_V, _DEGC, _AH, _KWH = Unit.VOLTS, Unit.CELL_VOLTS, Unit.CELSIUS, Unit.AMPERE_HOURS, Unit.KILOWATT_HOURS
_MINUTES, _NUMBER, _TEXT = Unit.MINUTES, Unit.NUMBER, Unit.TEXT


def _incident(number: int) -> tuple[Quantity[Snapshot], ...]:
    """The alarm that was raised as the last but ``number`` - 1: its name, its error number, its time."""

    def of(get: Callable[[Incident], Value]) -> Callable[[VirtualBattery], Value]:
        return lambda b: get(b.incidents[number - 1]) if number <= len(b.incidents) else None

    key, path = f"last_errors.{number}", f"/Diagnostics/LastErrors/{number}"
    which = "the last alarm that has an error number" if number == 1 else "the one before that"
    return (
        _row(f"{key}.alarm", which, _TEXT, _CHANGE, get=of(lambda one: one.alarm.venus)),
        _row(
            f"{key}.error",
            "its number among Victron's BMS errors",
            _NUMBER,
            _CHANGE,
            f"{path}/Error",
            get=of(lambda one: ERROR_NUMBERS[one.alarm]),
        ),
        _row(
            f"{key}.time",
            "when it was raised, seconds since 1970",
            _NUMBER,
            _CHANGE,
            f"{path}/Time",
            get=of(lambda one: one.time),
        ),
    )


_INCIDENTS = tuple(row for number in range(1, LAST_ERRORS + 1) for row in _incident(number))

_HISTORY = (
    _row("history.charge_cycles", "full cycles", _NUMBER, _SLOW, "/History/ChargeCycles"),
    _row("history.total_ah_drawn", "charge ever drawn, negative", _AH, _SLOW, "/History/TotalAhDrawn"),
    _row(
        "history.deepest_discharge",
        "deepest discharge after a full charge, negative",
        _AH,
        _SLOW,
        "/History/DeepestDischarge",
    ),
    _row(
        "history.last_discharge", "last discharge after a full charge, negative", _AH, _SLOW, "/History/LastDischarge"
    ),
    _row(
        "history.average_discharge",
        "mean depth of the discharges between two full charges, negative",
        _AH,
        _SLOW,
        "/History/AverageDischarge",
    ),
    _row("history.full_discharges", "times that a pack was emptied", _NUMBER, _SLOW, "/History/FullDischarges"),
    _row(
        "history.automatic_syncs",
        "times that a full charge set the counted SoC to 100 %; only with `SOC_CALCULATION`",
        _NUMBER,
        _SLOW,
        "/History/AutomaticSyncs",
    ),
    _row(
        "history.low_voltage_alarms",
        "times that a pack or cell was too low",
        _NUMBER,
        _SLOW,
        "/History/LowVoltageAlarms",
    ),
    _row(
        "history.high_voltage_alarms",
        "times that a pack or cell was too high",
        _NUMBER,
        _SLOW,
        "/History/HighVoltageAlarms",
    ),
    _row("history.minimum_voltage", "lowest voltage", _V, _SLOW, "/History/MinimumVoltage", "voltage"),
    _row("history.maximum_voltage", "highest voltage", _V, _SLOW, "/History/MaximumVoltage", "voltage"),
    _row("history.minimum_cell_voltage", "lowest cell", _CELL_V, _SLOW, "/History/MinimumCellVoltage", "voltage"),
    _row("history.maximum_cell_voltage", "highest cell", _CELL_V, _SLOW, "/History/MaximumCellVoltage", "voltage"),
    _row("history.minimum_temperature", "coldest", _DEGC, _SLOW, "/History/MinimumTemperature", "temperature"),
    _row("history.maximum_temperature", "warmest", _DEGC, _SLOW, "/History/MaximumTemperature", "temperature"),
    _row(
        "history.charged_energy",
        "energy ever charged",
        _KWH,
        _SLOW,
        "/History/ChargedEnergy",
        "energy",
        entity=Entity("Energy charged", state_class="total_increasing"),
    ),
    _row(
        "history.discharged_energy",
        "energy ever drawn",
        _KWH,
        _SLOW,
        "/History/DischargedEnergy",
        "energy",
        entity=Entity("Energy discharged", state_class="total_increasing"),
    ),
    _row(
        "history.time_since_full",
        "since the bank was full",
        _MINUTES,
        _SLOW,
        "/History/TimeSinceLastFullCharge",
        "duration",
    ),
)

PAST: tuple[Quantity[Snapshot], ...] = _INCIDENTS + _HISTORY
