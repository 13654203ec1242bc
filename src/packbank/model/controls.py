"""What a user sets while the bank runs, and what others measure for it."""

from __future__ import annotations

from dataclasses import dataclass

NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The user's wishes at run time (``/Settings/...`` on the GX); they only ever lower a limit."""

    charge_current: float | None = None  # A, cap of CCL
    discharge_current: float | None = None  # A, cap of DCL
    charge_voltage: float | None = None  # V, cap of CVL
    charge_off: bool = False
    discharge_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """The bank as a shunt or another device sees it; ``NaN`` where there is none."""

    current: float = NAN  # A, + charges
    soc: float = NAN  # %
    loads: float = NAN  # A, drawn beside the batteries from what chargers give: it is theirs when these loads go off
