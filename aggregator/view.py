"""One pack as people look at it, built from a step's arrays when somebody looks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.presence import PRESENCES
from packbank.aggregator.table import CHARGE, DISCHARGE, PackTable
from packbank.model.battery import PackView
from packbank.model.columns import Alarm


class PackViews:
    """Builds the :class:`PackView` of a row of one step."""

    def __init__(self, names: Sequence[str], instant: Instant, table: PackTable) -> None:
        self._names = names
        self._instant = instant
        self._table = table

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        sure = self._instant.sets.sure
        weights = np.where(sure, self._instant.weights, 0.0)
        shares: NDArray[np.float64] = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
        return shares

    def __call__(self, pack: int) -> PackView:
        """The view of row ``pack``."""
        tele, sets, own = self._instant.tele, self._instant.sets, self._instant.own
        alarms = tele.alarms[pack]
        return PackView(
            name=self._names[pack],
            presence=PRESENCES[sets.code[pack]],
            age=float(tele.age[pack]),
            blocks_charge=bool(sets.blocked[CHARGE, pack]),
            blocks_discharge=bool(sets.blocked[DISCHARGE, pack]),
            charge_limit=float(own.value[CHARGE, pack]),
            discharge_limit=float(own.value[DISCHARGE, pack]),
            charge_share=float(self._shares[CHARGE, pack]),
            discharge_share=float(self._shares[DISCHARGE, pack]),
            charge_cause=own.cause(CHARGE, pack, self._table),
            discharge_cause=own.cause(DISCHARGE, pack, self._table),
            alarms={alarm: int(alarms[alarm]) for alarm in Alarm if alarms[alarm] > 0.0},
        )
