"""The paths of our battery services that are not in the catalogue, and those that are: in tables.

``python -m packbank.outputs.venus.document`` prints them as ``docs/dbus.md``. Pure: neither dbus nor gi is needed, so
the tables can be tested and printed anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from packbank.model.battery import PackView, Presence, VirtualBattery
from packbank.model.catalogue import BANK, PACK, Quantity, Rate, Unit, expand
from packbank.model.catalogue.alarms import ALARM_TITLES
from packbank.model.columns import Alarm
from packbank.model.snapshot import PackSnapshot, Snapshot

MODULES = 10  # the GUI looks for one digit: /Diagnostics/Module0 to Module9

_CHANGE, _NUMBER, _TEXT = Rate.CHANGE, Unit.NUMBER, Unit.TEXT

# Paths that dbus-serialbattery has had under two names; both are served.
ALIASES = {
    "/Io/ForceChargingOff": "/Settings/ForceChargingOff",
    "/Io/ForceDischargingOff": "/Settings/ForceDischargingOff",
    "/Settings/ResetSoc": "/Settings/ResetSocTo",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceIdentity:
    """What a service says of itself."""

    version: str
    connection: str  # "RS485, 2 buses"; never empty, or Venus takes the battery for unplugged
    device_instance: int
    product_name: str
    custom_name: str = ""
    hardware: str = ""


IDENTITY: tuple[Quantity[ServiceIdentity], ...] = (
    Quantity("", "program", _TEXT, _CHANGE, lambda _: "packbank", "/Mgmt/ProcessName"),
    Quantity("", "its version", _TEXT, _CHANGE, lambda i: i.version, "/Mgmt/ProcessVersion"),
    Quantity("", "how the packs are connected", _TEXT, _CHANGE, lambda i: i.connection, "/Mgmt/Connection"),
    Quantity("", "from localsettings", _NUMBER, _CHANGE, lambda i: i.device_instance, "/DeviceInstance"),
    Quantity("", "0: no maker's special case applies", _NUMBER, _CHANGE, lambda _: 0, "/ProductId"),
    Quantity("", "`PRODUCT_NAME` of config.ini", _TEXT, _CHANGE, lambda i: i.product_name, "/ProductName"),
    Quantity(
        "",
        "the user's name, kept in localsettings",
        _TEXT,
        _CHANGE,
        lambda i: i.custom_name,
        "/CustomName",
        writeable=True,
    ),
    Quantity("", "version of packbank", _TEXT, _CHANGE, lambda i: i.version, "/FirmwareVersion"),
    Quantity("", "what the packs are", _TEXT, _CHANGE, lambda i: i.hardware, "/HardwareVersion"),
    Quantity("", "always 1: without a pack the service leaves", _NUMBER, _CHANGE, lambda _: 1, "/Connected"),
)


_EXPECTED = next(row for row in BANK if row.key == "expected")
_CURRENTS = (Alarm.HIGH_CHARGE_CURRENT, Alarm.HIGH_DISCHARGE_CURRENT)


def _high_current(snapshot: Snapshot) -> int | None:
    """The worse of the two directions; ``None`` where no pack reports either."""
    alarms = snapshot.battery.alarms
    return max((alarms[alarm] for alarm in _CURRENTS if alarm in alarms), default=None)


# What the GUI wants besides, from the same snapshot.
_GUI: tuple[Quantity[Snapshot], ...] = (
    replace(_EXPECTED, path="/System/BatteriesParallel", title="the same: all are in parallel"),
    Quantity("", "always 1", _NUMBER, _CHANGE, lambda _: 1, "/System/BatteriesSeries"),
    Quantity(
        "",
        "the worse of HighChargeCurrent and HighDischargeCurrent: 0 no, 1 warning, 2 alarm",
        _NUMBER,
        _CHANGE,
        _high_current,
        "/Alarms/HighCurrent",
    ),
    Quantity("", "the GUI's history shows temperatures", _NUMBER, _CHANGE, lambda _: 1, "/Settings/HasTemperature"),
)

_CATALOGUE = tuple(row for row in BANK if row.path)
BANK_PATHS: tuple[Quantity[Snapshot], ...] = (
    *_CATALOGUE,
    *_GUI,
    *(replace(row, path=ALIASES[row.path], title=f"the same as `{row.path}`") for row in BANK if row.path in ALIASES),
)

# The bank as it is shown where it must not control the GX: systemcalc takes a battery without CVL for no BMS.
BANK_PATHS_WITHOUT_LIMITS = tuple(replace(row, get=lambda _: None) if row.rate.limit else row for row in BANK_PATHS)

PACK_PATHS: tuple[Quantity[PackSnapshot], ...] = expand(row for row in PACK if row.path)


@dataclass(frozen=True, slots=True)
class Module:
    """What one of the GUI's ten module pages shows; ``known`` are the alarms that packs of the bank can report."""

    name: str = ""
    alarms: dict[Alarm, int] = field(default_factory=dict)
    known: frozenset[Alarm] = frozenset()


def modules(battery: VirtualBattery) -> tuple[Module, ...]:
    """The packs in alarm now, the worst first, ten at most; the rest of the ten pages is empty."""
    known = frozenset(battery.alarms)
    alarmed: list[Module] = []
    if any(battery.alarms.values()):  # a look at each pack costs more than all other paths together
        alarmed = [module for pack in battery.packs if (module := _module(pack, known)).alarms]
    shown = sorted(alarmed, key=lambda module: -max(module.alarms.values()))[:MODULES]
    return (*shown, *(Module(),) * (MODULES - len(shown)))


def _module(pack: PackView, known: frozenset[Alarm]) -> Module:
    """A lost pack reports no alarms any more; its loss is an alarm."""
    if pack.presence is not Presence.LOST:
        return Module(pack.name, pack.alarms, known)
    return Module(pack.name, {Alarm.BMS_CABLE: 1} if Alarm.BMS_CABLE in known else {}, known)


def _module_level(module: Module, alarm: Alarm) -> int | None:
    return module.alarms.get(alarm, 0) if alarm in module.known else module.alarms.get(alarm)


def _module_alarm(alarm: Alarm) -> Quantity[Module]:
    title, path = ALARM_TITLES[alarm], f"/Alarms/{alarm.venus}"
    return Quantity("", title, _NUMBER, _CHANGE, lambda m: _module_level(m, alarm), path)


MODULE: tuple[Quantity[Module], ...] = (
    Quantity("", "name of a pack that is in alarm; empty hides the page", _TEXT, _CHANGE, lambda m: m.name, "/Id"),
    *(_module_alarm(alarm) for alarm in Alarm),
)
