"""What users ask of the bank while it runs. Outputs send commands; the main loop applies them before its next step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SetControl:
    """Set one field of :class:`~packbank.model.controls.Controls`; ``None`` lifts a cap."""

    field: str
    value: float | bool | None


@dataclass(frozen=True, slots=True)
class ResetSoc:
    """The bank is known to be at ``percent``."""

    percent: float


@dataclass(frozen=True, slots=True)
class StartTopBalance:
    """Balance at the top now instead of at the next scheduled day."""


@dataclass(frozen=True, slots=True)
class ClearHistory:
    """Begin the history anew."""


@dataclass(frozen=True, slots=True)
class Redetect:
    """Look for packs now."""


Command = SetControl | ResetSoc | StartTopBalance | ClearHistory | Redetect
Send = Callable[[Command], None]  # may be called from any thread; never blocks
