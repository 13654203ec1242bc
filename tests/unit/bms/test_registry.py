"""Protocols by name, imported when asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from packbank.bms.jkpb import JkPb
from packbank.bms.registry import NAMES, protocol, protocols


def test_jkpb() -> None:
    assert isinstance(protocol("jkpb"), JkPb)


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_goes_by_its_name(name: str) -> None:
    made = protocol(name)
    assert made.name == name
    assert made.title
    assert len(made.addresses) > 0
    assert all(made.exchange(question, made.addresses[0]) for asked in made.questions.values() for question in asked)


def test_mapping() -> None:
    known = protocols()
    assert list(known) == list(NAMES)
    assert len(known) == len(NAMES)
    assert known.get("modbus") is None
    with pytest.raises(KeyError):
        protocol("modbus")


def test_names_cost_no_protocol() -> None:
    code = "import sys, packbank.bms.registry; print([m for m in sys.modules if m.startswith('packbank.cext.')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
