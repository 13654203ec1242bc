"""How much is logged about what happens again and again."""

from __future__ import annotations

import logging

import pytest

from packbank.log_budget import MOST_SUBJECTS, LogBudget


def test_a_fault_that_lasts_is_said_again_after_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    budget = LogBudget(logging.getLogger("test"), lines=1)
    said = [budget.say("fault", now, logging.ERROR, f"at {now:.0f}") for now in (0.0, 5.0, 3599.0, 3600.0, 3700.0)]
    assert said == [True, False, False, True, False]
    assert caplog.messages == ["at 0", "at 3600"]


def test_the_last_line_of_a_budget_says_that_it_is_the_last(caplog: pytest.LogCaptureFixture) -> None:
    budget = LogBudget(logging.getLogger("test"))
    for now in range(100):
        budget.say("port", float(now), logging.WARNING, "gone")
        budget.say("other", float(now), logging.WARNING, "another")
    assert [message for message in caplog.messages if message.startswith("gone")] == [
        "gone",
        "gone",
        "gone (said 3 times; not again within 60 minutes)",
    ]
    assert len(caplog.messages) == 6


def test_subjects_without_end_take_no_memory_without_end(caplog: pytest.LogCaptureFixture) -> None:
    budget = LogBudget(logging.getLogger("test"))
    for number in range(5 * MOST_SUBJECTS):
        budget.say(str(number), float(number) / 100, logging.WARNING, "gone")
    assert MOST_SUBJECTS <= len(caplog.records) <= MOST_SUBJECTS + 1
    assert budget.say("later", 5000.0, logging.WARNING, "gone")
