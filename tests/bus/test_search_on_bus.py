"""A search for packs on a simulated RS485 bus that is polled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from packbank.bms.jkpb import JkPb
from packbank.config.model import BusConfig, Mode
from packbank.model.columns import Column
from packbank.sim.wire import Wire
from packbank.sim.wire_bank import BusPlan, LiveBank, demo_spec, wire_up
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import Bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

PACKS = 4


class FewAddresses(JkPb):
    """As JK PB, with one address at which nobody is: each one costs its time-outs."""

    addresses = range(1, PACKS + 2)


@contextmanager
def polled(folder: Path, members: Sequence[Member]) -> Iterator[tuple[Bus, Wire, Store]]:
    """``PACKS`` packs at 1 to 4, and a bus that reads ``members``."""
    start = time.monotonic()
    wire = wire_up(LiveBank(demo_spec(PACKS, 16, 1), start), [BusPlan("jkpb", PACKS)], [], 1, start)[0]
    with ExitStack() as stack:
        port = stack.enter_context(Buses([wire], folder)).paths[0]
        store, protocol = Store(len(members)), FewAddresses()
        bus = Bus(BusConfig(name="rack", port=port, mode=Mode.POLL), protocol, members, store)
        bus.start()
        stack.callback(lambda: bus.join(2.0))
        stack.callback(bus.stop)
        yield bus, wire, store


def wait(until: Callable[[], bool], seconds: float = 12.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def test_a_search_names_packs_that_the_configuration_does_not_have(tmp_path: Path) -> None:
    members = [Member(0, 1, "pack 1"), Member(1, 2, "pack 2")]
    with polled(tmp_path, members) as (bus, _, store):
        wait(lambda: bus.stats().rounds >= 3)
        assert bus.stats().troubles == ()
        bus.search()
        assert bus.searching
        wait(lambda: not bus.searching)
        troubles = bus.stats().troubles
        assert {one.address for one in troubles} == {3, 4}
        assert all("configuration does not have" in one.text and "BATTERY_ADDRESSES" in one.remedy for one in troubles)
        assert np.isfinite(store.snapshot()[0][:, Column.STATUS_TIME]).all()
        assert not bus.stats().lost  # nobody who is there missed a turn for it


def test_a_search_finds_a_pack_that_was_switched_on_at_once(tmp_path: Path) -> None:
    members = [Member(address - 1, address, f"pack {address}", expected=False) for address in FewAddresses.addresses]
    with polled(tmp_path, members) as (bus, wire, store):
        late, wire.packs = wire.packs[-1], wire.packs[:-1]
        wait(lambda: bus.stats().rounds >= 3)
        bus.search()
        wait(lambda: not bus.searching)  # from now on nobody asks for address 4 for a while
        wire.packs = [*wire.packs, late]
        bus.search()
        wait(lambda: bool(np.isfinite(store.snapshot()[0][3, Column.STATUS_TIME])))
