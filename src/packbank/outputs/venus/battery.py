"""The bank on the D-Bus: what the daemon calls.

    publisher = Publisher(config.service, connection="RS485, 2 buses", controls=stored, on_controls=take)
    run_loop(tick)                         # packbank.outputs.venus.loop; tick calls, once a second:
    publisher.publish(battery, now)        # LinkError: end the process, the supervisor starts it again
    publisher.close()                      # the name leaves, then the connection

Nothing is on the bus before the first battery that is ``ready``. When every pack is lost, the limits are
published as 0; ``LEAVE_AFTER`` seconds later, when systemcalc has passed them on, the name leaves the bus. It comes
back as a fresh registration with the first battery that is not lost. Nothing here waits or starts a thread:
each step is taken in a call of ``publish``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from packbank import __version__
from packbank.config.model import ServiceConfig
from packbank.model.battery import VirtualBattery
from packbank.model.controls import Controls
from packbank.outputs.venus.bus import Bus
from packbank.outputs.venus.changes import Changes, ModulePages
from packbank.outputs.venus.controls import ACTIONS, BUTTONS, WISHES, Actions, Wish
from packbank.outputs.venus.path import Item, Value
from packbank.outputs.venus.paths import BANK, ServiceIdentity
from packbank.outputs.venus.service import PATIENCE, BatteryService

NAME = "packbank"
STATUS = "/Debug/Status"  # what ``packbank doctor`` asks a running daemon
LEAVE_AFTER = 5.0  # s; systemcalc hands limits on every third second
_LOG = logging.getLogger(__name__)


class Publisher:
    """The bank's battery service."""

    def __init__(
        self,
        service: ServiceConfig,
        *,
        connection: str,
        hardware: str = "",
        controls: Controls | None = None,
        on_controls: Callable[[Controls], None] | None = None,
        actions: Actions | None = None,
        status: Callable[[], str] | None = None,
        bus: Bus | None = None,
        patience: float = PATIENCE,
        leave_after: float = LEAVE_AFTER,
    ) -> None:
        """``connection`` says how the packs are connected and ``hardware`` what they are.

        ``controls`` are the user's wishes as the daemon stored them; ``on_controls`` hears each change, also the
        values that localsettings has. ``actions`` are done when the user asks for them. ``status`` gives the
        daemon's own report, as JSON, when somebody reads ``/Debug/Status``. All are called in the main loop.
        """
        self.bus = bus or Bus()
        self.identity = ServiceIdentity(
            version=__version__,
            connection=connection,
            device_instance=service.device_instance,
            product_name=service.product_name,
            custom_name=service.custom_name,
            hardware=hardware,
        )
        self._controls = controls or Controls()
        self._on_controls = on_controls
        self._wishes = {wish.key: wish for wish in WISHES}
        extra = {key: wish.path.value(self._controls) for key, wish in self._wishes.items()}
        self.service = BatteryService(
            NAME, self.identity, self.bus, extra=extra, stored=self._on_stored, patience=patience
        )
        self._offer_writes(actions or Actions())
        if status is not None:
            self.service.items.tell_on_request(STATUS, status)
        self._leave_after = leave_after
        self._lost_since: float | None = None
        self._forget()

    def publish(self, battery: VirtualBattery, now: float) -> None:
        """Bring the bus up to date: one signal at most. Raises LinkError when the bus is gone or the name taken."""
        self.bus.check()
        if battery.lost:
            self._publish_lost(battery, now)
            return
        self._lost_since = None
        if self.service.registered or battery.ready:
            self.service.offer(self._select(battery, now), now)

    def close(self) -> None:
        """Leave the bus."""
        self.service.close()

    def _publish_lost(self, battery: VirtualBattery, now: float) -> None:
        if not self.service.registered:
            return
        if self._lost_since is None:
            self._lost_since = now
        if now - self._lost_since < self._leave_after:
            self.service.offer(self._select(battery, now), now)
            return
        self.service.leave("no pack answers")
        self._forget()

    def _select(self, battery: VirtualBattery, now: float) -> dict[str, Item]:
        return self._changes.select(battery, now) | self._pages.select(battery)

    def _forget(self) -> None:
        """Begin anew: the next battery goes out whole."""
        self._changes = Changes(BANK)
        self._pages = ModulePages()

    def _offer_writes(self, actions: Actions) -> None:
        items = self.service.items
        items.store({path.name: path.item(actions) for path in ACTIONS})
        for button in BUTTONS:
            if button.path.get(actions) is not None:
                items.let_write(button.path.name, partial(button.press, actions))
        items.store({wish.path.name: wish.path.item(self._controls) for wish in WISHES})
        for wish in WISHES:
            items.let_write(wish.path.name, partial(self._on_write, wish))

    def _on_write(self, wish: Wish, value: Value) -> Item | None:
        controls = wish.changed(self._controls, value)
        if controls is None:
            return None
        self._take(controls)
        item = wish.path.item(controls)
        self.service.keep(wish.key, item.value)
        _LOG.info("the user sets %s to %s", wish.path.name, item.text)
        return item

    def _on_stored(self, key: str, value: Value) -> None:
        wish = self._wishes[key]
        controls = wish.changed(self._controls, value)
        if controls is None:
            _LOG.warning("localsettings has %s for %s, which is out of range: not used", value, key)
        elif controls != self._controls:
            self._take(controls)
            self.service.show({wish.path.name: wish.path.item(controls)})

    def _take(self, controls: Controls) -> None:
        self._controls = controls
        if self._on_controls is not None:
            self._on_controls(controls)
