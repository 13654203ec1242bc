"""What localsettings and packbank exchange when replies come late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from packbank.model.catalogue import Value
from packbank.outputs.venus.settings import LocalSettings

PATH = "/Settings/Devices/packbank/MaxChargeCurrent"


class SlowService:
    """A bus on which the service takes what it is sent, signals it, and whose replies all come too late."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.signal: Callable[[str, Value], None]

    def has_owner(self, name: str) -> bool:
        return bool(name)

    def ask(self, *call: Any) -> None:
        self.sent.append(call[-1])

    def listen(self, service: str, heard: Callable[[str, Value], None]) -> None:
        del service
        self.signal = heard

    def watch_owner(self, service: str, heard: Callable[..., None]) -> None:
        """It never leaves."""


def test_a_reply_that_came_too_late_does_not_hide_later_changes() -> None:
    bus: Any = SlowService()
    settings = LocalSettings(bus, "packbank")
    changes: list[tuple[str, Value]] = []
    settings.watch(lambda key, value: changes.append((key, value)))
    settings.write("MaxChargeCurrent", 33.0)
    assert len(bus.sent) == 1
    bus.signal(PATH, 12.0)
    assert not changes, "older than what was sent"
    bus.signal(PATH, 33.0)
    assert not changes, "our own"
    bus.signal(PATH, 44.0)
    assert changes == [("MaxChargeCurrent", 44.0)]
