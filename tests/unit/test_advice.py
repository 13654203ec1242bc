from packbank.advice import Adviser
from packbank.aggregator.settings import PackSettings
from packbank.model.columns import Column, empty_matrix


def test_a_hasty_protection_is_found_once_unless_the_users_ceiling_leaves_room() -> None:
    matrix = empty_matrix(5)
    matrix[:, Column.CHARGE_CURRENT_LIMIT] = 100.0
    matrix[:4, Column.CHARGE_OCP_DELAY] = [3.0, 10.0, 3.0, 3.0]  # the last pack has not told yet
    ceilings = [None, None, 90.0, 100.0, None]
    adviser = Adviser([PackSettings(max_battery_charge_current=ceiling) for ceiling in ceilings])
    assert adviser.hasty(matrix) == [0, 3]
    assert adviser.hasty(matrix) == []
    matrix[4, Column.CHARGE_OCP_DELAY] = 3.0
    assert adviser.hasty(matrix) == [4]
