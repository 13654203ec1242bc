"""What is kept is what the catalogue says of each quantity."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from packbank.outputs.history.figures import (
    BANK_FIGURES,
    BANK_QUANTITIES,
    PACK_FIGURES,
    PACK_QUANTITIES,
    of_bank,
    of_packs,
)
from served import bank


def test_figures_of_packs_are_those_of_the_catalogue() -> None:
    shown = bank()
    kept = of_packs(shown)
    for index, pack in enumerate(shown.packs()):
        if index == 2:  # it is lost
            assert np.isnan(kept[index]).all()
            continue
        for figure, value in zip(PACK_FIGURES, kept[index].tolist(), strict=True):
            expected = PACK_QUANTITIES[figure.key].get(pack)
            assert value == pytest.approx(nan if expected is None else expected, nan_ok=True), figure.key


def test_figures_of_the_bank_are_those_of_the_catalogue() -> None:
    shown = bank()
    for figure, value in zip(BANK_FIGURES, of_bank(shown).tolist(), strict=True):
        assert BANK_QUANTITIES[figure.key].unit.rounded(value) == BANK_QUANTITIES[figure.key].value(shown), figure.key


def test_old_values_of_a_lost_pack_are_not_kept() -> None:
    shown = bank()
    rows = shown.rows.copy()
    rows[2] = rows[1]
    object.__setattr__(shown, "rows", rows)
    assert np.isnan(of_packs(shown)[2]).all()
