"""What the user may set of the bank's arithmetic, as two frozen dataclasses.

Each field is declared with :func:`setting`, which keeps its unit, its allowed range and its meaning; the
configuration reader takes a field's key (its name in upper case), type and range from here, and the
documentation's table of keys is printed from here. Names and defaults follow dbus-serialbattery where its
default is safe for packs in parallel; a field's meaning says where it is not and what we do instead.

``PackSettings`` may stand in ``[DEFAULT]`` for every pack and in a ``[pack:...]`` section for one;
``BankSettings`` hold for the bank as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def setting(default: Any, meaning: str, unit: str = "", low: float | None = None, high: float | None = None) -> Any:
    """Declare a field of a settings dataclass; ``low`` and ``high`` bound the value (each element of a list)."""
    return field(default=default, metadata={"meaning": meaning, "unit": unit, "low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class PackSettings:
    """Settings that each pack may have of its own."""

    max_cell_voltage: float = setting(3.45, "charge voltage per cell: the pack's target while charging", "V", 2.0, 4.5)
    max_battery_charge_current: float | None = setting(
        None,
        "ceiling of this pack's charge current; empty: what the BMS allows (dbus-serialbattery: 50 A)",
        "A",
        0.0,
        2000.0,
    )
    charge_mode: int = setting(1, "curves: 1 linear between the points, 2 stepped", "", 1, 2)
    cccm_cv_enable: bool = setting(True, "limit the charge current by the highest cell")
    cell_voltages_while_charging: tuple[float, ...] = setting(
        (3.5, 3.45, 3.425, 3.4, 3.375), "highest cell: points of the charge curve", "V", 2.0, 4.5
    )


@dataclass(frozen=True, kw_only=True)
class BankSettings:
    """Settings of the bank as a whole."""

    voltage_drop: float = setting(0.0, "loss between charger and packs, added to the published CVL", "V", 0.0, 2.0)
