"""``PUBLISH_PACKS = True``: each pack as a battery service of its own, for those who want to look at single packs.

No pack has ``/Info/MaxChargeVoltage``: systemcalc would take it for a BMS of its own and could choose it instead
of the bank. The cost is one D-Bus connection a pack (Venus OS allows 256 for all programs together) and
one signal a pack every few seconds, which each listening program has to take; so it is off by default.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from packbank.model.battery import SILENT
from packbank.model.snapshot import PackSnapshot, Snapshot
from packbank.outputs.venus.bus import DBus
from packbank.outputs.venus.changes import Changes
from packbank.outputs.venus.paths import PACK_PATHS, ServiceIdentity
from packbank.outputs.venus.service import PATIENCE, BatteryService


class PackServices:
    """A service for each pack, made when the pack first answers; it leaves while the pack is lost."""

    name = "packs on D-Bus"

    def __init__(
        self, identity: ServiceIdentity, open_bus: Callable[[], DBus] = DBus, patience: float = PATIENCE
    ) -> None:
        """``identity`` is the bank's: a pack takes over what is the same, and the instances that follow."""
        self._identity = identity
        self._open_bus = open_bus
        self._patience = patience
        self._services: dict[int, _PackService] = {}

    def show(self, snapshot: Snapshot) -> None:
        """Bring each pack's service up to date. Raises LinkError as the bank's output does."""
        for index, pack in enumerate(snapshot.packs()):
            service = self._services.get(index)
            if pack.view.presence not in SILENT:
                service = service or self._open(index, pack)
                service.show(pack, snapshot.time)
            elif service is not None:
                service.leave()

    def close(self) -> None:
        """Leave the bus with all packs."""
        for service in self._services.values():
            service.close()

    def _open(self, index: int, pack: PackSnapshot) -> _PackService:
        place, name = pack.place, pack.view.name
        service_name = "packbank_" + re.sub(r"[^A-Za-z0-9]", "_", f"{place.bus}_{place.address:02x}")
        identity = ServiceIdentity(
            version=self._identity.version,
            connection=f"RS485, bus {place.bus}, address {place.address:#04x}",
            device_instance=self._identity.device_instance + pack.number,
            product_name=f"{self._identity.product_name} {name}",
            hardware=self._identity.hardware,
        )
        service = _PackService(BatteryService(service_name, identity, self._open_bus(), patience=self._patience))
        self._services[index] = service
        return service


class _PackService:
    def __init__(self, service: BatteryService) -> None:
        self._service = service
        self._changes = Changes(PACK_PATHS)

    def show(self, pack: PackSnapshot, now: float) -> None:
        self._service.offer(self._changes.select(pack, now), now)

    def leave(self) -> None:
        if self._service.registered:
            self._service.leave("the pack does not answer")
            self._changes = Changes(PACK_PATHS)

    def close(self) -> None:
        self._service.close()
