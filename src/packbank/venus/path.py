"""What one path of a battery service is: where its value comes from, its type and rounding, when it is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

Value = float | int | str | None  # None is Venus's invalid value
Source = TypeVar("Source")

INVALID_TEXT = "---"


class Item(NamedTuple):
    """A value as it stands on the bus and what people read."""

    value: Value
    text: str


INVALID = Item(None, INVALID_TEXT)


class Rate(Enum):
    """When a changed value is sent, and the seconds between two such moments."""

    FAST = "each second", 1.0
    SLOW = "every 5 s", 5.0
    CHANGE = "at once", 0.0
    LIMIT = "a fall at once, a rise every 5 s", 5.0

    def __init__(self, meaning: str, period: float) -> None:
        self.meaning = meaning
        self.period = period


class Quantity(Enum):
    """Type, unit and digits kept: noise below them is not a change."""

    VOLTS = float, "V", 2
    CELL_VOLTS = float, "V", 3
    AMPERES = float, "A", 1
    WATTS = float, "W", 0
    CELSIUS = float, "°C", 1
    PERCENT = float, "%", 1
    AMPERE_HOURS = float, "Ah", 1
    KILOWATT_HOURS = float, "kWh", 1
    MINUTES = int, "s", 0  # whole minutes, in seconds
    NUMBER = int, "", 0
    TEXT = str, "", 0

    def __init__(self, kind: type[float] | type[int] | type[str], unit: str, digits: int) -> None:
        self.kind = kind
        self.unit = unit
        self.digits = digits

    def item(self, value: Value, down: bool = False) -> Item:
        """``value`` rounded (``down``: never to more than it is) and of the quantity's type; NaN is invalid."""
        if self.kind is str:
            return Item(value, str(value))
        if value is None or isinstance(value, str) or not math.isfinite(value):
            return INVALID
        if self is Quantity.MINUTES:
            value = 60 * round(value / 60)
        if self.kind is int:
            whole = round(value)
            return Item(whole, f"{whole}{self.unit}")
        rounded = (self._floor(value) if down else round(value, self.digits)) + 0.0  # + 0.0: no minus zero
        return Item(rounded, f"{rounded:.{self.digits}f}{self.unit}")

    def _floor(self, value: float) -> float:
        scale = 10.0**self.digits
        return math.floor(value * scale + 1e-6) / scale


@dataclass(frozen=True, slots=True)
class Path(Generic[Source]):
    """One path of a service; ``get`` may give NaN or None for what is not known."""

    name: str
    rate: Rate
    quantity: Quantity
    get: Callable[[Source], Value]
    meaning: str
    writeable: bool = False

    def item(self, source: Source) -> Item:
        """The value of ``source`` as it goes to the bus; a limit is rounded down."""
        return self.quantity.item(self.get(source), self.rate is Rate.LIMIT)
