"""The ideal rule, to measure others by: it knows the true network and gives what the packs can take, and no more."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.settings import PackSettings
from packbank.sim.bank import PhysicalBank
from packbank.sim.inverter import DVCC_PERIOD, SMOOTHING
from packbank.sim.judge import Judge, Side
from packbank.sim.meter import PATIENT
from packbank.sim.policy import Limits, Moment

Array = NDArray[np.float64]

ORACLE = "oracle"
MARGIN = 0.01  # it looks once in three seconds, in which shares move; at the very limit a BMS would trip


FORESIGHT = 8.0  # s: a look of DVCC and what chargers and inverter need to follow
AT_ONCE = 0.1  # s: a pack that closes takes most at first
CLOSING = 0.1  # margin for the moment in which a pack closes


class Oracle:
    """The largest current of this instant at which no pack exceeds its limit.

    It knows when a BMS will release a pack, and nothing else of what will happen: no switch, no sun. It keeps room
    for loads that may go off, where a BMS does not wait until DVCC and the chargers have followed; with a ``reserve``
    also for the loss of any one pack in charge. Where chargers heed no CCL it sets the voltage that belongs to the
    current, lower by the voltage (``by_voltage``, V) by which it knows that the chargers hold too much. Elsewhere it
    does not: that would be a clamp that real chargers, with their cables and voltmeters, do not have.
    """

    def __init__(
        self,
        bank: PhysicalBank,
        judge: Judge,
        settings: PackSettings,
        by_voltage: Callable[[], float] | None,
        reserve: int,
    ) -> None:
        self._bank = bank
        self._judge = judge
        self._by_voltage = by_voltage
        self._reserve = reserve > 0
        self._room = 0.0  # A
        self._cvl = bank.spec.cells * settings.max_cell_voltage

    battery = None  # it publishes none

    def restart(self) -> None:
        """It keeps nothing in mind."""

    def step(self, rows: Array, moment: Moment) -> Limits:  # noqa: ARG002 no measurement
        """The limits of this instant."""
        charge, voltage = self._best(self._judge.charge)
        if self._bank.spec.charge_delay < PATIENT:
            # When a load goes off its sun flows into the packs, and DVCC grants it for some seconds more.
            self._room = max(moment.loads, self._room * exp(-1 / SMOOTHING))
            charge = max(charge - self._room, 0.0)
        if self._reserve:
            charge = min(charge, *map(self._without, range(self._bank.spec.packs)))
        discharge, _ = self._best(self._judge.discharge)
        if moment.controls.charge_off:
            charge, voltage = 0.0, self._bank.network(DVCC_PERIOD)[0].voltage(0.0)
        cvl = self._cvl if self._by_voltage is None else min(voltage - self._by_voltage(), self._cvl)
        return Limits(cvl, charge, discharge)

    def _best(self, side: Side) -> tuple[float, float]:
        current, voltage = self._judge.best(side, DVCC_PERIOD, self._cvl)
        closing = self._bank.protections.released_within(FORESIGHT)
        if closing.any():
            then, at = self._judge.best(side, AT_ONCE, self._cvl, closing)
            current, voltage = min(current, (1 - CLOSING) * then), min(voltage, at)
        return (1 - MARGIN) * current, voltage

    def _without(self, pack: int) -> float:
        """The best charge once ``pack`` has opened."""
        opening = np.arange(self._bank.spec.packs) == pack
        return (1 - MARGIN) * self._judge.best(self._judge.charge, AT_ONCE, self._cvl, opening=opening)[0]
