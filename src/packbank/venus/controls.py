"""The user's wishes as writeable paths: what may be written, and how it becomes :class:`Controls`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from packbank.aggregator.controls import Controls
from packbank.venus.path import Item, Path, Value
from packbank.venus.paths import CONTROLS


@dataclass(frozen=True, slots=True)
class Rule:
    """A field of :class:`Controls`: its range, and the number that stands for ``None`` (flags have none)."""

    field: str
    low: float
    high: float
    none: float | None = None


RULES = {
    "/Settings/MaxChargeCurrent": Rule("charge_current", 0, 10000, -1),
    "/Settings/MaxDischargeCurrent": Rule("discharge_current", 0, 10000, -1),
    "/Settings/MaxChargeVoltage": Rule("charge_voltage", 8, 1000, 0),
    "/Io/ForceChargingOff": Rule("charge_off", 0, 1),
    "/Io/ForceDischargingOff": Rule("discharge_off", 0, 1),
}


def key_of(path: Path[Controls]) -> str:
    """The setting's key in localsettings: the last element of the path."""
    return path.name.rpartition("/")[2]


def items(controls: Controls) -> dict[str, Item]:
    """The control paths as they stand."""
    return {path.name: path.item(controls) for path in CONTROLS}


def changed(controls: Controls, name: str, value: Value) -> Controls | None:
    """``controls`` after ``value`` was written to ``name``; ``None`` when the value is refused."""
    rule = RULES[name]
    if not isinstance(value, int | float):
        return None
    if rule.none is not None and value == rule.none:
        wish: dict[str, Any] = {rule.field: None}
    elif not rule.low <= value <= rule.high:
        return None
    else:
        wish = {rule.field: value == 1 if rule.none is None else float(value)}
    return replace(controls, **wish)
