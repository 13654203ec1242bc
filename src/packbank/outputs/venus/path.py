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


class Rate(Enum):
    """When a changed value is sent, and the seconds between two such moments; a limit is rounded down."""

    FAST = "each second", 1.0
    SLOW = "every 5 s", 5.0
    CHANGE = "at once", 0.0
    LIMIT = "a fall at once, a rise every 5 s", 5.0, True

    def __init__(self, meaning: str, period: float, limit: bool = False) -> None:
        self.meaning = meaning
        self.period = period
        self.limit = limit


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
    SECONDS = int, "s", 0, 60  # whole minutes
    NUMBER = int, "", 0
    TEXT = str, "", 0

    def __init__(self, kind: type[float] | type[int] | type[str], unit: str, digits: int, step: int = 1) -> None:
        self.kind = kind
        self.unit = unit
        self.digits = digits
        self.step = step

    def rounded(self, value: Value, down: bool = False) -> Value:
        """``value`` as it goes to the bus, ``down``: never more than it is; NaN and infinities become invalid."""
        if self.kind is str:
            return value
        if value is None or isinstance(value, str) or not math.isfinite(value):
            return None
        if self.kind is int:
            return self.step * round(value / self.step)
        if down:
            scale = 10.0**self.digits
            return math.floor(value * scale + 1e-6) / scale
        return round(float(value), self.digits) + 0.0  # + 0.0: no minus zero

    def text(self, value: Value) -> str:
        """A rounded value with its unit, for people."""
        if value is None:
            return INVALID_TEXT
        return f"{value:.{self.digits}f}{self.unit}" if self.kind is float else f"{value}{self.unit}"


@dataclass(frozen=True, slots=True)
class Path(Generic[Source]):
    """One path of a service; ``get`` may give NaN or None for what is not known."""

    name: str
    rate: Rate
    quantity: Quantity
    get: Callable[[Source], Value]
    meaning: str
    writeable: bool = False

    def value(self, source: Source) -> Value:
        """The path's value in ``source``, rounded."""
        return self.quantity.rounded(self.get(source), self.rate.limit)

    def item(self, source: Source) -> Item:
        """The path's value in ``source`` with its text."""
        value = self.value(source)
        return Item(value, self.quantity.text(value))
