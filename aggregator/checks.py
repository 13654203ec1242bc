"""Rules across settings that no single field's range can state, as lists of what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from packbank.aggregator.settings import BankSettings, PackSettings


@dataclass(frozen=True, slots=True)
class WrongSetting:
    """What is wrong with ``field`` (its name in lower case) and what to do."""

    field: str
    text: str


# Enable switch, points, fractions; whether the fraction at the dangerous end must be 0, and which end that is.
_CURVES = (
    ("cccm_cv_enable", "cell_voltages_while_charging", "max_charge_current_cv_fraction", "high"),
    ("dccm_cv_enable", "cell_voltages_while_discharging", "max_discharge_current_cv_fraction", "low"),
    ("cccm_t_enable", "temperatures_while_charging", "max_charge_current_t_fraction", "both"),
    ("dccm_t_enable", "temperatures_while_discharging", "max_discharge_current_t_fraction", "both"),
    ("cccm_t_mosfet_enable", "mosfet_temperatures_while_charging", "max_charge_current_t_mosfet_fraction", "high"),
    (
        "dccm_t_mosfet_enable",
        "mosfet_temperatures_while_discharging",
        "max_discharge_current_t_mosfet_fraction",
        "high",
    ),
    ("cccm_soc_enable", "soc_while_charging", "max_charge_current_soc_fraction", ""),
    ("dccm_soc_enable", "soc_while_discharging", "max_discharge_current_soc_fraction", ""),
)


def pack_problems(settings: PackSettings) -> list[WrongSetting]:
    """What is wrong with one pack's settings; empty when they can be used."""
    problems = [problem for curve in _CURVES if getattr(settings, curve[0]) for problem in _curve(settings, *curve[1:])]
    problems += _voltages(settings)
    if not settings.temperature_source_battery and (settings.cccm_t_enable or settings.dccm_t_enable):
        problems.append(
            WrongSetting(
                "temperature_source_battery",
                "names no sensor, so temperature limits nothing; name sensors of 1 to 4, or switch "
                "CCCM_T_ENABLE and DCCM_T_ENABLE off",
            )
        )
    return problems


def bank_problems(settings: BankSettings) -> list[WrongSetting]:
    """What is wrong with the bank's settings; empty when they can be used."""
    problems = []
    if settings.lost_after <= settings.held_after:
        problems.append(WrongSetting("lost_after", f"must be longer than HELD_AFTER ({settings.held_after:g} s)"))
    if settings.soc_low_alarm > settings.soc_low_warning:
        problems.append(
            WrongSetting("soc_low_alarm", f"must not be above SOC_LOW_WARNING ({settings.soc_low_warning:g} %)")
        )
    if settings.absorption_max_sec <= settings.switch_to_float_wait_for_sec:
        wait = settings.switch_to_float_wait_for_sec
        problems.append(
            WrongSetting("absorption_max_sec", f"must be longer than SWITCH_TO_FLOAT_WAIT_FOR_SEC ({wait:g} s)")
        )
    if settings.switch_to_bulk_cell_voltage_diff <= settings.switch_to_float_cell_voltage_diff:
        difference = settings.switch_to_float_cell_voltage_diff
        problems.append(
            WrongSetting(
                "switch_to_bulk_cell_voltage_diff",
                f"must be larger than SWITCH_TO_FLOAT_CELL_VOLTAGE_DIFF ({difference:g} V), or float ends as it begins",
            )
        )
    if settings.soc_reset_after_days is not None and not settings.cvcm_enable:
        problems.append(
            WrongSetting(
                "soc_reset_after_days", "needs CVCM_ENABLE = True: without charge stages a top balance never ends"
            )
        )
    return problems


def _curve(settings: PackSettings, points: str, fractions: str, zero_at: str) -> list[WrongSetting]:
    """Equal lengths, points in order, and no current at the end where the pack must be spared."""
    x, y = getattr(settings, points), getattr(settings, fractions)
    if len(x) != len(y) or not x:
        return [
            WrongSetting(
                fractions, f"needs one fraction for each of {points.upper()}: {len(x)} points, {len(y)} fractions"
            )
        ]
    ascending = list(x) == sorted(x)
    if not ascending and list(x) != sorted(x, reverse=True):
        return [WrongSetting(points, "must run upwards or downwards all the way")]
    low, high = (y[0], y[-1]) if ascending else (y[-1], y[0])
    problems = []
    if zero_at in {"low", "both"} and low > 0.0:
        problems.append(
            WrongSetting(fractions, f"must be 0 at the lowest point of {points.upper()}, or nothing stops there")
        )
    if zero_at in {"high", "both"} and high > 0.0:
        problems.append(
            WrongSetting(fractions, f"must be 0 at the highest point of {points.upper()}, or nothing stops there")
        )
    if max(y) < 1.0:
        problems.append(
            WrongSetting(fractions, "must be 1 somewhere, or the ceiling is never reached; lower the ceiling instead")
        )
    return problems


def _voltages(settings: PackSettings) -> list[WrongSetting]:
    """Voltages in order, and charge curves that reach the charge voltage."""
    problems = []
    order = ("min_cell_voltage", "float_cell_voltage", "max_cell_voltage", "soc_reset_cell_voltage")
    for lower, higher in pairwise(order):
        if getattr(settings, lower) > getattr(settings, higher):
            problems.append(
                WrongSetting(lower, f"must not be above {higher.upper()} ({getattr(settings, higher):g} V)")
            )
    x, y = settings.cell_voltages_while_charging, settings.max_charge_current_cv_fraction
    if settings.cccm_cv_enable and x and len(x) == len(y) and max(x) < settings.max_cell_voltage:
        problems.append(
            WrongSetting(
                "cell_voltages_while_charging",
                f"ends at {max(x):g} V, below MAX_CELL_VOLTAGE ({settings.max_cell_voltage:g} V), never reached",
            )
        )
    return problems
