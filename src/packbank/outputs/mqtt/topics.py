"""Topics and ids of one bank; docs/home-assistant.md lists them for other readers than Home Assistant."""

from __future__ import annotations

import re
from dataclasses import dataclass

ONLINE, OFFLINE = "online", "offline"
BIRTH_TOPIC = "homeassistant/status"  # Home Assistant says here that it has started


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of the bank called ``bank``; a pack is named by its device id there."""

    bank: str

    @property
    def device(self) -> str:
        """The bank's device id; a pack's begins with it."""
        return f"packbank_{self.bank}"

    @property
    def status(self) -> str:
        """``online`` or ``offline``, retained, also the will: whether packbank runs."""
        return f"packbank/{self.bank}/status"

    @property
    def state(self) -> str:
        """The bank as JSON."""
        return f"packbank/{self.bank}/state"

    def pack_device(self, name: str) -> str:
        """The device id of a pack with this serial number, or at this place."""
        return f"{self.device}_{clean(name)}"

    def pack_status(self, device: str) -> str:
        """``online`` or ``offline``, retained: whether the pack answers."""
        return f"{self._pack(device)}/status"

    def pack_state(self, device: str) -> str:
        """The pack as JSON."""
        return f"{self._pack(device)}/state"

    def _pack(self, device: str) -> str:
        return f"packbank/{self.bank}/pack/{device.removeprefix(self.device + '_')}"


def discovery(device: str) -> str:
    """Where a device is announced to Home Assistant; an empty retained message removes it."""
    return f"homeassistant/device/{device}/config"


def clean(text: str) -> str:
    """``text`` with the letters that ids may have, the others replaced by ``_``."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text.strip())
