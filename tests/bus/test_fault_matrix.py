"""Real pollers on simulated buses with faults: the short form of ``scripts/fault-matrix``.

Checked are the invariants: no wrong value at all, the packs that nothing befalls stay fresh, and every pack is
back within two rounds of the fault's end. Figures are in docs/reliability.md.
"""

from __future__ import annotations

import pytest

from packbank.sim.fault_matrix import FRESH, ROUND, Outcome, cases, names_for, run, table
from packbank.sim.faults import BUS_FAULTS

pytestmark = pytest.mark.slow
SECONDS = 8.0
SLACK = 1.0  # s that a busy machine may add to a round


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return run(cases(rates=[0.10], sick=5), SECONDS, settle=3.0)


def test_no_wrong_value_reaches_the_matrix(outcomes: list[Outcome]) -> None:
    """Of garbled answers one in a thousand may: see test_garbled_answers.py, which counts them."""
    wrong = {outcome.case.name: outcome.wrong for outcome in outcomes if outcome.case.certain}
    assert wrong == dict.fromkeys(set(names_for("jkpb")) - {"garble"}, 0)


def test_answers_keep_coming(outcomes: list[Outcome]) -> None:
    assert all(outcome.accepted > 0.4 * 15 * SECONDS / ROUND for outcome in outcomes), table(outcomes)


def test_healthy_packs_stay_fresh(outcomes: list[Outcome]) -> None:
    ages = [outcome.oldest_healthy for outcome in outcomes if outcome.case.healthy]
    assert len(ages) == len(set(names_for("jkpb")) - set(BUS_FAULTS))
    assert max(ages) < FRESH, table(outcomes)


def test_every_pack_is_back_within_two_rounds(outcomes: list[Outcome]) -> None:
    assert max(outcome.recovery for outcome in outcomes) < 2 * ROUND + SLACK, table(outcomes)


def test_faults_that_spoil_answers_are_refused_with_a_reason(outcomes: list[Outcome]) -> None:
    spoiling = {"bit-flip", "garble", "truncation", "wrong-type", "foreign-ack"}
    refused = {outcome.case.name for outcome in outcomes if outcome.refused}
    assert refused >= spoiling, table(outcomes)


FRAMINGS = ("pace", "seplos-v3", "jbd-up")  # one family of each form of frame that was added after JK PB's
STOOD_BACK = 3.0  # s that a bus listens on when another master has gone
SPOILING = ("bit-flip", "garble", "truncation", "very-late", "astray", "silence", "second-master")


@pytest.fixture(scope="module")
def others() -> list[Outcome]:
    todo = [case for family in FRAMINGS for case in cases(SPOILING, [0.50], sick=2, family=family)]
    return run(todo, SECONDS, settle=1.0)


def test_no_wrong_value_of_another_family_reaches_the_matrix(others: list[Outcome]) -> None:
    wrong = {(outcome.case.family, outcome.case.name): outcome.wrong for outcome in others}
    assert wrong == {(family, name): 0 for family in FRAMINGS for name in SPOILING}


def test_faults_of_other_families_are_noticed_and_all_packs_come_back(others: list[Outcome]) -> None:
    for family in FRAMINGS:
        mine = [outcome for outcome in others if outcome.case.family == family]
        assert {outcome.case.name for outcome in mine if outcome.refused} >= {"bit-flip", "garble", "truncation"}
        alone = [outcome for outcome in mine if outcome.case.name != "second-master"]  # which leaves no line to ask on
        assert all(outcome.accepted for outcome in alone), table(mine)
        assert all(outcome.recovery < 3 * outcome.round + STOOD_BACK + SLACK for outcome in mine), table(mine)
