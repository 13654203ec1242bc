"""The whole chain: buses fill the store, once a second the bank becomes a battery, and publishers show it.

:meth:`Daemon.tick` is that once-a-second step. Whoever owns the main loop (GLib with D-Bus, :func:`wait_loop`
without) calls it. A step that fails is logged; one that keeps failing ends the loop, because a battery service
that lives but no longer updates its limits is worse than one that is gone (venus.md 3.3).
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Protocol, Self

from packbank import state
from packbank.advice import HASTY, Adviser
from packbank.aggregator.bank import Bank
from packbank.bms import registry
from packbank.config.model import BusConfig, Config
from packbank.errors import PackbankError
from packbank.journal import Journal
from packbank.model.battery import VirtualBattery
from packbank.model.bus_stats import BusStats
from packbank.model.columns import empty_matrix
from packbank.model.controls import Controls, External
from packbank.sources.serial.bus import Bus, start_bus
from packbank.sources.serial.capture import Capture
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

TICK = 1.0  # s
STEPS_MAY_FAIL = 3  # in a row
ADVISE_PERIOD = 5.0  # s: settings, of which the advice is, change seldom
SAVE_PERIOD = 60.0  # s: one small write to the flash, and the most that a power cut may cost
STOP_TIMEOUT = 2.0  # s for a bus to finish its transaction

log = logging.getLogger(__name__)


class Publisher(Protocol):
    """Somewhere that shows the battery: D-Bus, JSON lines, a live table."""

    def publish(self, battery: VirtualBattery, now: float) -> None:
        """Show ``battery``; called once a second from the main loop, so it must not block."""

    def close(self) -> None:
        """Leave cleanly."""


class Daemon:
    """Everything between the ports and the publishers. The buses run while the context is open."""

    def __init__(
        self,
        config: Config,
        *,
        state_file: Path | None = None,
        capture: Capture | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``state_file`` keeps history, counters and the user's wishes; without it they end with the process."""
        saved = state.load(state_file) if state_file else {}
        self.config = config
        self.store = Store(len(config.packs))
        self.publishers: list[Publisher] = []
        self.controls = _controls(saved.get("controls"))
        self.external: Callable[[], External] = External
        self.matrix = empty_matrix(len(config.packs))  # as the last step saw it
        self.bank = Bank(
            [pack.name for pack in config.packs],
            [pack.settings for pack in config.packs],
            config.bank,
            [pack.expected for pack in config.packs],
            _mapping(saved.get("bank")),
        )
        if self.bank.state_error:
            log.warning("%s: the saved state %s; history begins anew", state_file, self.bank.state_error)
        self._buses: list[Bus] = []
        self._state_file = state_file
        self._capture = capture
        self._clock = clock
        self._wall = wall
        self._journal = Journal()
        self._unlimited: set[tuple[int, str]] = set()
        self._adviser = Adviser([pack.settings for pack in config.packs])
        self._saved = clock()
        self._advised = float("-inf")
        self._failures = 0

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._stop_buses)
            for config in self.config.buses:
                self._buses.append(self._start(config))
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as last:
            last.callback(self._save)
            last.callback(self._stop_buses)
            for publisher in self.publishers:
                last.callback(publisher.close)

    def tick(self) -> bool:
        """One step; false when the loop should end. Raises PackbankError when a publisher's peer is gone for good."""
        try:
            self._step(self._clock())
        except PackbankError:
            raise
        except Exception:  # whatever it was, the buses go on, and the next second may be better
            self._failures += 1
            log.exception("step failed (%d of %d in a row end the process)", self._failures, STEPS_MAY_FAIL)
            return self._failures < STEPS_MAY_FAIL
        self._failures = 0
        failed = [bus.name for bus in self._buses if bus.failed]
        if failed:
            log.error("the thread of %s has ended, which is a fault of packbank's: ending", ", ".join(failed))
        return not failed

    def stats(self) -> tuple[BusStats, ...]:
        """How the buses are doing."""
        return tuple([bus.stats() for bus in self._buses])

    def take_controls(self, controls: Controls) -> None:
        """The user has changed a wish: it holds from the next step on, and is kept."""
        self.controls = controls
        self._save()

    def _start(self, config: BusConfig) -> Bus:
        packs = [(index, pack) for index, pack in enumerate(self.config.packs) if pack.bus == config.name]
        inverted = [pack.address for _, pack in packs if pack.invert_current_measurement]
        protocol = registry.protocol(config.protocol, inverted)
        members = [Member(index, pack.address, pack.name, pack.expected) for index, pack in packs]
        tap = self._capture.tap(config.name, protocol) if self._capture else None
        return start_bus(config, protocol, members, self.store, tap)

    def _stop_buses(self) -> None:
        for bus in self._buses:
            bus.stop()
        for bus in self._buses:
            if not bus.join(STOP_TIMEOUT):
                log.warning("%s: did not end within %.0f s", bus.name, STOP_TIMEOUT)
        if self._capture:
            self._capture.close()

    def _step(self, now: float) -> None:
        self.matrix, _ = self.store.snapshot(now + TICK)
        battery = self.bank.step(self.matrix, now, self._wall(), self.controls, self.external())
        for level, line in self._journal.lines(battery, now):
            log.log(level, "%s", line)
        for publisher in self.publishers:
            publisher.publish(battery, now)
        if now - self._advised >= ADVISE_PERIOD:
            self._advised = now
            self._demand_limits()
            self._advise()
        if now - self._saved >= SAVE_PERIOD:
            self._save()

    def _demand_limits(self) -> None:
        """Say once of each pack that nobody limits its current."""
        unlimited = set(self.bank.unlimited_packs())
        for index, key in sorted(unlimited - self._unlimited):
            log.error("%s: its BMS tells no current limit: set %s, until then the bank's limit is 0 A",
                      self.config.packs[index].name, key)  # fmt: skip
        self._unlimited |= unlimited

    def _advise(self) -> None:
        """Say once of each pack what its owner should change in its BMS; packs with the same fault share a line."""
        if hasty := self._adviser.hasty(self.matrix):
            log.warning("%s: %s", ", ".join(self.config.packs[index].name for index in hasty), HASTY)

    def _save(self) -> None:
        self._saved = self._clock()
        if self._state_file is None:
            return
        try:
            state.save(self._state_file, {"bank": self.bank.state(), "controls": asdict(self.controls)})
        except OSError as error:
            log.warning("%s: state not saved (%s); a restart begins without it", self._state_file, error)


def wait_loop(tick: Callable[[], bool], period: float = TICK) -> None:
    """Call ``tick`` every ``period`` seconds until it returns false or SIGTERM or SIGINT arrives."""
    stopped = Event()
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        due = time.monotonic()
        while tick():
            due = max(due + period, time.monotonic())
            if stopped.wait(due - time.monotonic()):
                return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _mapping(saved: object) -> Mapping[str, Any] | None:
    return saved if isinstance(saved, Mapping) else None


def _controls(saved: object) -> Controls:
    """The user's wishes as saved; none when the record is damaged or not of this version."""
    wishes = dict(_mapping(saved) or {})
    none = asdict(Controls())
    if all(name in none and _may_be(wish, none[name]) for name, wish in wishes.items()):
        return Controls(**wishes)
    log.warning("the saved user limits are damaged or of another version: set them again")
    return Controls()


def _may_be(wish: object, none: object) -> bool:
    """Whether ``wish`` can stand where ``none`` means that there is none: a switch, or a cap."""
    if isinstance(none, bool) or isinstance(wish, bool):
        return type(wish) is type(none)
    return wish is None or isinstance(wish, int | float)
