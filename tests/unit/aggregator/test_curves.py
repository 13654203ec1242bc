from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from packbank.aggregator.curves import LINEAR, STEPPED, Curve
from packbank.aggregator.settings import PackSettings
from packbank.cext.curves import CurveSet

DEFAULTS = PackSettings()
CHARGE = Curve.of(DEFAULTS.cell_voltages_while_charging, DEFAULTS.max_charge_current_cv_fraction)


def along(curves: Sequence[Curve | None], x: Sequence[float]) -> list[float]:
    """The fraction of each pack's curve at its value."""
    fractions = np.empty(len(x))
    CurveSet(curves).at(np.array(x), fractions)
    values: list[float] = fractions.tolist()
    return values


def at(curve: Curve, x: float) -> float:
    return along([curve], [x])[0]


@pytest.mark.parametrize(
    ("volts", "amperes"),
    [(3.380, 42.5), (3.390, 27.5), (3.410, 8.5), (3.440, 1.15), (3.450, 0.25), (3.500, 0.0), (3.30, 50.0), (3.60, 0.0)],
)
def test_default_charge_curve_gives_dbus_serialbatterys_figures(volts: float, amperes: float) -> None:
    assert at(CHARGE, volts) * 50.0 == pytest.approx(amperes, abs=1e-9)


@pytest.mark.parametrize(("volts", "amperes"), [(2.95, 1.65), (3.05, 9.0), (3.11, 20.0), (3.15, 40.0), (3.19, 60.0)])
def test_default_discharge_curve_gives_dbus_serialbatterys_figures(volts: float, amperes: float) -> None:
    curve = Curve.of(DEFAULTS.cell_voltages_while_discharging, DEFAULTS.max_discharge_current_cv_fraction)
    assert at(curve, volts) * 60.0 == pytest.approx(amperes)


def test_both_ends_are_exact_and_order_does_not_matter() -> None:
    up = Curve.of([0.0, 10.0], [0.0, 1.0])
    down = Curve.of([10.0, 0.0], [1.0, 0.0])
    assert up == down
    assert (at(up, -5.0), at(up, 0.0), at(up, 10.0), at(up, 15.0)) == (0.0, 0.0, 1.0, 1.0)


def test_a_repeated_point_is_a_jump_and_the_later_value_holds_on_it() -> None:
    curve = Curve.of([0.0, 5.0, 5.0, 10.0], [0.0, 0.0, 1.0, 1.0])
    assert (at(curve, 4.999), at(curve, 5.0), at(curve, 5.001)) == (0.0, 1.0, 1.0)


def test_steps_take_the_stricter_neighbour_both_ways() -> None:
    rising = Curve.of([0.0, 5.0, 10.0], [0.0, 0.5, 1.0], STEPPED)
    assert [at(rising, x) for x in (-1.0, 0.0, 2.0, 5.0, 9.0, 10.0, 11.0)] == [0.0, 0.0, 0.0, 0.5, 0.5, 1.0, 1.0]
    falling = Curve.of([40.0, 45.0, 50.0], [1.0, 0.5, 0.0], STEPPED)
    assert [at(falling, x) for x in (39.0, 41.0, 45.0, 46.0, 50.0)] == [1.0, 0.5, 0.0, 0.0, 0.0]


def test_steps_never_allow_more_than_the_line() -> None:
    x = np.linspace(3.3, 3.55, 501).tolist()
    stepped = Curve.of(DEFAULTS.cell_voltages_while_charging, DEFAULTS.max_charge_current_cv_fraction, STEPPED)
    steps, line = np.array(along([stepped] * 501, x)), np.array(along([CHARGE] * 501, x))
    assert (steps <= line + 1e-12).all()
    assert (steps < line - 1e-3).any()


def test_unequal_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="2 points, 1 fractions"):
        Curve.of([1.0, 2.0], [1.0], LINEAR)


def test_packs_with_different_curves_are_each_given_their_own() -> None:
    half, full = Curve.of([0.0], [0.5]), Curve.of([0.0], [1.0])
    assert along([half, None, full, half], [1.0] * 4) == [0.5, 1.0, 1.0, 0.5]


def test_missing_values_stay_missing() -> None:
    assert np.isnan(along([CHARGE, CHARGE], [np.nan, 3.3])).tolist() == [True, False]
