"""The packs' settings turned once into arrays, one element a pack, and the two directions of a current."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.curves import Curve
from packbank.aggregator.settings import PackSettings
from packbank.cext.curves import CurveSet

Floats = NDArray[np.float64]
CHARGE, DISCHARGE = 0, 1  # first index of every array of shape (2, packs)
DIRECTIONS = ("charge", "discharge")


class PackTable:
    """Settings of all packs as arrays; ``ceiling`` has shape ``(2, packs)``, ``NaN`` where the user sets none."""

    def __init__(self, settings: Sequence[PackSettings]) -> None:
        def column(value: Callable[[PackSettings], float | None]) -> Floats:
            return np.array([np.nan if (v := value(s)) is None else v for s in settings], dtype=np.float64)

        self.ceiling = np.stack(
            [column(lambda s: s.max_battery_charge_current), column(lambda s: s.max_battery_discharge_current)]
        )
        self.any_ceiling = not bool(np.isnan(self.ceiling).all())
        self.capacity = column(lambda s: s.battery_capacity)
        self.resistance = column(lambda s: s.resistance_factor)
        self.sensor_lost = column(lambda s: s.sensor_lost_fraction)
        self.max_cell = column(lambda s: s.max_cell_voltage)
        self.float_cell = column(lambda s: s.float_cell_voltage)
        self.min_cell = column(lambda s: s.min_cell_voltage)
        self.reset_cell = column(lambda s: s.soc_reset_cell_voltage)
        self.sensor_off = np.array(
            [[number not in s.temperature_source_battery for s in settings] for number in (1, 2, 3, 4)]
        )
        self.any_sensor_off = bool(self.sensor_off.any())
        self.cell_curves = (
            _curves(settings, "cccm_cv_enable", "cell_voltages_while_charging", "max_charge_current_cv_fraction"),
            _curves(settings, "dccm_cv_enable", "cell_voltages_while_discharging", "max_discharge_current_cv_fraction"),
        )
        self.temperature_curves = (
            _curves(settings, "cccm_t_enable", "temperatures_while_charging", "max_charge_current_t_fraction"),
            _curves(settings, "dccm_t_enable", "temperatures_while_discharging", "max_discharge_current_t_fraction"),
        )
        self.mosfet_curves = (
            _curves(
                settings,
                "cccm_t_mosfet_enable",
                "mosfet_temperatures_while_charging",
                "max_charge_current_t_mosfet_fraction",
            ),
            _curves(
                settings,
                "dccm_t_mosfet_enable",
                "mosfet_temperatures_while_discharging",
                "max_discharge_current_t_mosfet_fraction",
            ),
        )
        self.soc_curves = (
            _curves(settings, "cccm_soc_enable", "soc_while_charging", "max_charge_current_soc_fraction"),
            _curves(settings, "dccm_soc_enable", "soc_while_discharging", "max_discharge_current_soc_fraction"),
        )


def _curves(settings: Sequence[PackSettings], enable: str, points: str, fractions: str) -> CurveSet:
    return CurveSet(
        [
            Curve.of(getattr(s, points), getattr(s, fractions), s.charge_mode) if getattr(s, enable) else None
            for s in settings
        ]
    )
