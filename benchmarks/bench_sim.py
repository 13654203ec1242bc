"""One simulated second of the physical bank, without and with the aggregator in the loop."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from packbank.sim.bank import BankSpec, PhysicalBank
from packbank.sim.policy import PACKBANK
from packbank.sim.scenarios import SCENARIOS
from packbank.sim.trial import Run


@pytest.mark.parametrize("packs", [16, 64, 256])
def test_bank_step(benchmark: BenchmarkFixture, packs: int) -> None:
    bank = PhysicalBank(BankSpec(packs=packs, soc=45, capacity_spread=0.2, oldest=2.0))
    benchmark(bank.step, 1.0, 0.1 * packs, 55.2)


@pytest.mark.parametrize("packs", [16, 64])
def test_closed_loop_minute(benchmark: BenchmarkFixture, packs: int) -> None:
    run = Run(SCENARIOS["mixed"], PACKBANK, packs, 0)
    benchmark.pedantic(run.play, args=(60.0,), rounds=1)  # type: ignore[no-untyped-call]
