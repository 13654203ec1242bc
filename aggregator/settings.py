"""What the user may set of the bank's arithmetic, as two frozen dataclasses.

Each field is declared with :func:`setting`, which keeps its unit, its allowed range and its meaning; the
configuration reader takes a field's key (its name in upper case), type and range from here, and the
documentation's table of keys is printed from here. Names and defaults follow dbus-serialbattery where its
default is safe for packs in parallel; a field's meaning says where it is not and what we do instead.

``PackSettings`` may stand in ``[DEFAULT]`` for every pack and in a ``[pack:...]`` section for one;
``BankSettings`` hold for the bank as a whole. Rules across fields are in :mod:`packbank.aggregator.checks`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class SocMode(StrEnum):
    """How the packs' states of charge become the bank's."""

    CAPACITY = "capacity"  # weighted by capacity
    MINIMUM = "minimum"  # the emptiest pack
    USABLE = "usable"  # weighted by capacity, only packs that can discharge now


def setting(default: Any, meaning: str, unit: str = "", low: float | None = None, high: float | None = None) -> Any:
    """Declare a field of a settings dataclass; ``low`` and ``high`` bound the value (each element of a list)."""
    return field(default=default, metadata={"meaning": meaning, "unit": unit, "low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class PackSettings:
    """Settings that each pack may have of its own."""

    # Voltages of a cell.
    max_cell_voltage: float = setting(
        3.45,
        "charge voltage per cell: the pack's target in bulk and absorption, and its over-voltage guard",
        "V",
        2,
        4.5,
    )
    float_cell_voltage: float = setting(3.375, "holding voltage per cell once the bank is full", "V", 2, 4.5)
    min_cell_voltage: float = setting(
        2.9,
        "low reference per cell: the published battery low voltage; the discharge curve is what protects",
        "V",
        1.5,
        4,
    )
    soc_reset_cell_voltage: float = setting(
        3.65,
        "charge voltage per cell during a scheduled top balance; kept below the BMS's own over-voltage protection",
        "V",
        2,
        4.5,
    )

    # Currents.
    max_battery_charge_current: float | None = setting(
        None,
        "ceiling of this pack's charge current; empty: what the BMS allows (dbus-serialbattery: 50 A)",
        "A",
        0,
        2000,
    )
    max_battery_discharge_current: float | None = setting(
        None,
        "ceiling of this pack's discharge current; empty: what the BMS allows (dbus-serialbattery: 60 A)",
        "A",
        0,
        2000,
    )

    # What the bank must know of the pack.
    battery_capacity: float | None = setting(
        None,
        "capacity of a pack whose BMS reports none; the pack's weight in SoC and share (dbus-serialbattery: 99 Ah, "
        "which would undervalue a larger pack)",
        "Ah",
        1,
        10000,
    )
    resistance_factor: float = setting(
        1.0,
        "resistance of this pack and its cables against its neighbours of equal capacity: 2 takes half the current",
        "",
        0.1,
        10,
    )
    temperature_source_battery: tuple[int, ...] = setting(
        (1, 2, 3, 4), "battery sensors that count, for display and for the temperature curves", "", 1, 4
    )
    sensor_lost_fraction: float = setting(
        0.5,
        "what is left of the current limits when a temperature or SoC that the pack used to report is missing "
        "(dbus-serialbattery: everything)",
        "",
        0,
        1,
    )

    # Curves: point k of the first list belongs to fraction k of the second.
    charge_mode: int = setting(
        1,
        "curves: 1 linear between the points, 2 stepped, always the stricter neighbour (dbus-serialbattery: varies)",
        "",
        1,
        2,
    )
    cccm_cv_enable: bool = setting(True, "limit the charge current by the highest cell")
    cell_voltages_while_charging: tuple[float, ...] = setting(
        (3.5, 3.45, 3.425, 3.4, 3.375), "highest cell: points of the charge curve", "V", 1.5, 4.5
    )
    max_charge_current_cv_fraction: tuple[float, ...] = setting(
        (0.0, 0.005, 0.05, 0.25, 1.0), "highest cell: fractions of the charge ceiling", "", 0, 1
    )
    dccm_cv_enable: bool = setting(True, "limit the discharge current by the lowest cell")
    cell_voltages_while_discharging: tuple[float, ...] = setting(
        (2.8, 2.9, 3.0, 3.1, 3.19), "lowest cell: points of the discharge curve", "V", 1.5, 4.5
    )
    max_discharge_current_cv_fraction: tuple[float, ...] = setting(
        (0.0, 0.005, 0.05, 0.25, 1.0), "lowest cell: fractions of the discharge ceiling", "", 0, 1
    )
    cccm_t_enable: bool = setting(True, "limit the charge current by the coldest and the hottest battery sensor")
    temperatures_while_charging: tuple[float, ...] = setting(
        (0.0, 2.0, 5.0, 10.0, 40.0, 45.0, 50.0, 55.0),
        "battery temperature: points of the charge curve",
        "degC",
        -50,
        120,
    )
    max_charge_current_t_fraction: tuple[float, ...] = setting(
        (0.0, 0.25, 0.5, 1.0, 1.0, 0.5, 0.25, 0.0), "battery temperature: fractions of the charge ceiling", "", 0, 1
    )
    dccm_t_enable: bool = setting(True, "limit the discharge current by the coldest and the hottest battery sensor")
    temperatures_while_discharging: tuple[float, ...] = setting(
        (-10.0, 0.0, 5.0, 10.0, 40.0, 45.0, 50.0, 55.0),
        "battery temperature: points of the discharge curve",
        "degC",
        -50,
        120,
    )
    max_discharge_current_t_fraction: tuple[float, ...] = setting(
        (0.0, 0.25, 0.5, 1.0, 1.0, 0.5, 0.25, 0.0), "battery temperature: fractions of the discharge ceiling", "", 0, 1
    )
    cccm_t_mosfet_enable: bool = setting(True, "limit the charge current by the MOSFET temperature")
    mosfet_temperatures_while_charging: tuple[float, ...] = setting(
        (70.0, 80.0, 90.0), "MOSFET temperature: points of the charge curve", "degC", -50, 200
    )
    max_charge_current_t_mosfet_fraction: tuple[float, ...] = setting(
        (1.0, 0.25, 0.0), "MOSFET temperature: fractions of the charge ceiling", "", 0, 1
    )
    dccm_t_mosfet_enable: bool = setting(True, "limit the discharge current by the MOSFET temperature")
    mosfet_temperatures_while_discharging: tuple[float, ...] = setting(
        (70.0, 80.0, 90.0), "MOSFET temperature: points of the discharge curve", "degC", -50, 200
    )
    max_discharge_current_t_mosfet_fraction: tuple[float, ...] = setting(
        (1.0, 0.25, 0.0), "MOSFET temperature: fractions of the discharge ceiling", "", 0, 1
    )
    cccm_soc_enable: bool = setting(False, "limit the charge current by the pack's SoC")
    soc_while_charging: tuple[float, ...] = setting(
        (98.0, 95.0, 90.0, 85.0), "SoC: points of the charge curve", "%", 0, 100
    )
    max_charge_current_soc_fraction: tuple[float, ...] = setting(
        (0.1, 0.2, 0.5, 1.0), "SoC: fractions of the charge ceiling", "", 0, 1
    )
    dccm_soc_enable: bool = setting(False, "limit the discharge current by the pack's SoC")
    soc_while_discharging: tuple[float, ...] = setting(
        (5.0, 10.0, 15.0, 20.0), "SoC: points of the discharge curve", "%", 0, 100
    )
    max_discharge_current_soc_fraction: tuple[float, ...] = setting(
        (0.1, 0.2, 0.5, 1.0), "SoC: fractions of the discharge ceiling", "", 0, 1
    )


@dataclass(frozen=True, kw_only=True)
class BankSettings:
    """Settings of the bank as a whole."""

    # Which packs count.
    held_after: float = setting(
        5.0,
        "silence after which a pack is held: last values count, limits may only fall; up to twice as long where packs "
        "have their turn less often",
        "s",
        1,
        600,
    )
    lost_after: float = setting(
        30.0,
        "silence after which a pack is lost: out of the sums, named in an alarm (dbus-serialbattery: minutes)",
        "s",
        2,
        3600,
    )
    lost_pack_may_conduct: bool = setting(
        True, "a lost pack may still carry current: its last limit stays respected; False trusts that it is off"
    )
    join_voltage: float = setting(0.5, "a pack joins when its voltage is this near to the bank's", "V", 0.05, 10)
    join_after: float = setting(3.0, "how long a returning pack must look well before it joins", "s", 0, 600)
    start_timeout: float = setting(30.0, "how long the start waits for packs that have not answered yet", "s", 0, 3600)

    # Current limits of the bank.
    max_bank_charge_current: float | None = setting(
        None, "ceiling for the whole bank: busbar, fuses, chargers", "A", 0, 20000
    )
    max_bank_discharge_current: float | None = setting(
        None, "ceiling for the whole bank: busbar, fuses, inverters", "A", 0, 20000
    )
    reserve_packs: int = setting(
        0,
        "room in the limits for as many packs that drop out at once, so that none of the others trips; costs about "
        "their part of the bank; only where a BMS waits for 10 s or less, or does not report its delay",
        "",
        0,
        8,
    )
    sensor_error: float = setting(
        0.015,
        "margin that the current limits keep for what the measured shares do not show: noise and delay",
        "",
        0,
        0.2,
    )
    ccl_recovery_hold_sec: float = setting(
        5.0, "how long a higher charge limit must be justified before CCL rises", "s", 0, 3600
    )
    dcl_recovery_hold_sec: float = setting(
        5.0, "how long a higher discharge limit must be justified before DCL rises", "s", 0, 3600
    )
    ccl_recovery_rate_a_per_sec: float = setting(
        10.0,
        "how fast CCL rises, for each conducting pack; 0: at once (dbus-serialbattery: 5)",
        "A/s",
        0,
        1000,
    )
    dcl_recovery_rate_a_per_sec: float = setting(
        10.0,
        "how fast DCL rises, for each conducting pack; 0: at once (dbus-serialbattery: 5)",
        "A/s",
        0,
        1000,
    )
    charge_current_recovery_threshold_percent: float = setting(
        0.015, "after CCL 0, charge again only from this fraction (not percent) of the packs' ceilings", "", 0, 1
    )
    discharge_current_recovery_threshold_percent: float = setting(
        0.015, "after DCL 0, discharge again only from this fraction (not percent) of the packs' ceilings", "", 0, 1
    )

    # Charge voltage.
    voltage_drop: float = setting(0.0, "loss between charger and packs, added once to the published CVL", "V", 0, 2)
    stop_charge_by_voltage: bool = setting(
        True,
        "while more than CCL flows and stays (chargers heed no CCL during DC feed-in), lower the CVL to where CCL "
        "flows (dbus-serialbattery: no)",
    )
    cvcm_enable: bool = setting(True, "run the charge stages; False holds the target voltage, guards stay on")
    switch_to_float_wait_for_sec: float = setting(
        900.0, "how long each pack must be at its target, balanced, before float", "s", 0, 86400
    )
    switch_to_float_cell_voltage_diff: float = setting(
        0.010, "cell difference in a pack that counts as balanced", "V", 0, 10
    )
    switch_to_float_cell_voltage_deviation: float = setting(
        0.003, "further difference that is tolerated before the pack's wait starts again", "V", 0, 10
    )
    absorption_max_sec: float = setting(
        14400.0,
        "longest absorption: then float, naming the packs that were not finished (dbus-serialbattery: no end)",
        "s",
        60,
        604800,
    )
    switch_to_bulk_soc_threshold: float = setting(80.0, "below this SoC of the bank float ends; 0 never", "%", 0, 100)
    switch_to_bulk_after_days: float | None = setting(
        7.0,
        "float ends after as many days, so that a bank that never falls below that SoC is balanced; empty: never "
        "(dbus-serialbattery: never)",
        "days",
        0.1,
        3650,
    )
    switch_to_bulk_cell_voltage_diff: float = setting(
        0.080, "cell difference in a balanced pack that ends float; 10 never", "V", 0, 10
    )
    soc_reset_after_days: float | None = setting(
        None, "days between top balances of the whole bank at SOC_RESET_CELL_VOLTAGE; empty: never", "days", 1, 3650
    )
    cvl_recovery_hold_sec: float = setting(
        60.0, "pause after an over-voltage before the CVL may rise again", "s", 0, 3600
    )
    cvl_recovery_rate_v_per_sec: float = setting(
        0.005, "fastest rise of the CVL after an over-voltage (dbus-serialbattery: 0.001)", "V/s", 0.0001, 10
    )

    # State of charge.
    soc_mode: SocMode = setting(  # noqa: RUF009  (a field declaration like the others; an enum member is immutable)
        SocMode.CAPACITY, "how the packs' SoC become the bank's: capacity, minimum, usable"
    )
    soc_counts_lost_packs: bool = setting(False, "count a lost pack as empty in the bank's SoC; False leaves it out")
    soc_calculation: bool = setting(
        False, "count the bank's ampere-hours here instead of using the packs' SoC; 100 % when full"
    )
    soc_low_warning: float = setting(20.0, "low SoC warning below this; also where time to go ends", "%", 0, 100)
    soc_low_alarm: float = setting(10.0, "low SoC alarm below this", "%", 0, 100)

    # Alarms.
    alarm_delay: float = setting(
        3.0, "how long an alarm must last to be raised, and to be gone to be cleared", "s", 0, 600
    )
    bms_cable_alarm: bool = setting(True, "raise the BMS cable alarm when a pack is lost")
