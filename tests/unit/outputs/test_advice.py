import numpy as np
import pytest

from packbank.model.columns import Column, empty_matrix
from packbank.outputs.advice import hasty_packs

NAN = float("nan")


@pytest.mark.parametrize(
    ("delay", "limit", "ceiling", "found"),
    [
        (3.0, 100.0, None, True),  # nothing keeps the current below the BMS's limit
        (3.0, 100.0, 99.0, True),  # too close to it
        (3.0, 100.0, 90.0, False),
        (10.0, 100.0, None, False),
        (NAN, 100.0, None, False),  # its settings are not known yet
    ],
)
def test_a_bms_that_is_quicker_than_an_inverter(delay: float, limit: float, ceiling: float | None, found: bool) -> None:
    rows = empty_matrix(2)
    rows[1, Column.CHARGE_OCP_DELAY], rows[1, Column.CHARGE_CURRENT_LIMIT] = delay, limit
    assert hasty_packs(rows, [None, ceiling]) == ([1] if found else [])
    assert np.isnan(rows[0]).all()
