"""A virtual battery to show: two packs, plausible values, and whatever a test wants changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packbank.model.battery import (
    CAUSES,
    PRESENCES,
    Cause,
    Extreme,
    History,
    Limit,
    Packs,
    PackView,
    Presence,
    VirtualBattery,
)
from packbank.model.bus_stats import BusStats
from packbank.model.columns import SENSOR_NUMBERS, Alarm, empty_matrix
from packbank.model.controls import Controls
from packbank.model.identity import Identity, Place
from packbank.model.snapshot import Snapshot

NAN = float("nan")


def pack_view(name: str, **changes: Any) -> PackView:
    values: dict[str, Any] = {
        "presence": Presence.FRESH,
        "age": 0.4,
        "blocks_charge": False,
        "blocks_discharge": False,
        "charge_limit": 100.0,
        "discharge_limit": 150.0,
        "charge_share": 0.5,
        "discharge_share": 0.5,
    }
    return PackView(name=name, **(values | changes))


def packs_of(views: Sequence[PackView]) -> Packs:
    """Packs whose elements are ``views``."""

    def both(charge: str, discharge: str) -> list[list[Any]]:
        return [[getattr(view, name) for view in views] for name in (charge, discharge)]

    return Packs(
        names=tuple(view.name for view in views),
        presence=np.array([PRESENCES.index(view.presence) for view in views], dtype=np.int8),
        age=np.array([view.age for view in views]),
        blocked=np.array(both("blocks_charge", "blocks_discharge")),
        limit=np.array(both("charge_limit", "discharge_limit"), dtype=np.float64),
        share=np.array(both("charge_share", "discharge_share"), dtype=np.float64),
        cause=np.array([[CAUSES.index(c) for c in row] for row in both("charge_cause", "discharge_cause")], np.int8),
        unlimited=np.array(both("charge_unlimited", "discharge_unlimited")),
        estimated=np.array(both("charge_estimated", "discharge_estimated")),
        suspect=np.array([[number in view.suspect_sensors for view in views] for number in SENSOR_NUMBERS]),
        absent=np.array([[number in view.absent_sensors for view in views] for number in SENSOR_NUMBERS]),
        temperature=np.array(both("coldest", "hottest"), dtype=np.float64),
        alarms=np.array([[view.alarms.get(alarm, 0) for alarm in Alarm] for view in views], dtype=np.float64),
    )


def snapshot(
    battery: VirtualBattery | None = None,
    time: float = 0.0,
    *,
    rows: NDArray[np.float64] | None = None,
    buses: tuple[BusStats, ...] = (),
    controls: Controls | None = None,
    **changes: Any,
) -> Snapshot:
    """A snapshot of ``battery``, or of a :func:`virtual_battery` with ``changes``."""
    battery = battery or virtual_battery(**changes)
    packs = len(battery.packs)
    return Snapshot(
        number=1,
        time=time,
        wall=1_700_000_000.0 + time,
        battery=battery,
        rows=empty_matrix(packs) if rows is None else rows,
        places=tuple(Place("roof", address) for address in range(1, packs + 1)),
        identities=(Identity(),) * packs,
        buses=buses,
        controls=controls or Controls(),
    )


def virtual_battery(**changes: Any) -> VirtualBattery:
    values: dict[str, Any] = {
        "packs": (pack_view("pack 1"), pack_view("pack 2")),
        "ready": True,
        "voltage": 53.1249,
        "current": -12.34,
        "power": -655.6,
        "temperature": 21.26,
        "temperature_mos": 30.0,
        "soc": 76.54,
        "soh": 100.0,
        "remaining_capacity": 428.6,
        "installed_capacity": 560.0,
        "consumed_ah": -131.4,
        "time_to_go": 125_000.0,
        "charge_voltage_limit": Limit(55.2),
        "charge_current_limit": Limit(123.46, 1, Cause.CELL_VOLTAGE, 0.5, "cell 12 3.470 V"),
        "discharge_current_limit": Limit(240.0, 0, Cause.BMS, 0.5),
        "battery_low_voltage": 46.4,
        "charge_request": False,
        "allow_to_charge": True,
        "allow_to_discharge": True,
        "allow_to_balance": True,
        "balancing": False,
        "heating": False,
        "stage": "bulk",
        "waiting_for": (),
        "unfinished": (),
        "online": 2,
        "offline": 0,
        "blocking_charge": 0,
        "blocking_discharge": 0,
        "cells_per_pack": 16,
        "lowest_cell": Extreme(3.301, 0, 4),
        "highest_cell": Extreme(3.47, 1, 12),
        "lowest_temperature": Extreme(20.0, 0, 1),
        "highest_temperature": Extreme(23.5, 1, 2),
        "alarms": {Alarm.LOW_SOC: 0, Alarm.BMS_CABLE: 0, Alarm.HIGH_CELL_VOLTAGE: 0},
        "history": History(charge_cycles=12.4, total_ah_drawn=-4321.0),
    }
    values |= changes
    return VirtualBattery(**values | {"packs": packs_of(values["packs"])})


def lost_battery() -> VirtualBattery:
    """The same bank with no pack that answers."""
    return virtual_battery(
        packs=(pack_view("pack 1", presence=Presence.LOST), pack_view("pack 2", presence=Presence.LOST)),
        online=0,
        offline=2,
        voltage=NAN,
        current=NAN,
        power=NAN,
        soc=NAN,
        charge_voltage_limit=Limit(NAN),
        charge_current_limit=Limit(0.0, -1, Cause.LOST_PACK),
        discharge_current_limit=Limit(0.0, -1, Cause.LOST_PACK),
        allow_to_charge=False,
        allow_to_discharge=False,
        alarms={Alarm.BMS_CABLE: 2, Alarm.LOW_SOC: 0, Alarm.HIGH_CELL_VOLTAGE: 0},
    )
