"""A bank on a private D-Bus, and what a client there hears of it."""

from __future__ import annotations

from typing import Any

from packbank.config.model import ServiceConfig
from packbank.model.commands import Command, SetControl
from packbank.model.controls import Controls
from packbank.outputs.venus.bank import BankOutput

NAME = "com.victronenergy.battery.packbank"
SETTINGS = "com.victronenergy.settings"
DEVICE = "/Settings/Devices/packbank/"


def publisher(bench: Any, **options: Any) -> BankOutput:
    options = {"connection": "RS485, 1 bus", "bus": bench.bus(), "send": lambda _: None} | options
    return BankOutput(ServiceConfig(), **options)


class Log:
    """What a connection hears: the owners of our name and the changed items, in order."""

    def __init__(self, bench: Any) -> None:
        self.events: list[tuple[str, Any]] = []
        self.bench = bench
        self.connection = bench.connect()
        self.connection.add_signal_receiver(self._owner, "NameOwnerChanged", "org.freedesktop.DBus", arg0=NAME)
        self.connection.add_signal_receiver(self._items, "ItemsChanged", "com.victronenergy.BusItem", path="/")
        self.connection.add_signal_receiver(self._other, "PropertiesChanged", "com.victronenergy.BusItem")

    def _owner(self, _name: str, _old: str, new: str) -> None:
        self.events.append(("owner", bool(new)))

    def _items(self, items: Any) -> None:
        self.events.append(("items", {str(path): item["Value"] for path, item in items.items()}))

    def _other(self, _properties: Any) -> None:
        self.events.append(("properties", None))

    def take(self) -> list[tuple[str, Any]]:
        self.bench.settle()
        events, self.events = self.events, []
        return events


def applied(sent: list[Command]) -> Controls:
    """The controls after the commands."""
    changes = {command.field: command.value for command in sent if isinstance(command, SetControl)}
    return Controls(**changes)  # type: ignore[arg-type]
