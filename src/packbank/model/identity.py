"""Who a pack says it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a pack says it is; texts are empty and numbers ``None`` where it does not tell."""

    model: str = ""
    hardware: str = ""
    software: str = ""
    serial: str = ""
    name: str = ""
    manufactured: str = ""  # ISO date
    runtime: int | None = None  # s
    power_on_count: int | None = None
