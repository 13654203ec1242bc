"""Who a pack says it is, and where it is."""

from __future__ import annotations

from dataclasses import dataclass

ANY = "*"  # the name of a bus whose rows wait for packs that another host announces later


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a pack says it is; texts are empty and numbers ``None`` where it does not say."""

    model: str = ""
    hardware: str = ""
    software: str = ""
    serial: str = ""
    name: str = ""
    manufactured: str = ""  # ISO date
    runtime: int | None = None  # s
    power_on_count: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pack is: the bus by its name in the configuration, and the address there."""

    bus: str
    address: int

    @property
    def name(self) -> str:
        """A name for a pack that has no other."""
        return f"{self.bus}/{self.address:#04x}"

    @property
    def waits(self) -> bool:
        """Whether no pack is here: the row waits for one."""
        return self.bus.endswith(f"/{ANY}")

    @property
    def title(self) -> str:
        """The usual name of a pack in a bank of several buses."""
        return f"{self.bus} {self.address}"
