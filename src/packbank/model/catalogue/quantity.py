"""What a quantity is: its key and title, unit and digits, how often it is sent, and where its value comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from enum import Enum
from typing import Any, Generic, TypeVar

Value = float | int | str | None  # None: not known
Source = TypeVar("Source")

UNKNOWN_TEXT = "---"


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


class Unit(Enum):
    """Type, unit and digits kept: noise below them is not a change."""

    VOLTS = float, "V", 2
    CELL_VOLTS = float, "V", 3
    AMPERES = float, "A", 1
    WATTS = float, "W", 0
    CELSIUS = float, "°C", 1
    PERCENT = float, "%", 1
    FRACTION = float, "", 3  # of 1
    AMPERE_HOURS = float, "Ah", 1
    WATT_HOURS = float, "Wh", 0
    KILOWATT_HOURS = float, "kWh", 1
    SECONDS = float, "s", 1
    MILLISECONDS = float, "s", 3  # seconds, of an exchange on a bus
    MINUTES = int, "s", 0, 60  # seconds, whole minutes
    NUMBER = int, "", 0
    FLAG = bool, "", 0
    TEXT = str, "", 0

    def __init__(self, kind: type[float | int | bool | str], unit: str, digits: int, step: int = 1) -> None:
        self.kind = kind
        self.unit = unit
        self.digits = digits
        self.step = step

    def rounded(self, value: Value, down: bool = False) -> Value:
        """``value`` as outputs show it, ``down``: never more than it is; NaN and infinities become ``None``."""
        if self.kind is str:
            return value
        if value is None or isinstance(value, str) or not math.isfinite(value):
            return None
        if self.kind is not float:
            return self.step * round(value / self.step)
        if down:
            scale = 10.0**self.digits
            return math.floor(value * scale + 1e-6) / scale
        return round(float(value), self.digits) + 0.0  # + 0.0: no minus zero

    def text(self, value: Value) -> str:
        """A rounded value with its unit, for people."""
        if value is None:
            return UNKNOWN_TEXT
        return f"{value:.{self.digits}f}{self.unit}" if self.kind is float else f"{value}{self.unit}"


@dataclass(frozen=True, slots=True)
class Entity:
    """How Home Assistant shows a quantity; its words, its device class stands in the quantity itself.

    A quantity in ``factor`` of its unit is shown in ``unit``. ``details`` is the group of keys beside the quantity
    that go along as attributes, or one such key. Elements of a row with ``size`` have their number in ``name``.
    """

    name: str
    _: KW_ONLY
    state_class: str = "measurement"  # of a number; texts and flags have none
    precision: int | None = None  # digits shown; None: as the quantity is rounded
    unit: str = ""
    factor: float = 1.0
    diagnostic: bool = False
    enabled: bool = True
    options: tuple[str, ...] = ()  # every text that a quantity of class "enum" can have
    details: str = ""


@dataclass(frozen=True, slots=True)
class Quantity(Generic[Source]):
    """One row of the catalogue.

    ``get`` may give NaN or None for what is not known. ``key`` is the name in JSON; a dot nests. A row with ``size``
    gives that many numbers. ``path`` is its place on the D-Bus, ``{}`` the number of an element; an empty key or path
    leaves it out there. ``column`` is its head in the terminal's table of packs and ``rank`` how early it is left out
    there when room is short (0: never shown). ``device_class`` is Home Assistant's;
    a row without ``entity`` is not shown there.
    """

    key: str
    title: str
    unit: Unit
    rate: Rate
    get: Callable[[Source], Any]
    path: str = ""
    device_class: str = ""
    column: str = ""
    rank: int = 0
    size: int = 0
    writeable: bool = False
    entity: Entity | None = None

    def value(self, source: Source) -> Value:
        """The value in ``source``, rounded; for rows without ``size``."""
        return self.unit.rounded(self.get(source), self.rate.limit)

    def values(self, source: Source) -> list[Value]:
        """The values in ``source``, rounded, without the unknown ones at the end; for rows with ``size``."""
        values = [self.unit.rounded(value) for value in self.get(source)]
        while values and values[-1] is None:
            values.pop()
        return values


def expand(table: Iterable[Quantity[Source]]) -> tuple[Quantity[Source], ...]:
    """The rows of ``table``, one for each element of those that have several."""
    return tuple(row for quantity in table for row in (_elements(quantity) if quantity.size else [quantity]))


def _elements(quantity: Quantity[Source]) -> list[Quantity[Source]]:
    def element(index: int) -> Callable[[Source], Any]:
        return lambda source: quantity.get(source)[index]

    return [
        replace(
            quantity,
            key=f"{quantity.key}.{index + 1}",
            path=quantity.path.format(index + 1),
            get=element(index),
            size=0,
        )
        for index in range(quantity.size)
    ]


def plain(table: Sequence[Quantity[Source]], source: Source) -> dict[str, Any]:
    """``table`` as JSON has it: dots of the keys nest, flags are booleans, what is not known is ``None``."""
    whole: dict[str, Any] = {}
    for quantity in table:
        *groups, name = quantity.key.split(".")
        if not name:
            continue
        node = whole
        for group in groups:
            node = node.setdefault(group, {})
        node[name] = quantity.values(source) if quantity.size else _plain_value(quantity, source)
    return whole


def _plain_value(quantity: Quantity[Source], source: Source) -> Value:
    value = quantity.value(source)
    return bool(value) if quantity.unit is Unit.FLAG and value is not None else value
