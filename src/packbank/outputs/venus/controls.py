"""What the user may write on the GX: wishes that last (:class:`Controls`), and things to be done once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from packbank.model.controls import Controls
from packbank.outputs.venus.path import Item, Path, Quantity, Rate, Value


@dataclass(frozen=True, slots=True)
class Wish:
    """A writeable path that is a field of :class:`Controls`: its range, and the number that stands for ``None``."""

    path: Path[Controls]
    field: str
    low: float
    high: float
    none: float | None = None  # flags have none

    @property
    def key(self) -> str:
        """Its key in localsettings: the last element of the path."""
        return self.path.name.rpartition("/")[2]

    def changed(self, controls: Controls, value: Value) -> Controls | None:
        """``controls`` after ``value`` was written; ``None`` when the value is refused."""
        if not isinstance(value, int | float):
            return None
        flag = self.none is None
        wished: float | bool | None
        if not flag and value == self.none:
            wished = None
        elif (value in (0, 1)) if flag else (self.low <= value <= self.high):
            wished = bool(value) if flag else float(value)
        else:
            return None
        change: dict[str, Any] = {self.field: wished}
        return replace(controls, **change)


_CAPS = {Quantity.AMPERES: (0.0, 10000.0, -1.0), Quantity.VOLTS: (8.0, 1000.0, 0.0)}  # low, high, none


def _cap(name: str, quantity: Quantity, field: str, meaning: str) -> Wish:
    low, high, none = _CAPS[quantity]

    def get(controls: Controls) -> Value:
        value: Value = getattr(controls, field)
        return none if value is None else value

    return Wish(Path(name, Rate.CHANGE, quantity, get, meaning, writeable=True), field, low, high, none)


def _switch(name: str, field: str, meaning: str) -> Wish:
    return Wish(
        Path(name, Rate.CHANGE, Quantity.NUMBER, lambda c: getattr(c, field), meaning, writeable=True), field, 0, 1
    )


WISHES = (
    _cap("/Settings/MaxChargeCurrent", Quantity.AMPERES, "charge_current", "cap of CCL, -1: none"),
    _cap("/Settings/MaxDischargeCurrent", Quantity.AMPERES, "discharge_current", "cap of DCL, -1: none"),
    _cap("/Settings/MaxChargeVoltage", Quantity.VOLTS, "charge_voltage", "cap of CVL, 0: none"),
    _switch("/Io/ForceChargingOff", "charge_off", "1: CCL is 0 until 0 is written"),
    _switch("/Io/ForceDischargingOff", "discharge_off", "1: DCL is 0 until 0 is written"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What can be done once, each with the number that was written; the path of a missing one stays invalid."""

    reset_soc: Callable[[float], None] | None = None
    top_balance: Callable[[float], None] | None = None
    clear_history: Callable[[float], None] | None = None


@dataclass(frozen=True, slots=True)
class Button:
    """A writeable path that starts an action."""

    path: Path[Actions]
    field: str  # of Actions
    low: float
    high: float

    def press(self, actions: Actions, value: Value) -> Item | None:
        """Do it; the item as it was, so that it can be pressed again. ``None``: the value is refused."""
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return None
        getattr(actions, self.field)(float(value))
        return self.path.item(actions)


def _button(name: str, field: str, meaning: str, low: float, high: float) -> Button:
    def get(actions: Actions) -> Value:
        return None if getattr(actions, field) is None else 0

    return Button(Path(name, Rate.CHANGE, Quantity.NUMBER, get, meaning, writeable=True), field, low, high)


BUTTONS = (
    _button("/Settings/ResetSoc", "reset_soc", "write 0 to 100: SoC now is that, with `SOC_CALCULATION`", 0, 100),
    _button("/Settings/TopBalance", "top_balance", "write 1: balance at the top now", 1, 1),
    _button("/History/Clear", "clear_history", "write 1: begin the history anew", 1, 1),
)
ACTIONS: tuple[Path[Actions], ...] = (
    *(button.path for button in BUTTONS),
    Path(
        "/History/CanBeCleared",
        Rate.CHANGE,
        Quantity.NUMBER,
        lambda a: int(a.clear_history is not None),
        "1: the GUI offers to clear the history",
    ),
)
