from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

import pytest

from packbank.aggregator.checks import bank_problems, pack_problems
from packbank.aggregator.settings import BankSettings, PackSettings


def test_defaults_have_no_problems() -> None:
    assert pack_problems(PackSettings()) == []
    assert bank_problems(BankSettings()) == []


@pytest.mark.parametrize("owner", [PackSettings, BankSettings])
def test_every_field_is_documented_and_its_default_is_in_range(owner: type) -> None:
    hints = get_type_hints(owner)
    for field in fields(owner):
        low, high = field.metadata["low"], field.metadata["high"]
        assert len(field.metadata["meaning"]) > 20, field.name
        values = field.default if isinstance(field.default, tuple) else (field.default,)
        for value in values:
            assert value is None or low is None or low <= value <= high, field.name
        if field.default is not None and field.name != "temperature_source_battery":
            kind = tuple if isinstance(field.default, tuple) else hints[field.name]
            assert isinstance(field.default, kind), field.name


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"max_charge_current_cv_fraction": (0.0, 1.0)}, "max_charge_current_cv_fraction", "5 points, 2 fractions"),
        ({"cell_voltages_while_charging": (3.5, 3.4, 3.45, 3.3, 3.2)}, "cell_voltages_while_charging", "all the way"),
        (
            {"max_charge_current_cv_fraction": (0.1, 0.2, 0.3, 0.4, 1.0)},
            "max_charge_current_cv_fraction",
            "0 at the highest",
        ),
        (
            {"max_discharge_current_cv_fraction": (0.1, 0.2, 0.3, 0.4, 1.0)},
            "max_discharge_current_cv_fraction",
            "0 at the lowest",
        ),
        (
            {"max_charge_current_t_mosfet_fraction": (0.5, 0.25, 0.0)},
            "max_charge_current_t_mosfet_fraction",
            "1 somewhere",
        ),
        ({"float_cell_voltage": 3.5}, "float_cell_voltage", "MAX_CELL_VOLTAGE"),
        ({"max_cell_voltage": 3.55}, "cell_voltages_while_charging", "never reached"),
        ({"temperature_source_battery": ()}, "temperature_source_battery", "names no sensor"),
    ],
)
def test_each_problem_of_a_pack_names_its_field(settings: dict[str, object], field: str, words: str) -> None:
    problems = pack_problems(PackSettings(**settings))  # type: ignore[arg-type]
    assert [problem.field for problem in problems] == [field]
    assert words in problems[0].text


def test_a_curve_that_is_switched_off_may_be_nonsense() -> None:
    assert pack_problems(PackSettings(cccm_cv_enable=False, cell_voltages_while_charging=())) == []


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"held_after": 40.0}, "lost_after"),
        ({"soc_low_alarm": 30.0}, "soc_low_alarm"),
        ({"absorption_max_sec": 600.0}, "absorption_max_sec"),
        ({"switch_to_bulk_cell_voltage_diff": 0.005}, "switch_to_bulk_cell_voltage_diff"),
        ({"soc_reset_after_days": 30.0, "cvcm_enable": False}, "soc_reset_after_days"),
    ],
)
def test_each_problem_of_the_bank_names_its_field(settings: dict[str, object], field: str) -> None:
    assert [problem.field for problem in bank_problems(BankSettings(**settings))] == [field]  # type: ignore[arg-type]
