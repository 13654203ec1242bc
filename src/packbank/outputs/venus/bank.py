"""The bank on the D-Bus: the one vital output.

    output = BankOutput(config.service, connection="RS485, 2 buses", send=daemon.send, controls=stored)
    run_loop(tick)                         # packbank.outputs.venus.loop; tick calls, once a second:
    output.show(snapshot)                  # LinkError: end the process, the supervisor starts it again
    output.close()                         # the name leaves, then the connection

Nothing is on the bus before the first battery that is ``ready``. When every pack is lost, the limits are
published as 0; ``LEAVE_AFTER`` seconds later, when systemcalc has passed them on, the name leaves the bus. It comes
back as a fresh registration with the first battery that is not lost. Nothing here waits or starts a thread:
each step is taken in a call of ``show``.
"""

from __future__ import annotations

import json
import logging
from functools import partial

from packbank import __version__
from packbank.config.model import ServiceConfig
from packbank.model.catalogue import BUS, Quantity, Unit, Value, plain, refusals
from packbank.model.catalogue.controls import CONTROLS
from packbank.model.commands import Redetect, Send, SetControl
from packbank.model.controls import Controls
from packbank.model.remarks import remarks
from packbank.model.snapshot import Snapshot
from packbank.outputs.venus.battery_info import REQUEST, BatteryInfo
from packbank.outputs.venus.bus import DBus
from packbank.outputs.venus.changes import Changes, ModulePages
from packbank.outputs.venus.item import Item, item, item_of
from packbank.outputs.venus.paths import BANK_PATHS, BANK_PATHS_WITHOUT_LIMITS, ServiceIdentity
from packbank.outputs.venus.service import PATIENCE, BatteryService
from packbank.outputs.venus.writes import (
    ACTIONS,
    OFFERED,
    REDETECT,
    SETTINGS,
    Action,
    Offers,
    field_of,
    is_number,
    set_control,
    setting_key,
    written,
)

NAME = "packbank"
STATUS = "/Debug/Status"  # what ``packbank doctor`` asks a running daemon
LEAVE_AFTER = 5.0  # s; systemcalc hands limits on every third second
_LOG = logging.getLogger(__name__)

Row = Quantity[Snapshot]


