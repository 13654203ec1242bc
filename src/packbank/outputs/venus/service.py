"""The life of one battery service on the D-Bus: settings first, then every path, the name last."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path as File

from packbank.config.outputs import SYSTEM
from packbank.errors import LinkError
from packbank.model.catalogue import Value
from packbank.outputs.venus import settings
from packbank.outputs.venus.bus import DBus
from packbank.outputs.venus.item import Item, item_of
from packbank.outputs.venus.items import Items
from packbank.outputs.venus.paths import IDENTITY, ServiceIdentity
from packbank.outputs.venus.settings import INSTANCE, LocalSettings, parse_instance

PREFIX = "com.victronenergy.battery."
PATIENCE = 60.0  # s that a starting Venus OS gets to bring up its own services
CUSTOM_NAME = "CustomName"
_LONGEST_NAME = 64
_LOG = logging.getLogger(__name__)

Stored = Callable[[str, Value], None]  # a setting as localsettings has it: key, value


class BatteryService:
    """One ``com.victronenergy.battery.<name>`` on its own connection.

    ``offer`` takes new items at any time. As long as the service has no name they are kept, and each call tries
    to take the name: not before ``com.victronenergy.system`` is there (a battery that is on the bus before
    it can keep systemcalc from starting), but for ``patience`` seconds at most, and only on Venus OS.
    """

    def __init__(
        self,
        name: str,
        identity: ServiceIdentity,
        bus: DBus,
        *,
        extra: Mapping[str, Value] | None = None,
        stored: Stored | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """``extra`` are further settings with their values; ``stored`` gets those of localsettings, now and later."""
        self.name = PREFIX + name
        self.items = Items(bus)
        self.registered = False
        self._bus = bus
        self._identity = identity
        self._settings = LocalSettings(bus, name)
        self._extra = dict(extra or {})
        self._stored = stored
        self._patience = patience
        self._waiting_since: float | None = None
        self._settings.watch(self._on_setting)
        self.items.let_write("/CustomName", self._write_custom_name)

    @property
    def device_instance(self) -> int:
        """The battery's number among its kind, as localsettings gave it."""
        return self._identity.device_instance

    def offer(self, changes: Mapping[str, Item], now: float) -> None:
        """Publish ``changes``, or keep them and try to register. Raises LinkError: bus gone, or name taken."""
        self._bus.check()
        self.show(changes)
        if not self.registered and self._system_is_ready(now) and self._learn(now):
            self._register()

    def show(self, changes: Mapping[str, Item]) -> None:
        """Publish ``changes`` if the service is on the bus, else only keep them."""
        (self.items.announce if self.registered else self.items.store)(changes)

    def keep(self, key: str, value: Value) -> None:
        """Store one of the settings in localsettings, now or when it is there."""
        self._extra[key] = value
        self._settings.write(key, value)

    def leave(self, reason: str) -> None:
        """Give the name back: Venus OS then knows that the battery is gone."""
        if self.registered:
            self.registered = False
            self._bus.disown(self.name)
            _LOG.info("left the D-Bus: %s", reason)

    def close(self) -> None:
        """Leave for good: the name goes with the connection."""
        self.registered = False
        self._bus.close()

    def _system_is_ready(self, now: float) -> bool:
        if self._waiting_since is None:
            self._waiting_since = now
        if not on_venus() or self._waited(now):
            return True
        missing = [name for name in (settings.SERVICE, SYSTEM) if not self._bus.has_owner(name)]
        if not missing:
            return True
        if now == self._waiting_since:
            _LOG.info("waiting up to %.0f s for %s", self._patience, " and ".join(missing))
        return False

    def _waited(self, now: float) -> bool:
        return self._waiting_since is not None and now - self._waiting_since >= self._patience

    def _learn(self, now: float) -> bool:
        """Take over what localsettings has, if it is there; false: it is busy, and there is time to ask again."""
        known = {INSTANCE: f"battery:{self.device_instance}", CUSTOM_NAME: self._identity.custom_name, **self._extra}
        try:
            stored = self._settings.add(known)
        except LinkError as error:
            _LOG.warning("localsettings does not answer: %s", error)
            return self._waited(now)
        self._identity = replace(
            self._identity,
            device_instance=parse_instance(stored.get(INSTANCE), self.device_instance),
            custom_name=str(stored.get(CUSTOM_NAME, self._identity.custom_name) or ""),
        )
        for key in self._extra.keys() & stored.keys():
            self._take_stored(key, stored[key])
        return True

    def _register(self) -> None:
        self.items.store({row.path: item_of(row, self._identity) for row in IDENTITY})
        if not self._bus.own(self.name):
            pid = self._bus.owner_pid(self.name)
            raise LinkError(
                f"{self.name} is taken by process {pid}: another packbank runs on this machine; "
                "stop it (svc -d /service/packbank, systemctl stop packbank), then start again"
            )
        self.registered = True
        _LOG.info("on the D-Bus as %s, device instance %d", self.name, self._identity.device_instance)

    def _on_setting(self, key: str, value: Value) -> None:
        if key == INSTANCE and parse_instance(value, -1) not in (-1, self._identity.device_instance):
            self.leave(f"the user gives it {value}; it comes back with that")
        elif key == CUSTOM_NAME:
            self._rename(str(value or ""))
        elif key in self._extra:
            self._take_stored(key, value)

    def _take_stored(self, key: str, value: Value) -> None:
        self._extra[key] = value
        if self._stored is not None:
            self._stored(key, value)

    def _write_custom_name(self, value: Value) -> Item | None:
        name = value if isinstance(value, str) else None
        if name is None or len(name) > _LONGEST_NAME or not name.isprintable():
            return None
        self._identity = replace(self._identity, custom_name=name)
        self._settings.write(CUSTOM_NAME, name)
        return Item(name, name)

    def _rename(self, name: str) -> None:
        if name != self._identity.custom_name:
            self._identity = replace(self._identity, custom_name=name)
            self.show({"/CustomName": Item(name, name)})


def on_venus() -> bool:
    """Whether this machine runs Venus OS. ``PACKBANK_ROOT`` is its root, as for the scripts of the service."""
    root = File(os.environ.get("PACKBANK_ROOT") or "/")
    return (root / "etc/venus").is_dir() or (root / "opt/victronenergy").is_dir()
