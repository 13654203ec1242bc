from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from packbank.config.keys import Key
from packbank.config.sections import default_keys
from packbank.config.values import format_addresses, format_value, parse_addresses, parse_value

addresses = st.lists(st.integers(0, 255), unique=True)


@given(addresses)
def test_addresses_survive_being_written_and_read(found: list[int]) -> None:
    assert parse_addresses(format_addresses(found)) == tuple(found)


@given(st.integers(0, 255), st.integers(0, 255))
def test_a_range_is_its_members(first: int, last: int) -> None:
    low, high = sorted((first, last))
    assert parse_addresses(f"0x{low:02X}-0x{high:02x}") == tuple(range(low, high + 1))


@given(st.text())
def test_any_text_is_addresses_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        found = parse_addresses(text)
        assert len(set(found)) == len(found)
        assert all(0 <= address <= 255 for address in found)


@given(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_survive_being_written_and_read(value: float | None) -> None:
    assert parse_value(format_value(value), float | None) == value


@given(st.sampled_from(sorted(default_keys().items())), st.text())
def test_any_text_for_any_key_is_a_value_in_range_or_a_value_error(item: tuple[str, Key], text: str) -> None:
    _, key = item
    with suppress(ValueError):
        value = key.parse(text)
        for element in value if isinstance(value, tuple) else (value,):
            if element is not None:
                assert key.low is None or element >= key.low
                assert key.high is None or element <= key.high


@given(st.sampled_from(sorted(default_keys())))
def test_every_default_is_written_and_read_alike(name: str) -> None:
    key = default_keys()[name]
    if key.default not in (None, ""):
        assert key.parse(format_value(key.default)) == key.default
