"""Every fault at several rates against the real bus threads: what reaches the matrix, who suffers, how it recovers.

Each case is a bus of its own with fifteen packs, a simulated wire and a poller; a batch of them runs in parallel
in real time. Every row that a poller puts is compared with what the pack meant to say. ``scripts/fault-matrix``
prints the table of docs/reliability.md, tests/bus runs a short form.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from packbank.bms.fields import columns_of
from packbank.bms.jkpb import JkPb
from packbank.bms.jkpb_fields import SETTINGS, STATUS, STATUS_FLAGS, settings_layout, status_layout
from packbank.bms.protocol import Row, Topic
from packbank.config.model import BusConfig
from packbank.model.bus_stats import BusStats
from packbank.model.columns import Column, empty_matrix
from packbank.model.identity import Identity
from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.fault_answers import ANSWER_FAULTS
from packbank.sim.faults import BUS_FAULTS, Fault, afflict, heal
from packbank.sim.responder import Burst
from packbank.sim.responder_jkpb import JkPbResponder, request
from packbank.sim.wire import Wire, WirePack
from packbank.sim.wire_pty import Buses
from packbank.sources.serial.bus import Bus, start_bus
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

PACKS = 15
RATES = (0.01, 0.10, 0.50)
NAMES = (*ANSWER_FAULTS, *BUS_FAULTS)
UNCERTAIN = ("garble",)  # a sum of eight bits lets one of 256 pass; the values give most of those away, not all
FRESH = 5.0  # s, the age up to which a pack counts as fresh
ROUND = 1.2  # s, of a healthy bus of 15 packs
SETTLE = 5.0  # s without faults at the start: about, settings, the first rounds
RECOVERY = 10.0  # s at most that are waited after the faults' end
REMEMBERED = 64  # answers of a pack that a row may be compared with
HEADER = ("fault", "rate", "accepted", "refused", "retries", "lost", "wrong", "oldest", "healthy", "rounds to recover")
BATCH = 13  # buses at once: two cores bear them without making the packs late


@dataclass(frozen=True, slots=True)
class Case:
    """A fault at a rate; it befalls the packs 1..``sick``, a fault of the bus all of them."""

    name: str
    rate: float
    sick: int

    @property
    def faults(self) -> list[Fault]:
        """As :func:`afflict` takes them."""
        if self.name in BUS_FAULTS:
            return [Fault(self.name, self.rate)]
        return [Fault(self.name, self.rate, address=address) for address in range(1, self.sick + 1)]

    @property
    def healthy(self) -> range:
        """Indices of the packs that nothing befalls."""
        return range(0) if self.name in BUS_FAULTS else range(self.sick, PACKS)


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


class Truth:
    """What the packs of one bus meant to say (an observer of the wire)."""

    def __init__(self) -> None:
        self._meant: dict[tuple[int, Topic], deque[bytes]] = {}
        self._status = sorted(columns_of(STATUS) | columns_of(STATUS_FLAGS))
        self._settings = sorted(columns_of(SETTINGS))
        self._topics = {request(topic, address): topic for topic in Topic for address in range(1, PACKS + 1)}

    def __call__(self, _now: float, address: int, asked: bytes, bursts: list[Burst]) -> None:
        """Remember an answer."""
        key = address, self._topics[asked]
        self._meant.setdefault(key, deque(maxlen=REMEMBERED)).append(bursts[0].data)

    def has_sent(self, address: int, row: Row) -> bool:
        """Whether the status and the settings in ``row`` are, to the last bit, what that pack has sent once."""
        return self._has(address, row, Topic.STATUS) and self._has(address, row, Topic.SETTINGS)

    def _has(self, address: int, row: Row, topic: Topic) -> bool:
        status = topic is Topic.STATUS
        layout, columns = (status_layout(), self._status) if status else (settings_layout(), self._settings)
        if np.isnan(row[Column.STATUS_TIME if status else Column.SETTINGS_TIME]):
            return bool(np.isnan(row[columns]).all())
        said = empty_matrix(1)[0]
        for frame in reversed(tuple(self._meant.get((address, topic), ()))):
            layout.decode_into(frame, said)
            if np.array_equal(said[columns], row[columns], equal_nan=True):
                return True
        return False


class CheckedStore(Store):
    """A store that compares every row with the truth, and measures the packs' ages."""

    def __init__(self, truth: Truth) -> None:
        super().__init__(PACKS)
        self.truth = truth
        self.wrong = 0
        self.last = np.full(PACKS, np.nan)  # when each pack's status arrived
        self.oldest = np.zeros(PACKS)
        self.healed = np.inf
        self.recovered = np.full(PACKS, np.inf)  # when each pack's first status after that arrived

    def put(self, index: int, row: Row, identity: Identity) -> None:
        """As :meth:`Store.put`."""
        known = identity.serial in ("", serial_of(index + 1))
        self.wrong += not (known and self.truth.has_sent(index + 1, row))
        now = row[Column.STATUS_TIME]
        self.note_ages(index, now)
        self.last[index] = now
        if now > self.healed:
            self.recovered[index] = min(self.recovered[index], now)
        super().put(index, row, identity)

    def note_ages(self, which: int | slice, now: float) -> None:
        """Remember how old the status of packs has become by ``now``."""
        self.oldest[which] = np.fmax(self.oldest[which], now - self.last[which])


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
        truth = Truth()
        bank = PhysicalBank(BankSpec(packs=PACKS, seed=self.seed, soc_spread=5.0, capacity_spread=0.05, oldest=1.5))
        bank.step(1.0, 100.0)
        rows, start = bank.answers(), time.monotonic()
        packs = [_pack(address, rows[address - 1], start) for address in range(1, PACKS + 1)]
        self.wire = Wire(packs, Random(self.seed), observers=[truth])
        self.store = CheckedStore(truth)

    @contextmanager
    def polled(self, port: str) -> Iterator[None]:
        """Poll the packs while the context is open."""
        members = [Member(index, index + 1, f"pack {index + 1}") for index in range(PACKS)]
        self.bus = start_bus(BusConfig(name=self.case.name, port=port), JkPb(), members, self.store)
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
        )


