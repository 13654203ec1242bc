"""The whole chain: sources fill the store, once a second the bank becomes a snapshot, and outputs show it.

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
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from types import TracebackType
from typing import Any, Self

from packbank import state
from packbank.aggregator.bank import Bank
from packbank.config.model import Config
from packbank.errors import PackbankError
from packbank.log_budget import LogBudget
from packbank.model.battery import Packs, Presence
from packbank.model.commands import ClearHistory, Command, Redetect, ResetSoc, SetControl, StartTopBalance
from packbank.model.controls import Controls, External
from packbank.model.identity import Place
from packbank.model.snapshot import Snapshot
from packbank.outputs.runner import Runner
from packbank.sources.serial.capture import Capture, OnRequest
from packbank.sources.start import Source, start_sources
from packbank.sources.store import Store
from packbank.worker import Worker

TICK = 1.0  # s
STEPS_MAY_FAIL = 3  # in a row
SAVE_PERIOD = 60.0  # s: one small write to the flash, and the most that a power cut may cost
LONGEST_SEARCH = 60.0  # s, as the GX says it may take; a bus that cannot be searched by then is not waited for
FORGET_AFTER = 24 * 3600.0  # s of silence: until then a lost pack may still conduct
STOP_TIMEOUT = 2.0  # s for a source to finish its transaction, and for the last state to be written

log = logging.getLogger(__name__)


class Daemon:
    """Everything between the sources and the outputs. The sources run while the context is open."""

    def __init__(
        self,
        config: Config,
        *,
        state_file: Path | None = None,
        capture: Capture | OnRequest | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``state_file`` keeps history, counters and the user's settings; without it they end with the process.

        Raises ConfigError when that file is something else.
        """
        saved = state.load(state_file) if state_file else {}
        self.config = config
        remote = {bus.name for bus in config.buses if bus.host}
        self.store = Store(len(config.packs), [index for index, pack in enumerate(config.packs) if pack.bus in remote])
        self.outputs = Runner()
        self.saved_controls = state.controls_of(saved)  # None: nothing was saved
        self.external: Callable[[], External] = External
        self.bank = Bank(
            [pack.name for pack in config.packs],
            [pack.settings for pack in config.packs],
            config.bank,
            [pack.expected for pack in config.packs],
            _mapping(saved.get("bank")),
            [[bus.name for bus in config.buses].index(pack.bus) if config.buses else 0 for pack in config.packs],
            state.age(saved),
        )
        if self.bank.state_error:
            log.warning("%s: the saved state %s; history begins anew", state_file, self.bank.state_error)
        self._controls = self.saved_controls or Controls()
        self._commands: SimpleQueue[Command] = SimpleQueue()
        self._places = tuple(Place(pack.bus, pack.address) for pack in config.packs)
        self._sources: tuple[Source, ...] = ()
        self._capture = capture
        self._clock = clock
        self._wall = wall
        self._state_file = state_file
        self._writer = Worker("state", self._write_state) if state_file else None
        self._saved_at = clock()
        self._search_began: float | None = None  # None: no search runs
        self._unsaved = LogBudget(log, lines=1)
        self._steps = 0
        self._failures = 0

    def __enter__(self) -> Self:
        self._sources = start_sources(self.config, self.store, self._capture)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as last:
            last.callback(self._save_last)
            last.callback(self._stop_sources)
            last.callback(self.outputs.close)

    def send(self, command: Command) -> None:
        """Have ``command`` applied before the next step. From any thread."""
        self._commands.put(command)

    def tick(self) -> bool:
        """One step; false when the loop should end. Raises PackbankError when the vital output is gone for good."""
        try:
            self.outputs.show(self.step(self._clock()))
        except PackbankError:
            raise
        except Exception:  # whatever it was, the buses go on, and the next second may be better
            self._failures += 1
            log.exception("step failed (%d of %d in a row end the process)", self._failures, STEPS_MAY_FAIL)
            return self._failures < STEPS_MAY_FAIL
        self._failures = 0
        return self.outputs.useful

    def step(self, now: float) -> Snapshot:
        """Apply what was asked for, take the rows and make the snapshot of ``now``."""
        changed = self._apply_commands(now)
        rows, identities = self.store.snapshot(now + TICK)
        self._settle(self.store.take_settled())  # after the rows: whoever is in them has its place
        rows.flags.writeable = False
        wall = self._wall()
        battery = self.bank.step(rows, now, wall, self._controls, self.external(), identities)
        self._steps += 1
        if changed or now - self._saved_at >= SAVE_PERIOD:
            self._save(now)
        return Snapshot(
            number=self._steps,
            time=now,
            wall=wall,
            battery=battery,
            rows=rows,
            places=self._places,
            identities=identities,
            buses=tuple([bus for source in self._sources for bus in source.buses()]),
            controls=self._controls,
            searching=self._searching(battery.packs, now),
        )

    def _settle(self, settled: Mapping[int, Place]) -> None:
        """Rows that had no pack have one now."""
        if not settled:
            return
        places = list(self._places)
        for index, place in settled.items():
            places[index] = place
            self.bank.rename(index, place.title)
        self._places = tuple(places)

    def _apply_commands(self, now: float) -> bool:
        """Whether there was any."""
        changed = False
        while not self._commands.empty():
            self._apply(self._commands.get(), now)
            changed = True
        return changed

    def _apply(self, command: Command, now: float) -> None:
        match command:
            case SetControl(field, value):
                change: dict[str, Any] = {field: value}
                self._controls = replace(self._controls, **change)
            case ResetSoc(percent):
                self.bank.reset_soc(percent)
            case StartTopBalance():
                self.bank.request_top_balance()
            case ClearHistory():
                self.bank.clear_history()
            case Redetect():
                self._search_began = now
                for source in self._sources:
                    source.search()

    def _searching(self, packs: Packs, now: float) -> bool:
        """Whether a search for packs runs, for one step at least; at its end those that are long gone are forgotten."""
        began = self._search_began
        if began is None:
            return False
        if now == began or (now < began + LONGEST_SEARCH and any(source.searching for source in self._sources)):
            return True
        self._search_began = None
        self._forget(packs)
        return False

    def _forget(self, packs: Packs) -> None:
        """Forget packs that nobody listed, that were silent for a day, and whose bus was searched in vain."""
        unsearched = {source.name for source in self._sources if source.searching}
        gone = [
            index
            for index, (pack, view) in enumerate(zip(self.config.packs, packs, strict=True))
            if view.presence is Presence.LOST
            and view.age >= FORGET_AFTER
            and not pack.expected
            and pack.bus not in unsearched
        ]
        for index in gone:
            self.store.forget(index)
            hours = packs.age[index] / 3600.0
            log.info("%s: silent for %.0f hours, not listed and not found: forgotten", packs.names[index], hours)
        self.bank.forget(gone)

    def _stop_sources(self) -> None:
        for source in self._sources:
            source.stop()
        for source in self._sources:
            if not source.join(STOP_TIMEOUT):
                log.warning("%s: did not end within %.0f s", source.name, STOP_TIMEOUT)
        if self._capture:
            self._capture.close()

    def _save(self, now: float) -> None:
        """Have the state written; the disk may take its time."""
        self._saved_at = now
        if self._writer:
            found = self.store.announced
            announced = {host.name: found.get(host.name, host.packs) for host in self.config.hosts if not host.listed}
            hosts = {"hosts": announced} if announced else {}
            self._writer.give({"bank": self.bank.state(), "controls": asdict(self._controls), **state.stamp(), **hosts})

    def _save_last(self) -> None:
        if self._writer is None:
            return
        now = self._clock()
        self._apply_commands(now)
        self._save(now)
        if not self._writer.close(STOP_TIMEOUT):
            log.warning("%s: the disk is too slow, the last state may not be saved", self._state_file)

    def _write_state(self, saved: Mapping[str, object]) -> None:
        if self._state_file is None:
            return
        try:
            state.save(self._state_file, saved)
        except (OSError, ValueError) as error:
            text = f"{self._state_file}: state not saved ({error}); a restart begins without it"
            self._unsaved.say("state", time.monotonic(), logging.WARNING, text)


def wait_loop(tick: Callable[[], bool], period: float | Callable[[], float] = TICK) -> None:
    """Call ``tick`` every ``period`` seconds, until it returns false or SIGTERM or SIGINT arrives."""
    stopped = Event()
    before = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        due = time.monotonic()
        while tick():
            due = max(due + (period() if callable(period) else period), time.monotonic())
            if stopped.wait(due - time.monotonic()):
                return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _mapping(saved: object) -> Mapping[str, Any] | None:
    return saved if isinstance(saved, Mapping) else None
