"""The skeleton of docs/skeleton works as it stands, where it is to be copied to."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random
from types import ModuleType

import numpy as np
import pytest

from other_bms import ask, pack_row
from packbank.bms.protocol import Protocol
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column
from packbank.sim.responder import Responder

FOLDER = Path(__file__).parents[3] / "docs" / "skeleton"


def load(file: str, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_file_location(name, FOLDER / file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> tuple[Protocol, Responder]:
    bms = load("bms.py", "packbank.bms.acme", monkeypatch)
    sim = load("responder.py", "packbank.sim.responder_acme", monkeypatch)
    return bms.Acme(), sim.AcmeResponder(3)


def test_it_reads_what_its_simulated_pack_says(family: tuple[Protocol, Responder]) -> None:
    protocol, responder = family
    row = pack_row(15, high_cell_voltage=1)
    reported, _ = ask(protocol, responder, row)
    columns = [Column.VOLTAGE, Column.CURRENT, Column.SOC]
    np.testing.assert_allclose(reported[columns], row[columns])
    np.testing.assert_allclose(reported[CELL_VOLTAGES], row[CELL_VOLTAGES], atol=1e-9)
    assert reported[Alarm.HIGH_CELL_VOLTAGE.column] == 1
    assert reported[Alarm.LOW_CELL_VOLTAGE.column] == 0
    assert np.isnan(reported[Column.SOH])


def test_it_refuses_what_is_damaged_and_passes_over_what_is_not_its_own(family: tuple[Protocol, Responder]) -> None:
    protocol, responder = family
    frame = responder.answer(protocol.exchange("status", 3).request, pack_row(), Random(1))[0].data
    for at in range(len(frame)):
        wrong = bytearray(frame)
        wrong[at] ^= 0x01
        exchange = protocol.exchange("status", 3)
        assert not exchange.feed(bytes(wrong))
        assert not exchange.feed(b"")
        assert [error.reason for error in exchange.rejected] == (["sum16"] if at > 2 else [])
        assert protocol.describe(bytes(wrong)).error
    assert protocol.describe(frame).values["voltage"] == 53.0
    assert not protocol.exchange("status", 4).feed(frame)