class BankOutput:
    """The bank's battery service."""

    name = "D-Bus"

    def __init__(
        self,
        service: ServiceConfig,
        *,
        connection: str,
        send: Send,
        hardware: str = "",
        controls: Controls | None = None,
        offers: Offers | None = None,
        bus: DBus | None = None,
        patience: float = PATIENCE,
        leave_after: float = LEAVE_AFTER,
    ) -> None:
        """``connection`` says how the packs are connected and ``hardware`` what they are.

        ``send`` takes what users ask for. ``controls`` are the user's settings as the daemon stored them: they win
        over those of localsettings, which may have been away when they were made; ``None``: nothing was stored, so
        those of localsettings hold. ``offers`` says which actions make sense.
        """
        self.bus = bus or DBus()
        self.identity = ServiceIdentity(
            version=__version__,
            connection=connection,
            device_instance=service.device_instance,
            product_name=service.product_name,
            custom_name=service.custom_name,
            hardware=hardware,
        )
        self._paths = BANK_PATHS if service.publish_limits else BANK_PATHS_WITHOUT_LIMITS
        self._send = send
        self._rows = {setting_key(row): row for row in CONTROLS}
        self._values = {key: _value(row, controls or Controls()) for key, row in self._rows.items()}
        self._ours_count = controls is not None
        self.service = BatteryService(
            NAME, self.identity, self.bus, extra=self._values, stored=self._on_stored, patience=patience
        )
        self._offer_writes(offers or Offers())
        self.service.items.tell_on_request(STATUS, self._status)
        self._leave_after = leave_after
        self._lost_since: float | None = None
        self._last: Snapshot | None = None
        self._forget()

    def show(self, snapshot: Snapshot) -> None:
        """Bring the bus up to date: one signal at most. Raises LinkError when the bus is gone or the name taken."""
        self._last = snapshot
        self.bus.check()
        if snapshot.battery.lost:
            self._show_lost(snapshot)
            return
        self._lost_since = None
        if self.service.registered or snapshot.battery.ready:
            self.service.offer(self._select(snapshot), snapshot.time)
            self._ours_count = self._ours_count and not self.service.registered

    def close(self) -> None:
        """Leave the bus."""
        self.service.close()

    def _show_lost(self, snapshot: Snapshot) -> None:
        if not self.service.registered:
            return
        if self._lost_since is None:
            self._lost_since = snapshot.time
        if snapshot.time - self._lost_since < self._leave_after:
            self.service.offer(self._select(snapshot), snapshot.time)
            return
        self.service.leave("no pack answers")
        self._forget()

    def _select(self, snapshot: Snapshot) -> dict[str, Item]:
        return (
            self._changes.select(snapshot, snapshot.time)
            | self._pages.select(snapshot.battery)
            | self._info.select(snapshot)
        )

    def _forget(self) -> None:
        """Begin anew: the next battery goes out whole."""
        self._changes = Changes(self._paths)
        self._pages = ModulePages()
        self._info = BatteryInfo()

    def _status(self) -> str:
        """The buses and what is to be said of packs as JSON, for whoever reads :data:`STATUS`."""
        if self._last is None:
            return "{}"
        names = self._last.battery.packs.names
        said = [{"pack": names[one.pack], "text": one.text, "serious": one.serious} for one in remarks(self._last)]
        buses = [plain(BUS, stats) | refusals(stats) for stats in self._last.buses]
        return json.dumps({"buses": buses, "remarks": said})

    def _offer_writes(self, offers: Offers) -> None:
        items = self.service.items
        items.let_write(REQUEST, self._on_choice)
        items.let_write(REDETECT.path, self._on_redetect)
        items.store({row.path: item_of(row, offers) for row in OFFERED})
        for action in ACTIONS:
            if action.row.value(offers) is not None:
                items.let_write(action.row.path, partial(self._on_action, action, item_of(action.row, offers)))
        for path, row in SETTINGS.items():
            items.store({path: item(row.unit, self._values[setting_key(row)])})
            items.let_write(path, partial(self._on_setting, row))

    def _on_choice(self, value: Value) -> Item | None:
        """Show the chosen pack, all of it in the signal that confirms the choice."""
        changes = self._info.choose(value)
        if changes is None:
            return None
        self.service.show(changes)
        return item(Unit.NUMBER, value)

    def _on_redetect(self, value: Value) -> Item | None:
        """Have packs looked for; 1 stands until a snapshot says that it is over."""
        if not is_number(value) or value != 1:
            return None
        self._send(Redetect())
        return item(REDETECT.unit, value)

    def _on_action(self, action: Action, shown: Item, value: Value) -> Item | None:
        """Send the command; the item stays as it is, so that the action can be started again."""
        command = action.judge(value)
        if command is None:
            return None
        self._send(command)
        return shown

    def _on_setting(self, row: Row, value: Value) -> Item | None:
        """Take a user's value; a value that holds already costs nothing."""
        command = set_control(row, value)
        if command is None:
            return None
        shown = item(row.unit, written(row, command))
        if shown.value != self._values[setting_key(row)]:
            self._take(row, command, shown)
            self.service.keep(setting_key(row), shown.value)
        return shown

    def _on_stored(self, key: str, value: Value) -> None:
        """Localsettings has ``value``: at the start, or because somebody changed it there."""
        row = self._rows[key]
        if self._ours_count:
            self.service.keep(key, self._values[key])
            return
        command = set_control(row, value)
        if command is None:
            _LOG.warning("localsettings has %s for %s, which is out of range: not used", value, key)
        elif written(row, command) != self._values[key]:
            self._take(row, command, item(row.unit, written(row, command)))

    def _take(self, row: Row, command: SetControl, shown: Item) -> None:
        """Send the command, and show its value at once: who writes a path reads what he wrote."""
        self._values[setting_key(row)] = shown.value
        self._send(command)
        self.service.show({path: shown for path, other in SETTINGS.items() if other is row})


def _value(row: Row, controls: Controls) -> Value:
    return written(row, SetControl(field_of(row), getattr(controls, field_of(row))))
