"""Venus OS's settings service (localsettings): where a device keeps its number, its name and its user's wishes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from packbank.errors import LinkError
from packbank.outputs.venus.bus import Bus, from_wire, to_wire
from packbank.outputs.venus.path import Value

SERVICE = "com.victronenergy.settings"
INSTANCE = "ClassAndVrmInstance"
_LOG = logging.getLogger(__name__)


class LocalSettings:
    """The settings of one device, ``/Settings/Devices/<device>/...``; harmless where the service is absent."""

    def __init__(self, bus: Bus, device: str) -> None:
        self._bus = bus
        self._root = f"/Settings/Devices/{device}/"
        self._changed: Callable[[str, Value], None] | None = None

    def present(self) -> bool:
        """Whether the settings service is on the bus."""
        return self._bus.has_owner(SERVICE)

    def add(self, defaults: Mapping[str, Value]) -> dict[str, Value]:
        """Make sure that the settings exist; the stored values by key, as far as the service is there and has them.

        Raises LinkError when it is there but does not answer in time.
        """
        if not self.present():
            return {}
        rows = [{"path": self._root + key, "default": default} for key, default in defaults.items()]
        answers = self._bus.call(SERVICE, "/", "AddSettings", "aa{sv}", rows, interface="com.victronenergy.Settings")
        values: dict[str, Value] = {}
        for answer in answers:
            key = str(answer["path"]).removeprefix(self._root)
            if int(answer["error"]) == 0 and key in defaults:
                values[key] = from_wire(answer["value"])
            else:
                _LOG.warning("localsettings refused %s (error %d)", answer["path"], int(answer["error"]))
        return values

    def write(self, key: str, value: Value) -> bool:
        """Store a value; false when the service is absent or refuses."""
        if not self.present():
            return False
        try:
            return int(self._bus.call(SERVICE, self._root + key, "SetValue", "v", to_wire(value))) == 0
        except LinkError as error:
            _LOG.warning("%s is not stored: %s", key, error)
            return False

    def watch(self, changed: Callable[[str, Value], None]) -> None:
        """Call ``changed(key, value)`` when somebody changes one of the device's settings."""
        self._changed = changed
        self._bus.listen(SERVICE, "PropertiesChanged", self._on_properties)
        self._bus.listen(SERVICE, "ItemsChanged", self._on_items, "/")

    def _on_properties(self, properties: Mapping[str, Any], path: str) -> None:
        if path.startswith(self._root) and "Value" in properties and self._changed is not None:
            self._changed(path.removeprefix(self._root), from_wire(properties["Value"]))

    def _on_items(self, items: Mapping[str, Mapping[str, Any]], path: str) -> None:
        del path
        for name, properties in items.items():
            self._on_properties(properties, str(name))


def parse_instance(setting: Value, default: int) -> int:
    """The number in ``battery:12``; ``default`` when it is not written like that."""
    kind, _, number = str(setting).partition(":")
    return int(number) if kind == "battery" and number.isdigit() else default
