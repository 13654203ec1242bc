"""A Daly current whose sign its state contradicts: a sensor that is inverted, or a load that turned meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from daly_samples import counted, decoded, reply

from other_bms import answered, blank, pack_row
from packbank.bms.daly import Daly
from packbank.bms.protocol import Row, Topic
from packbank.errors import FrameError
from packbank.model.columns import Column
from packbank.model.identity import Identity
from packbank.sim.responder_daly import DalyResponder


def test_the_state_byte_finds_a_reversed_current() -> None:
    charging = reply(1, 0x93, "0101010000003A02")
    row = decoded(Daly(), "state", charging, decoded(Daly(), "pack", reply(1, 0x90, "0212000075F801F4")))  # 30200
    assert (row[Column.CURRENT], row[Column.FLOW]) == (-20.0, 1)
    with pytest.raises(FrameError, match="INVERT_CURRENT_MEASUREMENT = True") as error:
        Daly().check(row, blank())
    assert error.value.reason == "sign"
    row[Column.CURRENT] *= -1
    Daly().check(row, blank())


def test_a_current_near_zero_says_nothing_about_the_sign() -> None:
    row = decoded(Daly(), "pack", reply(1, 0x90, "02120000753A01F4"))
    Daly().check(decoded(Daly(), "state", reply(1, 0x93, "0101010000003A02"), row), blank())


CHARGE, DISCHARGE = 20.0, -20.0


def visit(daly: Daly, *currents: float, reversed_: bool = False) -> tuple[list[str], Row, str]:
    """A status asked of a board whose current is ``currents`` at one question after the other, then the last of them.

    The board may measure the other way round. What was asked, what it said, and why that is refused.
    """
    board, asked, said = DalyResponder(1), list[str](), dict[str, bytes]()
    for question in daly.questions_to(1, Topic.STATUS):
        true = currents[min(len(asked), len(currents) - 1)]
        row = pack_row(current=-true if reversed_ and question == "pack" else true)
        exchange = daly.exchange(question, 1)
        assert answered(exchange, board, row)
        asked.append(question)
        said[question] = exchange.answer
    row = blank()
    for question, answer in said.items():
        daly.decode(1, question, answer, row, Identity())
    try:
        daly.check(row, blank())
    except FrameError as error:
        return asked, row, error.reason
    return asked, row, ""


@pytest.mark.parametrize(("before", "after"), [(CHARGE, DISCHARGE), (DISCHARGE, CHARGE)])
def test_a_load_that_turns_between_current_and_state_is_no_wrong_sign(before: float, after: float) -> None:
    daly = counted(16)
    asked, row, refused = visit(daly, before, after)
    assert asked == ["pack", "state", "pack", "cells", "temperatures", "balance", "alarms"]
    assert (refused, row[Column.CURRENT], row[Column.FLOW]) == ("", after, np.sign(after))
    assert visit(daly, after)[0].count("pack") == 1


def test_a_wrong_sign_is_found_at_once_and_costs_one_question() -> None:
    daly = counted(16)
    asked, _, refused = visit(daly, CHARGE, reversed_=True)
    assert (asked.count("pack"), refused) == (2, "sign")
    for current in (DISCHARGE, CHARGE, 0.0, CHARGE):
        asked, _, refused = visit(daly, current, reversed_=True)
        assert (asked.count("pack"), refused) == (1, "sign" if current else "")


@pytest.mark.parametrize(("before", "after"), [(CHARGE, DISCHARGE), (DISCHARGE, CHARGE)])
def test_a_load_that_turns_is_noticed_at_a_board_that_measures_the_other_way_round(before: float, after: float) -> None:
    daly = counted(16)
    visit(daly, CHARGE, reversed_=True)
    asked, row, refused = visit(daly, before, after, reversed_=True)
    assert (asked.count("pack"), row[Column.CURRENT], refused) == (2, -after, "sign")
    assert visit(daly, CHARGE)[2] == "", "the sensor was turned round"


def test_noise_and_a_lost_state_ask_nothing_again() -> None:
    daly = counted(16)
    assert visit(daly, 0.9, -0.9)[0].count("pack") == 1
    visit(daly, CHARGE)
    questions = daly.questions_to(1, Topic.STATUS)
    assert next(questions) == "pack"
    assert answered(daly.exchange("pack", 1), DalyResponder(1), pack_row(current=DISCHARGE))
    assert [*questions].count("pack") == 0, "the state is that of the visit before"
