"""``packbank replay``: the whole chain, driven from a recording instead of ports."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from packbank.aggregator.bank import Bank
from packbank.aggregator.settings import BankSettings, PackSettings
from packbank.bms import registry
from packbank.config.loader import load
from packbank.errors import ConfigError
from packbank.model.controls import Controls
from packbank.model.identity import Place
from packbank.model.snapshot import Snapshot
from packbank.outputs.json_lines import snapshot_dict
from packbank.outputs.terminal import line
from packbank.sources.hosts.replay import read_hosts
from packbank.sources.serial.recording import Event, read_buses, read_events, read_protocols
from packbank.sources.serial.replay import Player

TICK = 1.0  # s of the recording


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="made by 'packbank run --capture FILE', a bus trace, or answers in hex, one a line",
    )
    parser.add_argument(
        "--bus", action="append", metavar="NAME", help="only this bus or host of the recording; may be repeated"
    )
    parser.add_argument("--protocol", default="jkpb", choices=registry.NAMES, help="if the recording does not name it")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="names and limits of the packs from this config.ini"
    )
    parser.add_argument("--speed", type=float, metavar="X", help="times real time; default: as fast as possible")
    parser.add_argument("--every", type=float, metavar="S", help="print the battery every S seconds of the recording")
    parser.add_argument("--json", action="store_true", help="the battery as one JSON object a line")
    parser.epilog = "Prints the battery at the end of the recording, and what the buses heard to standard error."


def run(args: argparse.Namespace) -> int:
    """Replay; 1 when the recording holds no answer that passes every check."""
    there, hosts = read_buses(args.file), read_hosts(args.file)
    buses = [bus for bus in there if not args.bus or bus in args.bus]
    if not buses:
        lacks = f"no traffic of that bus or host in it; it has {', '.join(there)}" if there else "no traffic in it"
        raise ConfigError(f"{args.file}: {lacks}")
    protocols = read_protocols(args.file)
    player = Player(
        {bus: registry.protocol(protocols.get(bus, args.protocol)) for bus in buses if bus not in hosts},
        {host: packs for host, packs in hosts.items() if host in buses},
    )
    if not player.places:
        raise ConfigError(f"{args.file}: its hosts announce no pack, and rows cannot be read without that")
    replay = _Replay(player, _bank(player.places, args.config), args)
    replay.play(event for event in read_events(args.file) if event.bus in buses)
    return 0 if replay.finish() else 1


def _bank(places: Sequence[Place], config_file: Path | None) -> Bank:
    """The bank of all places; those that a configuration knows get its names and settings."""
    if config_file is None:
        return Bank(
            [place.name for place in places], [PackSettings()] * len(places), BankSettings(), [False] * len(places)
        )
    config = load(config_file)
    packs = {(pack.bus, pack.address): pack for pack in config.packs}
    known = [packs.get((place.bus, place.address)) for place in places]
    return Bank(
        [pack.name if pack else place.name for pack, place in zip(known, places, strict=True)],
        [pack.settings if pack else PackSettings() for pack in known],
        config.bank,
        [False] * len(places),
    )


class _Replay:
    """Steps the bank once a second of the recording and prints what it makes of it."""

    def __init__(self, player: Player, bank: Bank, args: argparse.Namespace) -> None:
        self._player = player
        self._bank = bank
        self._speed: float | None = args.speed
        self._every: float | None = args.every
        self._json: bool = args.json
        self._start = self._now = self._last = 0.0
        self._steps = 0

    def play(self, events: Iterable[Event]) -> None:
        began = time.monotonic()
        for first, event in enumerate(events):
            if not first:
                self._start = self._now = printed = event.time
            while event.time >= self._now + TICK:
                self._now += TICK
                if self._speed:
                    time.sleep(max(began + (self._now - self._start) / self._speed - time.monotonic(), 0.0))
                snapshot = self._step()
                if self._every and self._now - printed >= self._every:
                    printed = self._now
                    self._print(snapshot)
            self._player.take(event)
            self._last = event.time
        self._now = self._last
        self._player.finish(self._now)

    def finish(self) -> bool:
        """Print the battery at the end and what was heard; whether there was any answer."""
        self._print(self._step())
        stats = self._player.stats(self._now - self._start)
        for bus in stats:
            refused = ", ".join(f"{reason} {count}" for reason, count in sorted(bus.refused.items())) or "none"
            print(f"{bus.name}: {bus.answers} answers in {bus.seconds:.0f} s; refused: {refused}", file=sys.stderr)
        return any(bus.answers for bus in stats)

    def _step(self) -> Snapshot:
        """The bank at this second of the recording; its times count from the recording's start."""
        self._steps += 1
        rows, identities = self._player.store.snapshot()
        battery = self._bank.step(rows, self._now, self._now)
        return Snapshot(
            number=self._steps,
            time=self._now,
            wall=self._now,
            battery=battery,
            rows=rows,
            places=self._player.places,
            identities=identities,
            buses=self._player.stats(self._now - self._start),
            controls=Controls(),
        )

    def _print(self, snapshot: Snapshot) -> None:
        since = self._now - self._start
        if self._json:
            print(json.dumps(snapshot_dict(snapshot) | {"time": round(since, 3)}, allow_nan=False), flush=True)
        else:
            print(f"{since:8.1f} s  {line(snapshot)}", flush=True)
