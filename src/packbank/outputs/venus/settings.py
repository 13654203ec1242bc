"""Venus OS's settings service (localsettings): where a device keeps its number, its name and its user's wishes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from packbank.model.catalogue import Value
from packbank.outputs.venus.bus import DBus, from_wire, to_wire

SERVICE = "com.victronenergy.settings"
INSTANCE = "ClassAndVrmInstance"
_INTERFACE = "com.victronenergy.Settings"
_INSTANCE_DIGITS = 9  # more do not fit into the 32 bits that the D-Bus carries
_LOG = logging.getLogger(__name__)


class LocalSettings:
    """The settings of one device, ``/Settings/Devices/<device>/...``; harmless where the service is absent.

    What cannot be stored now is stored when the service comes back.
    """

    def __init__(self, bus: DBus, device: str) -> None:
        self._bus = bus
        self._root = f"/Settings/Devices/{device}/"
        self._changed: Callable[[str, Value], None] | None = None
        self._known: dict[str, Value] = {}  # as the service has them, or is to have them
        self._unsaved: set[str] = set()

    def present(self) -> bool:
        """Whether the settings service is on the bus."""
        return self._bus.has_owner(SERVICE)

    def add(self, defaults: Mapping[str, Value]) -> dict[str, Value]:
        """Make sure that the settings exist; the stored values by key, as far as the service is there and has them.

        Raises LinkError when it is there but does not answer in time.
        """
        self._known |= defaults
        if not self.present():
            self._unsaved |= defaults.keys()
            return {}
        answers = self._bus.call(SERVICE, "/", "AddSettings", "aa{sv}", self._rows(defaults), interface=_INTERFACE)
        values: dict[str, Value] = {}
        for answer in answers:
            key = str(answer["path"]).removeprefix(self._root)
            if int(answer["error"]) == 0 and key in defaults:
                values[key] = from_wire(answer["value"])
            else:
                _LOG.warning("localsettings refused %s (error %d)", answer["path"], int(answer["error"]))
        self._known |= values
        return values

    def write(self, key: str, value: Value) -> None:
        """Store a value without waiting for it; a value that is stored already costs nothing."""
        if self._known.get(key) == value and key not in self._unsaved:
            return
        self._known[key] = value
        self._unsaved.add(key)
        self._send(key)

    def watch(self, changed: Callable[[str, Value], None]) -> None:
        """Call ``changed(key, value)`` when somebody changes one of the device's settings."""
        self._changed = changed
        self._bus.listen(SERVICE, self._on_value)
        self._bus.watch_owner(SERVICE, self._on_owner)

    def _rows(self, defaults: Mapping[str, Value]) -> list[dict[str, Value]]:
        return [{"path": self._root + key, "default": default} for key, default in defaults.items()]

    def _send(self, key: str) -> None:
        value = self._known[key]

        def stored(answer: Any) -> None:
            if int(answer) == 0 and self._known[key] == value:
                self._unsaved.discard(key)
            elif int(answer) != 0:
                _LOG.warning("localsettings refused %s = %s (error %d)", key, value, int(answer))

        self._bus.ask(SERVICE, self._root + key, "SetValue", stored, "v", to_wire(value))

    def _on_owner(self, owner: str) -> None:
        """The service came, or left: what it has not stored yet is sent again."""
        if not owner or not self._unsaved:
            return
        unsaved = {key: self._known[key] for key in sorted(self._unsaved)}

        def added(_answers: Any) -> None:
            for key in unsaved:
                self._send(key)

        self._bus.ask(SERVICE, "/", "AddSettings", added, "aa{sv}", self._rows(unsaved), interface=_INTERFACE)

    def _on_value(self, path: str, value: Value) -> None:
        if not path.startswith(self._root) or self._changed is None:
            return
        key = path.removeprefix(self._root)
        if self._known.get(key) == value:
            self._unsaved.discard(key)  # it has what we sent, though its reply may have come too late
        elif key not in self._unsaved:
            self._known[key] = value
            self._changed(key, value)


def parse_instance(setting: Value, default: int) -> int:
    """The number in ``battery:12``; ``default`` when it is not written like that or is no device instance."""
    kind, _, number = str(setting).partition(":")
    if kind != "battery" or not (number.isascii() and number.isdigit()) or len(number) > _INSTANCE_DIGITS:
        return default
    return int(number)
