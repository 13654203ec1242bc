"""Watching the sweeps of a bus, and scripted packs that know when one is under way."""

from __future__ import annotations

from itertools import count
from typing import Any, NamedTuple

import pytest
from plain_protocol import Script, answer

from packbank.cext.sweep import sweep
from packbank.sources.serial import link


class Sweep(NamedTuple):
    """A sweep that was made: how many were to be asked, who was, and with how many bytes each answered."""

    planned: int
    addresses: list[int]
    sizes: list[int]


class Sweeps(list[Sweep]):
    """Those that are over, and whether one is under way."""

    begun = 0
    underway = False


def watch_sweeps(monkeypatch: pytest.MonkeyPatch) -> Sweeps:
    """All sweeps of several packs that the buses of a test make."""
    made = Sweeps()

    def watched(descriptor: int, requests: list[bytes], *plan: Any) -> list[tuple[float, float, int, int, bytes]]:
        if len(requests) == 1:
            return sweep(descriptor, requests, *plan)
        made.begun += 1
        made.underway = True
        swept = sweep(descriptor, requests, *plan)
        made.underway = False
        addresses = [request[1] if request[0] == ord("?") else request[0] for request in requests]
        made.append(Sweep(len(requests), addresses[: len(swept)], [len(data) for *_, data in swept]))
        return swept

    monkeypatch.setattr(link, "sweep", watched)
    return made


class Values:
    """Packs whose every answer is new and shows whose it is: ``address * 1000`` and a running number."""

    def __init__(self) -> None:
        self._number = count(1)

    def next(self, address: int) -> int:
        return address * 1000 + next(self._number) % 1000

    def __call__(self, address: int, question: str) -> list[tuple[float, bytes]]:
        return [(0.003, answer(address, question, self.next(address)))]


class Spoiler:
    """Sound packs; but the fourth question of each sweep is answered as the next of ``bad``."""

    def __init__(self, sweeps: Sweeps, *bad: Script) -> None:
        self.left = list(bad)
        self._sweeps, self._begun, self._place = sweeps, 0, 0
        self._good = Values()

    def __call__(self, address: int, question: str) -> list[tuple[float, bytes]]:
        self._place = 1 if self._begun < self._sweeps.begun else self._place + 1
        self._begun = self._sweeps.begun
        if self.left and self._sweeps.underway and self._place == 4:
            return self.left.pop(0)(address, question)
        return self._good(address, question)
