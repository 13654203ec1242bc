"""One connection to the D-Bus: names, calls, signals, and the calls that others make to us."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from packbank.errors import LinkError
from packbank.model.catalogue import Value
from packbank.outputs.venus.bindings import dbus

BUS_ITEM = "com.victronenergy.BusItem"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
_CALL_TIMEOUT = 2.0  # s; a round trip on a busy GX takes up to 0.2 s

Answer = tuple[str, Any]  # D-Bus signature and value
Handler = Callable[[str, str, list[Any]], Answer]  # (object path, member, arguments), LookupError: no such object


def bus_address() -> str:
    """The address of the bus that Venus OS services use here; empty stands for the system bus."""
    return os.environ.get("DBUS_SESSION_BUS_ADDRESS") or os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or ""


def to_wire(value: Value) -> Any:
    """A value as dbus-python sends it in a variant; ``None`` is Venus's invalid value, an empty array of ints."""
    return dbus.Array([], signature="i") if value is None else value


def tree_to_wire(values: Mapping[str, Value]) -> Any:
    """The values of an inner node by path, as one value."""
    return dbus.Dictionary({name: to_wire(value) for name, value in values.items()}, signature="sv")


def from_wire(value: Any) -> Value:
    """A received value as plain Python: booleans, numbers, texts, and ``None`` for whatever else, as for invalid."""
    if isinstance(value, dbus.Boolean):
        return bool(value)
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return None


class DBus:
    """A connection of our own. Every method raises LinkError when the bus refuses, is gone or does not answer."""

    def __init__(self, address: str | None = None) -> None:
        """Connect to ``address``, or where :func:`bus_address` says."""
        where = bus_address() if address is None else address
        try:
            self._connection = dbus.bus.BusConnection(
                where or dbus.bus.BusConnection.TYPE_SYSTEM, mainloop=dbus.mainloop.glib.DBusGMainLoop()
            )
        except dbus.exceptions.DBusException as error:
            raise LinkError(
                f"no D-Bus at {where or 'the system bus'}: {error.get_dbus_message()}; "
                "start dbus-daemon, set DBUS_SYSTEM_BUS_ADDRESS, or run with --no-dbus"
            ) from error
        self._connection.set_exit_on_disconnect(False)  # we say why before we go
        self._connection.call_on_disconnection(self._on_disconnection)
        self._handlers: dict[str, Handler] = {}
        self.gone = False

    def close(self) -> None:
        """Send what is queued and leave; the daemon frees our names."""
        if not self.gone:
            self.gone = True
            self._connection.flush()
        self._connection.close()

    def check(self) -> None:
        """Raise LinkError when the connection is gone: on Venus OS the D-Bus never comes back without a reboot."""
        if self.gone:
            raise LinkError("the D-Bus connection is gone: packbank ends, and its supervisor starts it again")

    def has_owner(self, name: str) -> bool:
        """Whether some process owns ``name`` now."""
        return bool(self._daemon("NameHasOwner", "s", name))

    def names(self) -> list[str]:
        """Every name on the bus."""
        return [str(name) for name in self._daemon("ListNames", "")]

    def owner_pid(self, name: str) -> int:
        """The process that owns ``name``."""
        return int(self._daemon("GetConnectionUnixProcessID", "s", name))

    def own(self, name: str) -> bool:
        """Take ``name`` without queueing for it; false when another process has it."""
        answer = self._daemon("RequestName", "su", name, dbus.UInt32(dbus.bus.NAME_FLAG_DO_NOT_QUEUE))
        return int(answer) in (dbus.bus.REQUEST_NAME_REPLY_PRIMARY_OWNER, dbus.bus.REQUEST_NAME_REPLY_ALREADY_OWNER)

    def disown(self, name: str) -> None:
        """Give ``name`` back."""
        self._daemon("ReleaseName", "s", name)

    def call(
        self, service: str, path: str, member: str, signature: str = "", *args: Any, interface: str = BUS_ITEM
    ) -> Any:
        """Call a method and wait for its answer, 2 s at most."""
        try:
            return self._connection.call_blocking(
                service, path, interface, member, signature, args, timeout=_CALL_TIMEOUT
            )
        except dbus.exceptions.DBusException as error:
            raise LinkError(
                f"{service} {path} {member}: {error.get_dbus_message() or error.get_dbus_name()}"
            ) from error

    def ask(
        self,
        service: str,
        path: str,
        member: str,
        answered: Callable[[Any], None],
        signature: str = "",
        *args: Any,
        interface: str = BUS_ITEM,
    ) -> None:
        """Call a method without waiting; ``answered`` gets its answer, and nothing when there is none."""
        self._connection.call_async(service, path, interface, member, signature, args, answered, lambda _error: None)

    def signal(self, path: str, member: str, signature: str, *args: Any) -> None:
        """Emit a signal of the BusItem interface; it is queued, a slow listener never holds us up."""
        message = dbus.lowlevel.SignalMessage(path, BUS_ITEM, member)
        message.append(*args, signature=signature)
        self._connection.send_message(message)

    def listen(self, service: str, heard: Callable[[str, Value], None]) -> None:
        """Call ``heard(path, value)`` for each value that ``service`` signals, alone or many at a time."""

        def one(properties: Mapping[str, Any], path: str) -> None:
            if "Value" in properties:
                heard(path, from_wire(properties["Value"]))

        def many(items: Mapping[str, Mapping[str, Any]], path: str) -> None:
            del path
            for name, properties in items.items():
                one(properties, str(name))

        for member, handler, path in ("PropertiesChanged", one, None), ("ItemsChanged", many, "/"):
            self._connection.add_signal_receiver(handler, member, BUS_ITEM, service, path, path_keyword="path")

    def watch_owner(self, name: str, handler: Callable[[str], None]) -> None:
        """Call ``handler(owner)`` now and whenever ``name`` changes hands; the owner is empty when it left."""
        self._connection.watch_name_owner(name, handler)

    def serve(self, interface: str, handler: Handler) -> None:
        """Answer calls of ``interface`` on every object path of this connection.

        One message filter instead of an object a path: a bank has about 300 of them.
        """
        if not self._handlers:
            self._connection.add_message_filter(self._on_message)
        self._handlers[interface] = handler

    def _daemon(self, member: str, signature: str, *args: Any) -> Any:
        name, path = "org.freedesktop.DBus", "/org/freedesktop/DBus"
        return self.call(name, path, member, signature, *args, interface=name)

    def _on_disconnection(self, _connection: Any) -> None:
        self.gone = True

    def _on_message(self, connection: Any, message: Any) -> Any:
        handler = self._handlers.get(message.get_interface() or BUS_ITEM)
        if message.get_type() != dbus.lowlevel.MESSAGE_TYPE_METHOD_CALL or handler is None:
            return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED
        try:
            signature, value = handler(message.get_path(), message.get_member(), message.get_args_list())
            reply = dbus.lowlevel.MethodReturnMessage(message)
            reply.append(value, signature=signature)
        except LookupError as error:
            reply = dbus.lowlevel.ErrorMessage(message, "org.freedesktop.DBus.Error.UnknownObject", str(error))
        if not message.get_no_reply():
            connection.send_message(reply)
        return dbus.lowlevel.HANDLER_RESULT_HANDLED