def serial_of(address: int) -> str:
    """The serial number of a pack in these cases."""
    return f"FAULT{address:06d}"


def _pack(address: int, row: Row, start: float) -> WirePack:
    """A pack whose values are its own and whose clock runs."""

    def row_at(now: float) -> Row:
        row[Column.TICKS] = now - start
        row[Column.RUNTIME] = now - start
        return row

    return WirePack(JkPbResponder(address, Identity(software="15.41", serial=serial_of(address))), row_at)


def cases(names: Iterable[str] = NAMES, rates: Iterable[float] = RATES, sick: int = PACKS) -> list[Case]:
    """Every fault at every rate."""
    return [Case(name, rate, sick) for name in names for rate in rates]


def run(batch: Sequence[Case], seconds: float, settle: float = SETTLE) -> list[Outcome]:
    """Run cases side by side, their faults for ``seconds`` after ``settle`` s, and wait up to :data:`RECOVERY`."""
    trials = [Trial(case, seed) for seed, case in enumerate(batch, start=1)]
    with tempfile.TemporaryDirectory(prefix="packbank-") as folder, ExitStack() as stack:
        buses = stack.enter_context(Buses([trial.wire for trial in trials], Path(folder)))
        for trial, port in zip(trials, buses.paths, strict=True):
            stack.enter_context(trial.polled(port))
        time.sleep(settle)
        for trial in trials:
            trial.afflict()
        time.sleep(seconds)
        for trial in trials:
            trial.heal()
        patience = time.monotonic() + RECOVERY
        while np.isinf([trial.store.recovered for trial in trials]).any() and time.monotonic() < patience:
            time.sleep(ROUND / 4)
        return [trial.outcome() for trial in trials]


def table(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a table in Markdown; ages in s, the last column in rounds of :data:`ROUND`."""
    rows = [HEADER, ("---",) * len(HEADER), *map(_cells, outcomes)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(outcome: Outcome) -> tuple[str, ...]:
    case = outcome.case
    counts = outcome.accepted, outcome.refused, outcome.retries, outcome.lost, outcome.wrong
    healthy = "-" if np.isnan(outcome.oldest_healthy) else f"{outcome.oldest_healthy:.1f}"
    recovery = f"{outcome.recovery / ROUND:.1f}"
    return case.name, f"{case.rate:.0%}", *map(str, counts), f"{outcome.oldest:.1f}", healthy, recovery


def main() -> int:
    """Run the whole matrix, or what is asked of it, and print its table; 1 when a check let pass what it must see."""
    parser = argparse.ArgumentParser(prog="scripts/fault-matrix", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="how long each fault lasts (60)")
    parser.add_argument("--sick", type=int, default=5, metavar="N", help="packs that a pack's fault befalls (5 of 15)")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="FAULT", help="only this fault; repeatable")
    args = parser.parse_args()
    todo = cases(args.only or NAMES, sick=args.sick)
    batches = [todo[first : first + BATCH] for first in range(0, len(todo), BATCH)]
    outcomes = [outcome for batch in batches for outcome in run(batch, args.seconds)]
    print(table(outcomes))
    return int(any(outcome.wrong for outcome in outcomes if outcome.case.name not in UNCERTAIN))


if __name__ == "__main__":
    sys.exit(main())
