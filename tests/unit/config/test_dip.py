from __future__ import annotations

import pytest

from packbank.config.dip import draw, switches, table


@pytest.mark.parametrize("address", range(16))
def test_switch_one_is_the_lowest_bit(address: int) -> None:
    assert sum(1 << bit for bit, on in enumerate(switches(address)) if on) == address


@pytest.mark.parametrize("address", range(16))
def test_a_lever_is_drawn_up_where_the_switch_is_on(address: int) -> None:
    _, _, up, down, _, _ = draw(address).splitlines()
    for bit, on in enumerate(switches(address)):
        column = 2 + 4 * bit
        assert (up[column], down[column]) == (("█", " ") if on else (" ", "█"))


def test_the_table_has_sixteen_rows_and_warns_of_zero() -> None:
    _, *rows = table().splitlines()
    assert len(rows) == 16
    assert "master mode" in rows[0]
    assert rows[5].split() == ["0x05", "ON", "off", "ON", "off"]


@pytest.mark.parametrize("address", [-1, 16])
def test_other_addresses_have_no_switches(address: int) -> None:
    with pytest.raises(ValueError, match="0x00 to 0x0F"):
        switches(address)
