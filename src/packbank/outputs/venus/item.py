"""A value as it stands on the bus, and the catalogue's rows as such values."""

from __future__ import annotations

from typing import NamedTuple

from packbank.model.catalogue import Quantity, Unit, Value
from packbank.model.catalogue.quantity import Source


class Item(NamedTuple):
    """A value as it stands on the bus and what people read; ``None`` is Venus's invalid value."""

    value: Value
    text: str


def item_of(quantity: Quantity[Source], source: Source) -> Item:
    """The quantity in ``source``, rounded, with its text."""
    value = quantity.value(source)
    return Item(value, quantity.unit.text(value))


def item(unit: Unit, value: Value) -> Item:
    """A single value, rounded, with its text."""
    rounded = unit.rounded(value)
    return Item(rounded, unit.text(rounded))
