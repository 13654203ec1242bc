"""Every fault at several rates against the real bus threads: what reaches the matrix, who suffers, how it recovers.

Each case is a bus of its own with packs of one family, a simulated wire and a poller; a batch of them runs in parallel
in real time. Every row that a poller puts is compared with what the pack meant to say. ``scripts/fault-matrix``
prints the tables of docs/reliability.md, tests/bus runs a short form.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import numpy as np

from packbank.bms import registry
from packbank.bms.jkpb import JkPb
from packbank.bms.protocol import Row
from packbank.config.model import BusConfig
from packbank.model.bus_stats import BusStats
from packbank.model.columns import Column
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.fault_answers import ANSWER_FAULTS
from packbank.sim.fault_truth import CheckedStore, Truth, serial_of
from packbank.sim.faults import BUS_FAULTS, Fault, afflict, heal
from packbank.sim.responder import responder
from packbank.sim.wire import Wire, WirePack
from packbank.sim.wire_bank import BusPlan, identity_of
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import Bus, start_bus
from packbank.sources.serial.gate import Member

JK_ONLY = ("wrong-type", "foreign-ack", "exception", "late")  # they are about JK PB's frames and times
OTHERS_ONLY = ("very-late", "astray")  # what stands for them with other families
RATES = (0.01, 0.10, 0.50)
NAMES = (*ANSWER_FAULTS, "astray", *BUS_FAULTS)
# What checks of eight bits cannot see for certain; the values give most of it away, not all. A sum lets one garbled
# answer of 256 pass, EG4's check byte every second flipped bit.
UNCERTAIN = (("garble", "jkpb"), ("garble", "daly"), ("garble", "eg4"), ("bit-flip", "eg4"))
FRESH = 5.0  # s, the age up to which a pack counts as fresh
ROUND = 1.2  # s, of a healthy bus of 15 JK PB packs
SETTLE = 5.0  # s without faults at the start: about, settings, the first rounds
FIRST_ROUND = 30.0  # s at most that are waited for the first status of every pack
RECOVERY = 10.0  # s at most that are waited after the faults' end
WOBBLE = 5.0  # s, after which the current of a pack begins anew to rise by 1 A/s
HEADER = ("fault", "rate", "accepted", "refused", "retries", "lost", "wrong", "oldest", "healthy", "rounds to recover")
BATCH = 13  # buses at once: two cores bear them without making the packs late


@dataclass(frozen=True, slots=True)
class Case:
    """A fault at a rate; it befalls the packs 1..``sick``, a fault of the bus all of them."""

    name: str
    rate: float
    sick: int
    family: str = JkPb.name

    @property
    def packs(self) -> int:
        """How many there are."""
        return packs_of(self.family)

    @property
    def addresses(self) -> range:
        """Theirs."""
        return BusPlan(self.family, self.packs).addresses

    @property
    def certain(self) -> bool:
        """Whether the family's checks see every damage of this kind."""
        return (self.name, self.family) not in UNCERTAIN

    @property
    def faults(self) -> list[Fault]:
        """As :func:`afflict` takes them."""
        if self.name in BUS_FAULTS:
            return [Fault(self.name, self.rate)]
        return [Fault(self.name, self.rate, address=address) for address in self.addresses[: self.sick]]

    @property
    def healthy(self) -> range:
        """Indices of the packs that nothing befalls."""
        return range(0) if self.name in BUS_FAULTS else range(self.sick, self.packs)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case. Counts are of the time of the fault; ages and times in seconds."""

    case: Case
    accepted: int
    refused: int
    retries: int
    lost: int
    wrong: int  # rows that no answer of that pack had meant
    oldest: float  # age of the oldest status of any pack that was seen
    oldest_healthy: float  # likewise of the packs that nothing befell; NaN when there is none
    recovery: float  # from the end of the fault until every pack had given a status; infinite: it did not
    round: float  # without the fault


@dataclass
class Trial:
    """A case under way."""

    case: Case
    seed: int
    wire: Wire = field(init=False)
    store: CheckedStore = field(init=False)
    bus: Bus = field(init=False)
    before: BusStats = field(init=False)
    after: BusStats = field(init=False)

    def __post_init__(self) -> None:
        family, packs = self.case.family, self.case.packs
        bank = PhysicalBank(BankSpec(packs=packs, seed=self.seed, soc_spread=5.0, capacity_spread=0.05, oldest=1.5))
        bank.step(1.0, packs * 100.0 / 15)
        rows, start = bank.answers(), time.monotonic()
        wired = [_pack(family, address, row, start) for address, row in zip(self.case.addresses, rows, strict=True)]
        truth, protocol = Truth(family), registry.protocol(family)
        self.wire = Wire(wired, Random(self.seed), protocol.line.baudrate, family, observers=[truth])
        self.store = CheckedStore(truth, self.case.addresses)

    @contextmanager
    def polled(self, port: str) -> Iterator[None]:
        """Poll the packs while the context is open."""
        members = [Member(index, address, f"pack {address}") for index, address in enumerate(self.case.addresses)]
        protocol = registry.protocol(self.case.family)
        protocol.line = protocol.line.at(protocol.line.baudrate)
        self.bus = start_bus(BusConfig(name=self.case.name, port=port), protocol, members, self.store)
        try:
            yield
        finally:
            self.bus.stop()
            self.bus.join()

    def afflict(self) -> None:
        """Let the fault begin."""
        self.before = self.bus.stats()
        self.store.oldest[:] = 0.0
        afflict(self.wire, 1, self.case.faults, time.monotonic(), Random(self.seed))

    def heal(self) -> None:
        """End the fault."""
        self.after = self.bus.stats()
        self.store.note_ages(slice(None), time.monotonic())
        heal(self.wire)
        self.store.healed = time.monotonic()

    def outcome(self) -> Outcome:
        """The result, once every pack has recovered or nobody waits any more."""
        healthy = [self.store.oldest[index] for index in self.case.healthy]
        return Outcome(
            case=self.case,
            accepted=self.after.answers - self.before.answers,
            refused=sum(self.after.refused.values()) - sum(self.before.refused.values()),
            retries=self.after.retries - self.before.retries,
            lost=self.after.lost - self.before.lost,
            wrong=self.store.wrong,
            oldest=float(self.store.oldest.max()),
            oldest_healthy=max(healthy, default=np.nan),
            recovery=float(self.store.recovered.max()) - self.store.healed,
            round=self.before.round_time,
        )


def _pack(family: str, address: int, row: Row, start: float) -> WirePack:
    """A pack whose values are its own, whose clock runs and whose current varies."""
    current = row.item(Column.CURRENT)

    def row_at(now: float) -> Row:
        row[Column.TICKS] = row[Column.RUNTIME] = now - start
        row[Column.CURRENT] = current + round(now % WOBBLE, 1)
        return row

    identity = replace(identity_of(BusPlan(family), 1, address), serial=serial_of(address))
    return WirePack(responder(family, address, identity), row_at)


def packs_of(family: str) -> int:
    """How many packs of it are on a bus: as many as JK PB packs are asked in a second, of others four, or one."""
    return min(15 if family == JkPb.name else 4, len(registry.protocol(family).addresses))


def names_for(family: str) -> list[str]:
    """The faults that befall a family."""
    others = OTHERS_ONLY if family == JkPb.name else JK_ONLY
    return [name for name in NAMES if name not in others]


def cases(
    names: Iterable[str] = (), rates: Iterable[float] = RATES, sick: int | None = None, family: str = JkPb.name
) -> list[Case]:
    """Every fault of a family, or those with ``names``, at every rate; of the packs a third is sick, or ``sick``."""
    befallen = max(packs_of(family) // 3, 1) if sick is None else sick
    chosen = [name for name in names_for(family) if name in names] if names else names_for(family)
    return [Case(name, rate, befallen, family) for name in chosen for rate in rates]


def run(batch: Sequence[Case], seconds: float, settle: float = SETTLE) -> list[Outcome]:
    """Run cases side by side, their faults for ``seconds`` after ``settle`` s, and wait up to :data:`RECOVERY`."""
    trials = [Trial(case, seed) for seed, case in enumerate(batch, start=1)]
    with tempfile.TemporaryDirectory(prefix="packbank-") as folder, ExitStack() as stack:
        buses = stack.enter_context(Buses([trial.wire for trial in trials], Path(folder)))
        for trial, port in zip(trials, buses.paths, strict=True):
            stack.enter_context(trial.polled(port))
        time.sleep(settle)
        patience = time.monotonic() + FIRST_ROUND
        while any(trial.bus.stats().rounds < 2 for trial in trials) and time.monotonic() < patience:
            time.sleep(ROUND / 4)
        for trial in trials:
            trial.afflict()
        time.sleep(seconds)
        for trial in trials:
            trial.heal()
        patience = time.monotonic() + RECOVERY
        while any(np.isinf(trial.store.recovered).any() for trial in trials) and time.monotonic() < patience:
            time.sleep(ROUND / 4)
        return [trial.outcome() for trial in trials]


def table(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a table in Markdown; ages in s, the last column in rounds without the fault."""
    rows = [HEADER, ("---",) * len(HEADER), *map(_cells, outcomes)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(outcome: Outcome) -> tuple[str, ...]:
    case = outcome.case
    counts = outcome.accepted, outcome.refused, outcome.retries, outcome.lost, outcome.wrong
    healthy = "-" if np.isnan(outcome.oldest_healthy) else f"{outcome.oldest_healthy:.1f}"
    recovery = f"{outcome.recovery / outcome.round:.1f}"
    return case.name, f"{case.rate:.0%}", *map(str, counts), f"{outcome.oldest:.1f}", healthy, recovery


def main() -> int:
    """Run the whole matrix, or what is asked of it, and print its tables; 1 when a check let pass what it must see."""
    parser = argparse.ArgumentParser(prog="scripts/fault-matrix", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="how long each fault lasts (60)")
    parser.add_argument("--sick", type=int, metavar="N", help="packs that a pack's fault befalls (a third of a bus's)")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="FAULT", help="only this fault; repeatable")
    parser.add_argument("--rate", action="append", type=float, metavar="R", help="0.01, 0.1 and 0.5; repeatable")
    parser.add_argument(
        "--family", action="append", choices=registry.NAMES, metavar="NAME", help="packs of it (jkpb); repeatable"
    )
    args = parser.parse_args()
    wrong = False
    for family in args.family or [JkPb.name]:
        todo = cases(args.only or (), args.rate or RATES, args.sick, family)
        batches = [todo[first : first + BATCH] for first in range(0, len(todo), BATCH)]
        outcomes = [outcome for batch in batches for outcome in run(batch, args.seconds)]
        print(f"{family}: {packs_of(family)} packs\n\n{table(outcomes)}\n", flush=True)
        wrong = wrong or any(outcome.wrong for outcome in outcomes if outcome.case.certain)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
