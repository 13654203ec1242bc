"""What may be written on the D-Bus, and the command that each value stands for.

Settings last (the fields of :class:`~packbank.model.controls.Controls`), actions are done once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeGuard

from packbank.model.catalogue import BANK, Quantity, Rate, Unit, Value
from packbank.model.catalogue.controls import CONTROLS, NO_CAP
from packbank.model.commands import ClearHistory, Command, ResetSoc, SetControl, StartTopBalance
from packbank.model.snapshot import Snapshot
from packbank.outputs.venus.paths import ALIASES

RANGES = {Unit.AMPERES: (0.0, 10000.0), Unit.VOLTS: (8.0, 1000.0)}


def field_of(row: Quantity[Snapshot]) -> str:
    """The field of Controls that a row of ``CONTROLS`` shows."""
    return row.key.partition(".")[2]


def setting_key(row: Quantity[Snapshot]) -> str:
    """Its key in localsettings: the last element of the path."""
    return row.path.rpartition("/")[2]


def set_control(row: Quantity[Snapshot], value: Value) -> SetControl | None:
    """The command that ``value``, written to a row of ``CONTROLS``, stands for; ``None``: it is refused."""
    if row.unit is Unit.FLAG:
        return SetControl(field_of(row), bool(value)) if value in (0, 1) else None
    if not is_number(value):
        return None
    if value == NO_CAP[row.unit]:
        return SetControl(field_of(row), None)
    low, high = RANGES[row.unit]
    return SetControl(field_of(row), float(value)) if low <= value <= high else None


def written(row: Quantity[Snapshot], command: SetControl) -> Value:
    """The value of ``row`` once ``command`` is applied."""
    return NO_CAP[row.unit] if command.value is None else row.unit.rounded(command.value)


def is_number(value: Value) -> TypeGuard[float]:
    """Whether ``value`` is a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """The actions that make sense with this configuration; the path of another one stays invalid."""

    reset_soc: bool = False  # packbank counts the SoC
    top_balance: bool = False  # packbank leads the charge stages
    clear_history: bool = True


@dataclass(frozen=True, slots=True)
class Action:
    """A writeable path that starts something: which numbers it takes, and the command that they stand for."""

    row: Quantity[Offers]
    low: float
    high: float
    command: Callable[[float], Command]

    def judge(self, value: Value) -> Command | None:
        """The command that ``value`` stands for; ``None``: it is refused."""
        return self.command(float(value)) if is_number(value) and self.low <= value <= self.high else None


def _action(path: str, offer: str, title: str, low: float, high: float, command: Callable[[float], Command]) -> Action:
    def get(offers: Offers) -> Value:
        return 0 if getattr(offers, offer) else None

    return Action(Quantity("", title, Unit.NUMBER, Rate.CHANGE, get, path, writeable=True), low, high, command)


_ACTIONS = (
    _action("/Settings/ResetSoc", "reset_soc", "write 0 to 100: the SoC now, with `SOC_CALCULATION`", 0, 100, ResetSoc),
    _action("/Settings/TopBalance", "top_balance", "1: balance at the top now", 1, 1, lambda _: StartTopBalance()),
    _action("/History/Clear", "clear_history", "1: begin the history anew", 1, 1, lambda _: ClearHistory()),
)
ACTIONS = _ACTIONS + tuple(
    replace(one, row=replace(one.row, path=ALIASES[one.row.path], title=f"the same as `{one.row.path}`"))
    for one in _ACTIONS
    if one.row.path in ALIASES
)
OFFERED: tuple[Quantity[Offers], ...] = (
    *(action.row for action in ACTIONS),
    Quantity(
        "",
        "1: the GUI offers to clear the history",
        Unit.NUMBER,
        Rate.CHANGE,
        lambda o: int(o.clear_history),
        "/History/CanBeCleared",
    ),
)

REDETECT = next(row for row in BANK if row.key == "searching")

# Every path at which a setting can be written, with its row.
SETTINGS = {row.path: row for row in CONTROLS} | {ALIASES[row.path]: row for row in CONTROLS if row.path in ALIASES}
