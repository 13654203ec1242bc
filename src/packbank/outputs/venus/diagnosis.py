"""What the D-Bus says about our battery: whether it is there, and whether the system follows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from packbank.config.outputs import SYSTEM
from packbank.errors import LinkError
from packbank.findings import Finding, note, ok, wrong
from packbank.model.catalogue import Value
from packbank.model.catalogue.alarms import ALARM_TITLES
from packbank.model.columns import Alarm
from packbank.outputs.venus.bank import NAME, STATUS
from packbank.outputs.venus.bus import DBus, from_wire
from packbank.outputs.venus.service import PREFIX, on_venus
from packbank.outputs.venus.settings import SERVICE as SETTINGS

OURS = PREFIX + NAME
DVCC = "/Settings/Services/Bol"


def venus_findings(bus: DBus) -> Iterator[Finding]:
    """Settings service, DVCC, and what systemcalc has chosen."""
    names = bus.names()
    if SETTINGS not in names and SYSTEM not in names and not on_venus():
        yield note("this is no Venus OS: nobody here follows a battery")
        return
    for name, use in (SETTINGS, "device instances and names are kept there"), (SYSTEM, "it follows the battery"):
        if name in names:
            yield ok(f"{name} is there")
        else:
            yield wrong(f"{name} is not on the D-Bus ({use})", "wait a minute after a boot; else restart the GX")
    if SETTINGS in names:
        yield _dvcc(bus)
    if SYSTEM in names and OURS in names:
        yield from _choices(bus)
    yield from _rivals(bus, names)


def battery_findings(bus: DBus) -> Iterator[Finding]:
    """The battery itself: packs, alarms, limits."""
    items = _items(bus, OURS)
    if not items:
        yield wrong(
            f"{OURS} is not on the D-Bus: packbank does not run, or too little is known of its packs yet",
            "ask 'packbank show'; the log is /var/log/packbank/current on the GX, journalctl -u packbank elsewhere",
        )
        return
    yield ok(f"{OURS}, device instance {items['/DeviceInstance']}, SoC {items['/Soc']} %")
    if items["/System/NrOfModulesOffline"]:
        yield wrong(f"{items['/ConnectionInformation']}", "check power, address and cable of the packs that are lost")
    else:
        yield ok(f"{items['/ConnectionInformation']}")
    for alarm, meaning in ALARM_TITLES.items():
        level = items.get(f"/Alarms/{alarm.venus}")
        if level and alarm is not Alarm.BMS_CABLE:
            yield wrong(f"alarm {alarm.venus}: {meaning}", _packs_with(items, alarm))


def read_status(bus: DBus) -> dict[str, Any]:
    """What a running daemon reports of its buses; empty when there is none."""
    try:
        status = json.loads(str(bus.call(OURS, STATUS, "GetValue")))
    except (LinkError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


def _dvcc(bus: DBus) -> Finding:
    switch = _value(bus, SETTINGS, DVCC)
    if isinstance(switch, int | float) and int(switch) & 1:
        return ok("DVCC is on")
    return wrong("DVCC is off: the limits of the battery reach nobody", "GX: Settings > DVCC > DVCC on")


def _choices(bus: DBus) -> Iterator[Finding]:
    instance = _value(bus, OURS, "/DeviceInstance")
    monitor = _value(bus, SYSTEM, "/ActiveBatteryService")
    if monitor == f"com.victronenergy.battery/{instance}":
        yield ok("systemcalc takes SoC and current from packbank")
    else:
        yield note(
            f"systemcalc takes SoC and current from {monitor or 'nobody'}",
            "if that is not wanted: GX: Settings > System setup > Battery monitor > packbank",
        )
    controller = _value(bus, SYSTEM, "/ActiveBmsService")
    if controller == OURS:
        yield ok("systemcalc follows the limits of packbank")
    else:
        yield wrong(
            f"systemcalc follows the limits of {controller or 'no BMS'}",
            "GX: Settings > DVCC > Controlling BMS > packbank (or automatic, with no other BMS of a lower instance)",
        )


def _rivals(bus: DBus, names: list[str]) -> Iterator[Finding]:
    others = [name for name in names if name.startswith(PREFIX) and name != OURS]
    instance = _value(bus, OURS, "/DeviceInstance") if OURS in names else None
    for name in others:
        if _value(bus, name, "/Info/MaxChargeVoltage") is not None:
            yield note(
                f"{name} also has a charge voltage: the system has two BMSs to choose from",
                "stop that driver if it reads the same packs, or choose packbank as controlling BMS",
            )
        if instance is not None and _value(bus, name, "/DeviceInstance") == instance:
            yield wrong(
                f"{name} has our device instance {instance}: systemcalc mixes the two up",
                "GX: Settings > VRM > VRM device instances: give one of them another number",
            )


def _packs_with(items: dict[str, Value], alarm: Alarm) -> str:
    modules = [path.removesuffix("/Id") for path, value in items.items() if path.endswith("/Id") and value]
    packs = [str(items[f"{module}/Id"]) for module in modules if items.get(f"{module}/Alarms/{alarm.venus}")]
    return f"look at {', '.join(packs)}" if packs else "look at the bank as a whole: no single pack reports it"


def _items(bus: DBus, service: str) -> dict[str, Value]:
    try:
        items = bus.call(service, "/", "GetItems")
    except LinkError:
        return {}
    return {str(path): from_wire(item["Value"]) for path, item in items.items()}


def _value(bus: DBus, service: str, path: str) -> Value:
    try:
        return from_wire(bus.call(service, path, "GetValue"))
    except LinkError:
        return None
