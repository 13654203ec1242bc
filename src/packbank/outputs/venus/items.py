"""The BusItem contract of Victron: a tree of values that others read, hear of and may write.

Everything is answered from one dictionary by path. Changes go out as one ``ItemsChanged`` from the root; the
older ``PropertiesChanged`` of each leaf is not sent, since every consumer on Venus OS takes the batch and each
signal wakes all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from packbank.model.catalogue import Value
from packbank.outputs.venus.bus import BUS_ITEM, INTROSPECTABLE, Answer, DBus, from_wire, to_wire, tree_to_wire
from packbank.outputs.venus.item import Item

ACCEPTED, NOT_WRITEABLE, REFUSED = 0, 1, 2

Writer = Callable[[Value], Item | None]  # the item as it is after the write, None when the value is refused

_METHODS = """<interface name="com.victronenergy.BusItem">
<method name="GetItems"><arg type="a{sa{sv}}" direction="out"/></method>
<method name="GetValue"><arg type="v" direction="out"/></method>
<method name="GetText"><arg type="v" direction="out"/></method>
<method name="SetValue"><arg type="v" direction="in"/><arg type="i" direction="out"/></method>
<signal name="ItemsChanged"><arg type="a{sa{sv}}"/></signal>
</interface>"""


class Items:
    """The items of one service on one connection."""

    def __init__(self, bus: DBus) -> None:
        self._bus = bus
        self._items: dict[str, Item] = {}
        self._writers: dict[str, Writer] = {}
        self._on_request: dict[str, Callable[[], str]] = {}
        self._members = {
            "GetItems": self._get_items,
            "GetValue": self._get_value,
            "GetText": self._get_text,
            "SetValue": self._set_value,
        }
        bus.serve(BUS_ITEM, self._on_call)
        bus.serve(INTROSPECTABLE, self._introspect)

    def store(self, changes: Mapping[str, Item]) -> None:
        """Take new values without a signal: before the service has its name."""
        self._items.update(changes)

    def announce(self, changes: Mapping[str, Item]) -> None:
        """Take new values and send them as one signal; nothing is sent when there are none."""
        if changes:
            self._items.update(changes)
            self._bus.signal("/", "ItemsChanged", "a{sa{sv}}", _on_wire(changes))

    def let_write(self, path: str, writer: Writer) -> None:
        """Let others write ``path``: ``writer`` judges each value."""
        self._writers[path] = writer

    def tell_on_request(self, path: str, text: Callable[[], str]) -> None:
        """Answer GetValue and GetText of ``path`` with ``text()``; it is in no list and never signalled."""
        self._on_request[path] = text

    def _on_call(self, path: str, member: str, args: list[Any]) -> Answer:
        method = self._members.get(member)
        if method is None:
            raise LookupError(f"no method {member}")
        return method(path, args)

    def _get_items(self, path: str, _args: list[Any]) -> Answer:
        if path != "/":
            raise LookupError(f"GetItems is a method of /, not of {path}")
        return "a{sa{sv}}", _on_wire(self._items)

    def _get_value(self, path: str, _args: list[Any]) -> Answer:
        item = self._find(path)
        if item is not None:
            return "v", to_wire(item.value)
        return "v", tree_to_wire({name: item.value for name, item in self._below(path).items()})

    def _get_text(self, path: str, _args: list[Any]) -> Answer:
        item = self._find(path)
        if item is not None:
            return "s", item.text
        return "v", tree_to_wire({name: item.text for name, item in self._below(path).items()})

    def _set_value(self, path: str, args: list[Any]) -> Answer:
        if path not in self._items:
            raise LookupError(f"no item {path}")
        writer = self._writers.get(path)
        if writer is None or len(args) != 1:
            return "i", NOT_WRITEABLE
        item = writer(from_wire(args[0]))
        if item is None:
            return "i", REFUSED
        if item != self._items[path]:
            self.announce({path: item})
        return "i", ACCEPTED

    def _find(self, path: str) -> Item | None:
        if path in self._on_request:
            text = self._on_request[path]()
            return Item(text, text)
        return self._items.get(path)

    def _below(self, node: str) -> dict[str, Item]:
        """The items under an inner node, by their path from there."""
        prefix = node if node == "/" else node + "/"
        below = {path.removeprefix(prefix): item for path, item in self._items.items() if path.startswith(prefix)}
        if not below:
            raise LookupError(f"no item {node}")
        return below

    def _introspect(self, path: str, _member: str, _args: list[Any]) -> Answer:
        names = {} if path in self._items else dict.fromkeys(name.split("/")[0] for name in self._below(path))
        children = "".join(f'<node name="{name}"/>' for name in names)
        return "s", f"<node>{_METHODS}{children}</node>"


def _on_wire(items: Mapping[str, Item]) -> dict[str, dict[str, Any]]:
    return {path: {"Value": to_wire(item.value), "Text": item.text} for path, item in items.items()}
