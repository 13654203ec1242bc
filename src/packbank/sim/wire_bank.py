"""A physical bank in real time, its packs wired to simulated buses: what ``simulate`` and ``demo`` run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from threading import Lock

from packbank.bms import registry
from packbank.bms.jkpb import JkPb
from packbank.bms.protocol import Row
from packbank.model.identity import Identity
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.faults import Fault, afflict
from packbank.sim.responder import responder, responder_class
from packbank.sim.wire import Wire, WirePack
from packbank.sim.wire_master import MASTER, JkPbMaster, SeplosV3Master

STEP = 0.1  # s of the physics; the resolution of JK's ticks
PLATEAU = 10.0  # s
LOADS = (0.0, 20.0, 35.0, -15.0, -40.0)  # A a pack, in turn: a plateau lets every row catch up; they add up to nothing
MANUFACTURED = "2024-05-17"


@dataclass(frozen=True, slots=True)
class Truth:
    """The bank as it is at ``time``, not as its BMSes report it; ``steady`` seconds ago the load changed last."""

    time: float
    current: float
    voltage: float
    steady: float


class LiveBank:
    """A physical bank that follows the clock, charged and discharged in plateaus. Safe to use from any thread."""

    def __init__(self, spec: BankSpec, start: float) -> None:
        self._bank = PhysicalBank(spec)
        self._start = start
        self._lock = Lock()

    def row(self, index: int, now: float) -> Row:
        """What the BMS of pack ``index`` knows now."""
        with self._lock:
            self._follow(now)
            row: Row = self._bank.answers()[index]
        return row

    def truth(self, now: float) -> Truth:
        """The true figures of the busbar."""
        with self._lock:
            self._follow(now)
            return Truth(now, self._bank.current, self._bank.voltage, (now - self._start) % PLATEAU)

    def _follow(self, now: float) -> None:
        while self._bank.time + STEP <= now - self._start:
            plateau = int(self._bank.time / PLATEAU) % len(LOADS)
            self._bank.step(STEP, LOADS[plateau] * self._bank.spec.packs)


def demo_spec(packs: int, cells: int, seed: int) -> BankSpec:
    """A bank with packs of unequal age and charge. Its shunts are ideal, so that every ampere of difference is ours."""
    return BankSpec(
        packs=packs,
        cells=cells,
        seed=seed,
        soc=60.0,
        soc_spread=3.0,
        capacity_spread=0.03,
        oldest=1.4,
        sensor_gain=0.0,
        sensor_offset=0.0,
        sensor_dead_band=0.0,
        sensor_noise=0.01,
    )


@dataclass(frozen=True, slots=True)
class BusPlan:
    """One bus to simulate: ``packs`` of a protocol at the addresses from its first one on.

    With ``master`` a further pack at DIP 0 asks them, and nobody else should: a JK PB, which is heard as well, or a
    Seplos V3, which is not. ``baudrate`` 0: the usual one.
    """

    protocol: str = "jkpb"
    packs: int = 1
    master: bool = False
    baudrate: int = 0

    @property
    def addresses(self) -> range:
        """Where the packs are; the master is at 0, if it is heard."""
        first = max(registry.protocol(self.protocol).addresses[0], 1)
        heard = self.master and self.protocol == JkPb.name
        return range(MASTER if heard else first, first + self.packs)


def mix() -> list[BusPlan]:
    """Two packs of every family, or the one that a port of it can have, each family on its own bus."""
    return [BusPlan(name, min(2, len(protocol.addresses))) for name, protocol in registry.protocols().items()]


def identity_of(plan: BusPlan, bus: int, address: int) -> Identity:
    """What a simulated pack says of itself."""
    cls = responder_class(plan.protocol)
    return Identity(
        model=cls.model,
        hardware="15A",
        software=cls.software,
        serial=f"SIM{bus:03d}{address:05d}",
        name=f"Pack {bus}-{address}",
        manufactured=MANUFACTURED,
        runtime=0,
        power_on_count=1,
    )


def wire_up(bank: LiveBank, plans: Sequence[BusPlan], faults: Sequence[Fault], seed: int, start: float) -> list[Wire]:
    """A wire for each plan; the bank's packs are in their order, bus by bus."""
    wires, index = [], 0
    for bus, plan in enumerate(plans, start=1):
        random = Random(f"{seed}/{bus}")
        packs = []
        for address in plan.addresses:
            pack = responder(plan.protocol, address, identity_of(plan, bus, address))
            packs.append(WirePack(pack, partial(bank.row, index)))
            index += 1
        rate = plan.baudrate or registry.protocol(plan.protocol).line.baudrate
        wire = Wire(packs, random, rate, plan.protocol)
        if plan.master:
            jk = plan.protocol == JkPb.name
            wire.talkers.append(JkPbMaster(wire.packs.pop(0), start) if jk else SeplosV3Master(start))
        afflict(wire, bus, faults, start, random)
        wires.append(wire)
    return wires
