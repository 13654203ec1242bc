"""What the user may set while the bank runs: the fields of :class:`~packbank.model.controls.Controls` as quantities."""

from __future__ import annotations

from operator import attrgetter

from packbank.model.catalogue.quantity import Quantity, Rate, Unit, Value
from packbank.model.snapshot import Snapshot

Row = Quantity[Snapshot]
NO_CAP = {Unit.AMPERES: -1.0, Unit.VOLTS: 0.0}  # how the absence of a cap is written


def _cap(field: str, title: str, unit: Unit, path: str) -> Row:
    def get(snapshot: Snapshot) -> Value:
        value: float | None = getattr(snapshot.controls, field)
        return NO_CAP[unit] if value is None else value

    return Quantity(f"controls.{field}", title, unit, Rate.CHANGE, get, path, writeable=True)


def _switch(field: str, title: str, path: str) -> Row:
    key = f"controls.{field}"
    return Quantity(key, title, Unit.FLAG, Rate.CHANGE, attrgetter(key), path, writeable=True)


CONTROLS = (
    _cap("charge_current", "cap of CCL, -1: none", Unit.AMPERES, "/Settings/MaxChargeCurrent"),
    _cap("discharge_current", "cap of DCL, -1: none", Unit.AMPERES, "/Settings/MaxDischargeCurrent"),
    _cap("charge_voltage", "cap of CVL, 0: none", Unit.VOLTS, "/Settings/MaxChargeVoltage"),
    _switch("charge_off", "1: CCL is 0 until 0 is written", "/Io/ForceChargingOff"),
    _switch("discharge_off", "1: DCL is 0 until 0 is written", "/Io/ForceDischargingOff"),
)
