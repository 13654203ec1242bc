from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from packbank.config.inifile import parse
from packbank.config.loader import build

LINES = [
    "[DEFAULT]",
    "[bus:a]",
    "[bus:b]",
    "[bus: a]",
    "[pack:a/0x02]",
    "[pack:a/2]",
    "[pack:b/0x03]",
    "[pack:/]",
    "[]",
    "[",
    "PORT = /dev/ttyUSB7",
    "PORT: /dev/ttyUSB8",
    "PORT =",
    "  PORT = indented",
    "PROTOCOL = daly",
    "PROTOCOL = x",
    "MODE = listen",
    "BATTERY_ADDRESSES = 0x00-0xFF",
    "BATTERY_ADDRESSES = 0x01, 0x02",
    "MODBUS_ADDRESSES = -",
    "NAME = pack 3",
    "NAME =",
    "MAX_CELL_VOLTAGE = 3.6",
    "CELL_VOLTAGES_WHILE_CHARGING = 3.4",
    "SOC_LOW_ALARM = 90",
    "BMS_TYPE = Daly",
    "TEMP_BATTERY = 0",
    "= 1",
    "; comment",
    "",
]


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=20)), max_size=14))
def test_any_text_is_a_configuration_or_problems_in_words(lines: list[str]) -> None:
    sections, unreadable = parse("\n".join(lines))
    config, problems = build(sections)
    assert (config is None) == bool(problems)
    for problem in unreadable + problems:
        assert problem.text
        assert "\n" not in str(problem)
    if config is not None:
        places = [(pack.bus, pack.address) for pack in config.packs]
        assert len(places) == len(set(places))
        assert len({pack.name for pack in config.packs}) == len(config.packs)
        assert len({bus.name for bus in config.buses}) == len({bus.port for bus in config.buses}) == len(config.buses)
