"""Stand-ins for Venus OS's localsettings and systemcalc, as processes of their own; only what packbank meets.

``python stand_ins.py ADDRESS settings|system``. Behaviour as measured on the real ones: a setting that exists keeps its
value, instances are unique within a class, a change is signalled by the leaf. systemcalc scans a battery once,
when its name appears, drops it for good if it has no device instance, and takes it for a BMS while its
CVL is valid.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from packbank.errors import LinkError
from packbank.model.catalogue import Value
from packbank.outputs.venus.bindings import GLib, dbus
from packbank.outputs.venus.bus import DBus, from_wire
from packbank.outputs.venus.item import Item
from packbank.outputs.venus.items import Items

BATTERY = "com.victronenergy.battery."
CVL = "/Info/MaxChargeVoltage"


class Settings:
    """com.victronenergy.settings."""

    def __init__(self, bus: DBus) -> None:
        self._bus = bus
        self._items = Items(bus)
        self._values: dict[str, Value] = {}
        bus.serve("com.victronenergy.Settings", self._on_call)
        self._add("/Settings/Services/Bol", 0)
        assert bus.own("com.victronenergy.settings")

    def _on_call(self, _path: str, member: str, args: list[Any]) -> tuple[str, Any]:
        assert member == "AddSettings"
        return "aa{sv}", [self._added(setting) for setting in args[0]]

    def _added(self, setting: Mapping[str, Any]) -> dict[str, Any]:
        path, default = str(setting["path"]), setting["default"]
        if not isinstance(default, dbus.Int32 | dbus.Double | dbus.String):
            return {"error": -3, "path": path}
        return {"error": 0, "path": path, "value": self._add(path, from_wire(default))}

    def _add(self, path: str, default: Value) -> Value:
        if path not in self._values:
            value = self._free(str(default)) if path.endswith("/ClassAndVrmInstance") else default
            self._values[path] = value
            self._items.store({path: Item(value, str(value))})
            self._items.let_write(path, lambda new: self._write(path, new))
        return self._values[path]

    def _free(self, wanted: str) -> str:
        kind, _, number = wanted.partition(":")
        names = (f"{kind}:{int(number) + i}" for i in range(100))
        return next(name for name in names if name not in self._values.values())

    def _write(self, path: str, value: Value) -> Item:
        self._values[path] = value
        item = Item(value, str(value))
        self._bus.signal(path, "PropertiesChanged", "a{sv}", {"Value": value, "Text": item.text})
        return item


class System:
    """com.victronenergy.system."""

    def __init__(self, bus: DBus) -> None:
        self._bus = bus
        self._items = Items(bus)
        self._batteries: dict[str, dict[str, Value]] = {}
        connection = bus._connection
        connection.add_signal_receiver(self._on_owner, "NameOwnerChanged", "org.freedesktop.DBus")
        connection.add_signal_receiver(
            self._on_items, "ItemsChanged", "com.victronenergy.BusItem", sender_keyword="sender"
        )
        self._owners: dict[str, str] = {}
        self._publish()
        assert bus.own("com.victronenergy.system")

    def _on_owner(self, name: str, _old: str, new: str) -> None:
        if not name.startswith(BATTERY):
            return
        self._batteries.pop(name, None)
        if new:
            try:
                items = self._bus.call(name, "/", "GetItems")
            except LinkError:
                return
            values = {str(path): from_wire(item["Value"]) for path, item in items.items()}
            if values.get("/DeviceInstance") is not None:
                self._owners[new] = name
                self._batteries[name] = values
        self._publish()

    def _on_items(self, items: Mapping[str, Any], sender: str) -> None:
        values = self._batteries.get(self._owners.get(sender, ""))
        if values is not None:
            values.update({str(path): from_wire(item["Value"]) for path, item in items.items()})
            self._publish()

    def _publish(self) -> None:
        managed = {name: values for name, values in self._batteries.items() if values.get(CVL) is not None}
        active = next(iter(self._batteries.values()), {})
        chosen = min(managed, key=lambda name: int(managed[name]["/DeviceInstance"] or 0), default="")
        values: dict[str, Value] = {
            "/ActiveBmsService": chosen or None,
            "/ActiveBatteryService": f"com.victronenergy.battery/{active['/DeviceInstance']}" if active else None,
            "/Dc/Battery/Soc": active.get("/Soc"),
            "/Dc/Battery/Current": active.get("/Dc/0/Current"),
            "/Dc/Battery/ChargeVoltage": managed[chosen][CVL] if chosen else None,
            "/Control/Dvcc": 1,
        }
        self._items.announce({path: Item(value, str(value)) for path, value in values.items()})


def main() -> None:
    address, kind = sys.argv[1:]
    bus = DBus(address)
    _service = Settings(bus) if kind == "settings" else System(bus)
    print("ready", flush=True)
    context = GLib.MainContext.default()
    while not bus.gone:
        context.iteration(True)


if __name__ == "__main__":
    main()
