from __future__ import annotations

from dataclasses import replace

import pytest

from packbank.sim.policy import PACKBANK
from packbank.sim.scenario import Ask
from packbank.sim.trial import Result
from packbank.sim.verdict import Summary, broken, naming

GOOD = Result(
    scenario="quick",
    policy=PACKBANK,
    packs=16,
    seed=0,
    delay=3.0,
    trips=0,
    repeated_trips=0,
    over=0.0,
    over_5=0.0,
    over_20=0.0,
    worst=0.0,
    use=0.97,
    turns=0.1,
    recovery=3.0,
    charge=100.0,
    drawn=50.0,
    highest_cell=3.4,
    rise_while_held=0.0,
    stage="bulk",
    use_once_named=None,
    cvl_turns=0.0,
    exported_below=0.0,
    charge_at_zero=None,
    cvl_rise_while_held=0.0,
    stepped=False,
    named=None,
    false_alarms=0,
    stages={"bulk": 0.25},
    absorption=0.0,
    shortest_absorption=None,
    unnamed=0.0,
    top_balances=0,
    top_balance=0.0,
    cvl_fall=0.0,
)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"trips": 2}, "2 BMS trips, 0 allowed"),
        ({"use": 0.8}, "80% of the best possible current, 88% asked"),
        ({"over_20": 7.0}, "over 20 % for 7 s, 6 s allowed"),
        ({"turns": 0.7}, "turns a minute 0.7, 0.5 allowed"),
        ({"recovery": 90.0}, "recovery after 90 s, 45 s allowed"),
        ({"rise_while_held": 0.3}, "a limit rose while packs were held, by 30%, 2% allowed"),
        ({"cvl_rise_while_held": 0.3}, "CVL rose while packs were held, by 0.30 V, 0.10 V allowed"),
        ({"charge_at_zero": 0.03}, "charge at CCL 0 3.0%, 2.0% allowed"),
        ({"exported_below": 0.7}, "exported below the voltage at the start 0.7 Ah, 0.5 Ah allowed"),
        ({"cvl_turns": 1.2}, "turns of CVL a minute 1.2, 0.5 allowed"),
        ({"false_alarms": 1}, "false alarms: 1, 0 allowed"),
        ({"named": 20.0, "use_once_named": 0.5}, "50% of the best possible once named, 65% asked"),
        ({"absorption": 15000.0}, "longest absorption 15000 s, 14400 s allowed"),
        ({"shortest_absorption": 300.0}, "absorption ended after 300 s, 900 s asked"),
        ({"unnamed": 9000.0}, "absorption that names no pack for 9000 s, 5400 s allowed"),
        ({"top_balances": 0}, "0 top balances, 1 asked"),
        ({"top_balances": 3}, "top balances: 3, 2 allowed"),
        ({"cvl_fall": 2.0}, "CVL fell at once by 2.00 V, 0.50 V allowed"),
    ],
)
def test_what_breaks_the_promise_is_said(changes: dict[str, object], fault: str | None) -> None:
    ask = Ask(charge_at_zero=0.02, absorption=14400.0, shortest_absorption=900.0, top_balances=(1, 2), cvl_fall=0.5)
    good = replace(GOOD, top_balances=1)
    assert broken(ask, replace(good, **changes), good) == ([] if fault is None else [fault])  # type: ignore[arg-type]


def test_nine_wrong_sensors_of_ten_must_be_named_in_time() -> None:
    named, late, never = (replace(GOOD, stepped=True, named=after) for after in (20.0, 90.0, None))
    assert naming([GOOD], 60.0) == ""
    assert naming([*9 * [named], late], 60.0) == ""
    assert naming([*9 * [named], late, never], 60.0) == (
        "a wrong sensor was named within 60 s of the first step in 9 of 11 runs, 9 of ten asked"
    )
    assert naming([never], float("inf")) == ""


def test_what_the_oracle_cannot_do_is_not_asked() -> None:
    tripped = replace(GOOD, trips=4, over_20=9.0)
    assert broken(Ask(), tripped, tripped) == []
    assert len(broken(Ask(), replace(tripped, trips=5), tripped)) == 1


def test_the_verdict_is_a_sentence() -> None:
    assert Summary([GOOD]).words() == "no BMS trips; no pack over its limit; 97 % of the best possible; there after 3 s"
    bad = replace(GOOD, trips=1, worst=0.24, over=33.0, use=0.62, recovery=None)
    assert Summary([bad]).words() == "1 BMS trip; worst pack 24 % over for 33 s; 62 % of the best possible"
    both = Summary([GOOD, bad])
    assert both.words().endswith("80 % of the best possible; there after 3 s; 2 seeds")
    assert both.least_use == 0.62


def test_the_verdict_says_what_else_a_scenario_shows() -> None:
    named = replace(GOOD, recovery=None, stepped=True, named=12.0, use_once_named=0.81)
    assert Summary([named]).words().endswith("wrong sensor named after 12 s; then 81 % of the best possible")
    never = replace(named, named=None, use_once_named=None, false_alarms=2)
    assert Summary([never]).words().endswith("wrong sensor not named; 2 false alarms")
    assert "wrong sensor named in 1 of 2 runs, 12 s at most" in Summary([named, never]).words()
    fed = replace(GOOD, recovery=None, charge_at_zero=0.143, exported_below=0.8, cvl_turns=3.0)
    assert (
        Summary([fed])
        .words()
        .endswith(
            "charge of 14.3 % of the capacity at CCL 0; 0.8 Ah exported below the voltage at the start; "
            "CVL turns 3.0 times a minute"
        )
    )
    week = replace(
        GOOD, recovery=None, stages={"bulk": 9.0, "float": 1.0}, absorption=5400.0, top_balances=2, top_balance=7200.0,
        stage="float",
    )  # fmt: skip
    assert Summary([week]).words().endswith("absorption of 1.5 h at most, 2 top balances, 2.0 h at most, ends in float")
