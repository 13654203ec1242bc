"""Two faults in one sweep: a bad answer in the middle, to be asked again, while the last pack is still to be heard."""

from __future__ import annotations

import time
from math import isnan
from pathlib import Path

import pytest
from plain_protocol import ANSWER_LENGTH, BriefProtocol, PlainExchange, Rig, answer
from sweep_watch import Sweeps, Values, watch_sweeps

from packbank.sources.serial.pacing import Silence

PACKS = 9
SECOND, SIXTH = 2, 6  # places in a sweep
LATE = 0.043  # s: more than a turn, less than the time-out


class NamelessExchange(PlainExchange):
    """Takes any answer with a right sum: only the master can make sure whose it is."""

    def feed(self, data: bytes) -> bool:
        self._buffer += data
        while (
            not self.answer and (start := self._buffer.find(b"!")) >= 0 and len(self._buffer) >= start + ANSWER_LENGTH
        ):
            frame, self._buffer = self._buffer[start : start + ANSWER_LENGTH], self._buffer[start + 1 :]
            if sum(frame[:-1]) & 0xFF == frame[-1]:
                self.answer = frame
        return bool(self.answer)


class NamelessProtocol(BriefProtocol):
    def exchange(self, question: str, address: int) -> NamelessExchange:
        exchange = NamelessExchange(question, address)
        exchange.answer_time = 0.010
        return exchange


class TwoFaults:
    """Sound packs; but in one sweep the second answer has a bad sum, and the sixth is late, or never comes."""

    def __init__(self, sweeps: Sweeps, late: float | None) -> None:
        self.done: list[float] = []  # when each fault was made
        self._sweeps, self._late = sweeps, late
        self._begun, self._place = 0, 0
        self._good = Values()

    def __call__(self, address: int, question: str) -> list[tuple[float, bytes]]:
        self._place = 1 if self._begun < self._sweeps.begun else self._place + 1
        self._begun = self._sweeps.begun
        place = (SECOND, SIXTH)[len(self.done)] if len(self.done) < 2 else 0
        if self._begun < 3 or not self._sweeps.underway or self._place != place:
            return self._good(address, question)
        self.done.append(time.monotonic())
        if place == SECOND:
            return [(0.003, answer(address, question, 7)[:-1] + b"\0")]
        return [] if self._late is None else [(self._late, answer(address, question, self._good.next(address)))]


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> Sweeps:
    return watch_sweeps(monkeypatch)


def test_nothing_is_asked_while_a_late_answer_may_still_come(tmp_path: Path, sweeps: Sweeps) -> None:
    faults = TwoFaults(sweeps, LATE)
    with Rig(tmp_path, faults, PACKS, protocol=NamelessProtocol()) as rig:

        def over() -> bool:
            owners = [0 if isnan(value) else int(value // 1000) for value in rig.voltages]
            assert all(owner in (0, place) for place, owner in enumerate(owners, start=1)), owners
            return len(faults.done) == 2 and time.monotonic() > faults.done[1] + 1.0

        rig.wait(over, 20.0)
        after = [when for when, _, _ in rig.wire.requests if when > faults.done[1] + 0.001]
    assert min(after) >= faults.done[1] + LATE


def test_no_silence_from_before_the_request_is_learnt(
    tmp_path: Path, sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    silences = []
    for name in ("answered", "missed"):
        original = getattr(Silence, name)

        def note(learnt: Silence, kept: float, now: float, original: object = original) -> None:
            silences.append(kept)
            original(learnt, kept, now)  # type: ignore[operator]

        monkeypatch.setattr(Silence, name, note)
    faults = TwoFaults(sweeps, None)
    with Rig(tmp_path, faults, PACKS, protocol=BriefProtocol()) as rig:
        rig.wait(lambda: len(faults.done) == 2 and rig.bus.stats().retries >= 2, 20.0)
    assert silences
    assert min(silences) >= 0.0
