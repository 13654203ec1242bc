"""Which packs a host announces, for a configuration that lists none: asked once, before the bank is made."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from packbank.config.model import HostConfig, HostPacks
from packbank.config.values import format_host_packs
from packbank.mqtt.link import Link
from packbank.sources.hosts import wire
from packbank.sources.hosts.wire import Announcement, State, Topics, WireError

PATIENCE = 15.0  # s, longer than a sender waits for whoever answers on a bus without a list
PAUSE = 0.05  # s

log = logging.getLogger(__name__)


class Asked:
    """What one host has said of its packs."""

    def __init__(self, config: HostConfig) -> None:
        self.config = config
        self._topics = Topics(config.mqtt.bank, config.name)
        self._link = Link(config.mqtt, subscribe=[self._topics.state, self._topics.packs("+")], largest=wire.LARGEST)
        self._state: State | None = None
        self._packs: dict[str, Announcement] = {}

    def listen(self, now: float) -> bool:
        """Take what has come; whether all of its buses are announced."""
        self._link.serve(now)
        for message in self._link.take():
            kind, bus = self._topics.parse(message.topic)
            try:
                if kind == "state":
                    self._state = wire.decode_state(message.payload)
                elif kind == "packs":
                    self._packs[bus] = wire.decode_packs(message.payload)
            except WireError as error:
                log.warning("%s: what it announces cannot be used (%s)", self.config.name, error)
        state = self._state
        return state is not None and bool(state.buses) and all(self._is_of(state, bus) for bus in state.buses)

    def packs(self) -> HostPacks:
        """What is announced so far."""
        buses = self._state.buses if self._state else ()
        announced = [
            (bus, tuple(sorted(pack.address for pack in self._packs[bus].packs))) for bus in buses if bus in self._packs
        ]
        return tuple((bus, addresses) for bus, addresses in announced if addresses)

    def close(self) -> None:
        """Leave the broker."""
        self._link.close()

    def _is_of(self, state: State, bus: str) -> bool:
        return bus in self._packs and self._packs[bus].boot == state.boot


def ask_hosts(
    hosts: Sequence[HostConfig],
    saved: Mapping[str, Any],
    *,
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, HostPacks]:
    """The packs of the hosts without a list: as they announce them within ``patience`` s, else as ``saved``."""
    asked = [Asked(host) for host in hosts if not host.listed]
    end = clock() + patience
    waiting = asked
    while (waiting := [one for one in waiting if not one.listen(clock())]) and clock() < end:
        sleep(PAUSE)
    found = {}
    for one in asked:
        one.close()
        name = one.config.name
        if packs := one.packs():
            found[name] = packs
            log.info("%s announces its packs; to be warned of others, put PACKS = %s into [host:%s]",
                     name, format_host_packs(packs), name)  # fmt: skip
        elif packs := _packs(saved.get(name)):
            found[name] = packs
            log.warning(
                "%s: no announcement within %.0f s; expected are the packs that it announced last", name, patience
            )
        else:
            log.warning("%s: no announcement within %.0f s, and none before: its packs are not part of the bank. Start "
                        "'packbank forward' there and then packbank here again, or put PACKS into [host:%s]",
                        name, patience, name)  # fmt: skip
    return found


def _packs(saved: object) -> HostPacks:
    """What the daemon has kept; nothing when it is damaged."""
    try:
        packs = tuple([(str(bus), tuple([int(one) for one in addresses])) for bus, addresses in saved])  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return ()
    return packs if all(0 <= one < wire.PACKS for _, addresses in packs for one in addresses) else ()
