"""The bank as others measure it: current and SoC by a shunt or by what systemcalc has chosen, and the running loads.

Values are cached as they are signalled, so reading them costs nothing. A service that leaves the bus takes its
values with it, and the packs' own count again. A shunt's driver that hangs cannot be distinguished
from a steady current: the D-Bus has no heartbeat.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import isnan
from typing import Any

from packbank.config.outputs import SYSTEM, wrong_service
from packbank.errors import ConfigError
from packbank.model.catalogue import Value
from packbank.model.controls import NAN, External
from packbank.outputs.venus.bus import DBus, from_wire

ACTIVE_BATTERY = "/ActiveBatteryService"
# W, what runs on the inverters' outputs and beside the batteries on DC.
_LOADS = (*(f"/Ac/ConsumptionOnOutput/L{phase}/Power" for phase in (1, 2, 3)), "/Dc/System/Power")
_BATTERY_VOLTAGE = "/Dc/Battery/Voltage"
_LOG = logging.getLogger(__name__)


class Remote:
    """Some values of another service, kept up to date by its signals."""

    def __init__(self, bus: DBus, service: str, paths: tuple[str, ...]) -> None:
        self._bus = bus
        self._service = service
        self._values: dict[str, Value] = dict.fromkeys(paths)
        bus.listen(service, self._on_value)
        bus.watch_owner(service, self._on_owner)

    def text(self, path: str) -> str:
        """The value of ``path`` as a text, empty when there is none."""
        value = self._values[path]
        return value if isinstance(value, str) else ""

    def number(self, path: str) -> float:
        """The value of ``path``, NaN when there is none."""
        value = self._values[path]
        return float(value) if isinstance(value, int | float) else NAN

    def _on_owner(self, owner: str) -> None:
        self._values = dict.fromkeys(self._values)
        _LOG.info("%s is %s", self._service, "there" if owner else "not there: its values are not known")
        if owner:
            for path in self._values:
                self._bus.ask(self._service, path, "GetValue", self._keeper(path))

    def _keeper(self, path: str) -> Callable[[Any], None]:
        def keep(value: Any) -> None:
            self._values[path] = from_wire(value)

        return keep

    def _on_value(self, path: str, value: Value) -> None:
        if path in self._values:
            self._values[path] = value


class ExternalSource:
    """What ``CURRENT_FROM`` and ``SOC_FROM`` name and ``LOADS_FROM_SYSTEM`` asks for, read as :class:`External`."""

    def __init__(
        self, bus: DBus, current_from: str, soc_from: str, own_name: str, *, loads_from_system: bool = False
    ) -> None:
        """Empty names stand for the packs' own values. Raises ConfigError when a name cannot be a source."""
        for key, service in ("CURRENT_FROM", current_from), ("SOC_FROM", soc_from):
            _check(key, service, own_name)
        wanted = {service: _paths(service) for service in (current_from, soc_from) if service}
        if loads_from_system:
            wanted[SYSTEM] = (*wanted.get(SYSTEM, ()), *_LOADS, _BATTERY_VOLTAGE)
        self._remotes = {service: Remote(bus, service, paths) for service, paths in wanted.items()}
        self._current_from = current_from
        self._soc_from = soc_from
        self._loads = self._remotes[SYSTEM] if loads_from_system else None

    def read(self, own_instance: int) -> External:
        """The values now, NaN where there is none. ``own_instance`` is our device instance.

        The values of systemcalc are taken only while it follows another battery than ours: else we would read back
        our own value, and keep it for ever.
        """
        return External(
            current=self._value(self._current_from, 0, own_instance),
            soc=self._value(self._soc_from, 1, own_instance),
            loads=self._load_current(),
        )

    def _load_current(self) -> float:
        """A, of the loads that are known; NaN when none is."""
        if self._loads is None:
            return NAN
        known = [watts for path in _LOADS if not isnan(watts := self._loads.number(path))]
        volts = self._loads.number(_BATTERY_VOLTAGE)
        return max(sum(known), 0.0) / volts if known and volts > 0.0 else NAN

    def _value(self, service: str, index: int, own_instance: int) -> float:
        remote = self._remotes.get(service)
        if remote is None:
            return NAN
        ours = f"com.victronenergy.battery/{own_instance}"
        if service == SYSTEM and remote.text(ACTIVE_BATTERY) in ("", ours):
            return NAN
        return remote.number(_paths(service)[index])


def _paths(service: str) -> tuple[str, ...]:
    """Where a service keeps current and SoC, in this order."""
    if service == SYSTEM:
        return "/Dc/Battery/Current", "/Dc/Battery/Soc", ACTIVE_BATTERY
    return "/Dc/0/Current", "/Soc"


def _check(key: str, service: str, own_name: str) -> None:
    if service == own_name:
        raise ConfigError(f"{key} = {service} is this bank itself: name the shunt's service, see 'dbus -y'")
    if wrong := wrong_service(service):
        raise ConfigError(f"{key} = {service}: {wrong}")
